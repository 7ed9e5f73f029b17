from datetime import UTC, datetime, timedelta
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from mlcore.matching import CatalogueEvent, match, matching_report

START = datetime(2026, 1, 1, tzinfo=UTC)


def spans(starts, length=5.0, names=None):
    lengths = length if isinstance(length, list) else [length] * len(starts)
    return [
        CatalogueEvent(START + timedelta(seconds=s), START + timedelta(seconds=s + d), name)
        for s, d, name in zip(starts, lengths, names or ["quake"] * len(starts), strict=True)
    ]


def total(events, detections, pairs):
    return sum(abs((events[i].starttime - detections[j].starttime).total_seconds()) for i, j in pairs)


@given(
    events=st.lists(st.integers(0, 60), max_size=7),
    detections=st.lists(st.integers(0, 60), max_size=7),
    tolerance=st.integers(0, 8),
)
@settings(max_examples=150)
def test_spans_of_one_length_are_matched_as_scipys_assignment_matches_them(events, detections, tolerance):
    ours = match(spans(events), spans(detections), tolerance)
    apart = np.abs(np.subtract.outer(np.array(events, dtype=float), np.array(detections, dtype=float)))
    cost = np.where(apart <= tolerance + 5, apart, 1e6).reshape(len(events), len(detections))
    theirs = [(i, j) for i, j in zip(*linear_sum_assignment(cost), strict=True) if cost[i, j] < 1e6]
    assert len(ours.hits) == len(theirs)
    assert total(spans(events), spans(detections), ours.hits) == pytest.approx(sum(cost[i, j] for i, j in theirs))
    assert sorted([*(i for i, _ in ours.hits), *ours.misses]) == list(range(len(events)))
    assert sorted([*(j for _, j in ours.hits), *ours.false_alarms]) == list(range(len(detections)))


@given(
    events=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), max_size=4),
    detections=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), max_size=4),
    tolerance=st.integers(0, 8),
)
@settings(max_examples=80)
def test_no_other_matching_in_order_has_more_pairs_or_closer_ones(events, detections, tolerance):
    events, detections = sorted(events), sorted(detections)
    ours = match(
        spans([s for s, _ in events], [float(d) for _, d in events]),
        spans([s for s, _ in detections], [float(d) for _, d in detections]),
        tolerance,
    )
    best = (0, 0.0)
    for size in range(1, min(len(events), len(detections)) + 1):
        for left in combinations(events, size):
            for right in combinations(detections, size):
                gaps = [max(a - c - d, c - a - b) for (a, b), (c, d) in zip(left, right, strict=True)]
                if max(gaps) <= tolerance:
                    best = max(best, (size, -sum(abs(a - c) for (a, _), (c, _) in zip(left, right, strict=True))))
    cost = sum(abs(events[i][0] - detections[j][0]) for i, j in ours.hits)
    assert (len(ours.hits), -cost) == best


def test_a_detection_serves_one_event_only():
    assert match(spans([0, 1]), spans([0.4]), 10).hits == [(0, 0)]
    assert match(spans([0, 8]), spans([4, 9]), 10).hits == [(0, 0), (1, 1)]


def test_the_tolerance_is_between_spans():
    assert match(spans([0]), spans([8]), 3).hits == [(0, 0)]
    assert match(spans([0]), spans([8]), 2.9).misses == [0]
    assert match(spans([0], [100.0]), spans([95]), 0).hits == [(0, 0)]


def test_the_report_counts_hits_misses_false_alarms_and_confusions():
    events = spans([0, 100, 200, 300, 400], names=["quake", "rockfall", "rockfall", "noise", "noise"])
    found = spans([2, 102, 302, 500, 600], names=["quake", "quake", "quake", "rockfall", "noise"])
    report = matching_report(events, found, 5.0)
    assert (report["events"], report["detections"]) == (3, 4)
    assert (report["hits"], report["misses"], report["false_alarms"]) == (2, 1, 2)
    assert report["confusion"] == {"noise": {"quake": 1}, "quake": {"quake": 1}, "rockfall": {"quake": 1}}
    assert report["missed"] == {"rockfall": 1}
    assert report["uncatalogued"] == {"rockfall": 1}
    assert report["noise_left_alone"] == 1
    assert (report["recall"], report["precision"], report["class_accuracy"]) == (2 / 3, 0.5, 0.5)


def test_nothing_matches_nothing():
    report = matching_report([], [], 5.0)
    assert (report["hits"], report["recall"], report["precision"]) == (0, None, None)
