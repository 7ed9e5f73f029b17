"""Agreement, movement and accuracy: held to published tables, to scikit-learn and to slow loops."""

import math
from collections import Counter
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from labelapp.review import agreement
from labelapp.review.agreement import Gold, Moved

# Fleiss 1971's way of counting, in the table that Wikipedia works through: 10 subjects, 14 raters, 5 categories.
TEN_SUBJECTS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
codes = st.sampled_from("abcd")
tables = st.lists(st.dictionaries(codes, st.integers(0, 4), max_size=4), min_size=1, max_size=12)


def counted(rows):
    return [dict(zip("abcde", row, strict=False)) for row in rows]


def paired(table):
    return [(i, j) for (i, j), count in table.items() for _ in range(count)]


@given(st.lists(st.tuples(codes, codes), min_size=1, max_size=40))
def test_cohens_kappa_is_scikit_learns(pairs):
    found = agreement.cohen_kappa(pairs).value
    expected = cohen_kappa_score(*zip(*pairs, strict=True)) if len({c for p in pairs for c in p}) > 1 else math.nan
    if math.isnan(expected):
        assert found is None
    else:
        assert math.isclose(found, expected, abs_tol=1e-9)


def test_cohens_kappa_of_fifty_grant_proposals_is_0_4():
    found = agreement.cohen_kappa(paired({("y", "y"): 20, ("y", "n"): 5, ("n", "y"): 10, ("n", "n"): 15}))
    assert math.isclose(found.value, 0.4)
    assert found.n == 50


def gradient(table, codes, step=1e-6):
    """κ's derivatives by each share of the table, by differences."""

    def kappa(p):
        observed, expected = np.trace(p) / p.sum(), (p.sum(1) @ p.sum(0)) / p.sum() ** 2
        return (observed - expected) / (1 - expected)

    slopes = np.zeros_like(table)
    for i, j in product(range(len(codes)), repeat=2):
        up, down = table.copy(), table.copy()
        up[i, j] += step
        down[i, j] -= step
        slopes[i, j] = (kappa(up) - kappa(down)) / (2 * step)
    return slopes


def test_the_interval_of_cohens_kappa_is_what_the_delta_method_gives_by_differences():
    counts = np.array([[44, 5, 1], [7, 20, 3], [9, 5, 6]], dtype=float)
    n, p = counts.sum(), counts / counts.sum()
    slopes = gradient(p, "abc")
    error = math.sqrt(((slopes**2 * p).sum() - (slopes * p).sum() ** 2) / n)
    found = agreement.cohen_kappa(paired({("abc"[i], "abc"[j]): int(c) for (i, j), c in np.ndenumerate(counts)}))
    assert math.isclose((found.high - found.low) / 2, 1.959963984540054 * error, rel_tol=1e-5)


def test_the_interval_of_cohens_kappa_is_what_resampling_the_events_gives():
    random = np.random.default_rng(20260301)
    counts = {("a", "a"): 44, ("a", "b"): 5, ("b", "a"): 7, ("b", "b"): 60, ("c", "b"): 9, ("c", "c"): 75}
    pairs = np.array(paired(counts))
    drawn = [cohen_kappa_score(*pairs[random.integers(0, len(pairs), len(pairs))].T) for _ in range(400)]
    found = agreement.cohen_kappa([tuple(pair) for pair in pairs.tolist()])
    assert math.isclose((found.high - found.low) / 2, 1.96 * np.std(drawn), rel_tol=0.12)


def test_fleiss_kappa_of_the_published_table_is_0_210():
    found = agreement.fleiss_kappa(counted(TEN_SUBJECTS))
    assert round(found.value, 3) == 0.210
    assert found.n == 10


def slow_fleiss(events):
    """κ by going through every pair of ratings of every event."""
    ratings = [[code for code, count in event.items() for _ in range(count)] for event in events]
    ratings = [given for given in ratings if len(given) > 1]
    agreeing = [np.mean([a == b for a, b in combinations(given, 2)]) for given in ratings]
    everything = [code for given in ratings for code in given]
    expected = sum((everything.count(code) / len(everything)) ** 2 for code in set(everything)) if everything else 1
    return None if math.isclose(expected, 1) else (np.mean(agreeing) - expected) / (1 - expected)


@given(tables)
def test_fleiss_kappa_of_any_table_is_that_of_its_pairs_one_by_one(events):
    found, expected = agreement.fleiss_kappa(events), slow_fleiss(events)
    assert (found.value is None) == (expected is None)
    if expected is not None:
        assert math.isclose(found.value, expected, abs_tol=1e-9)


@given(tables)
def test_the_jackknife_is_that_of_leaving_out_one_event_after_the_other(events):
    found = agreement.fleiss_kappa(events)
    kept = [event for event in events if sum(event.values()) > 1]
    without = [slow_fleiss(kept[:i] + kept[i + 1 :]) for i in range(len(kept))]
    if found.value is None or len(kept) < 2 or None in without:
        assert found.low is None
        return
    error = math.sqrt((len(kept) - 1) / len(kept) * sum((each - np.mean(without)) ** 2 for each in without))
    assert math.isclose(found.high, min(1, found.value + 1.959963984540054 * error), abs_tol=1e-9)


def test_per_class_kappa_is_fleiss_1971s_formula_for_a_category():
    n, raters = len(TEN_SUBJECTS), 14
    found = agreement.class_agreement(counted(TEN_SUBJECTS))
    for place, code in enumerate("abcde"):
        column = [row[place] for row in TEN_SUBJECTS]
        p = sum(column) / (n * raters)
        discordant = sum(x * (raters - x) for x in column)
        expected = 1 - discordant / (n * raters * (raters - 1) * p * (1 - p))
        assert math.isclose(found[code].kappa.value, expected)
        assert found[code].ratings == sum(column)


def test_specific_agreement_of_two_raters_is_twice_the_shared_over_all_that_they_gave():
    pairs = paired({("a", "a"): 30, ("a", "b"): 6, ("b", "a"): 4, ("b", "b"): 10})
    found = agreement.class_agreement([Counter(pair) for pair in pairs])
    assert math.isclose(found["a"].specific.value, 2 * 30 / (36 + 34))
    assert math.isclose(found["b"].specific.value, 2 * 10 / (16 + 14))


def test_nothing_is_said_where_nobody_rated_twice_or_only_one_class_was_given():
    for events in ([], [{"a": 1}, {"b": 1}], [{"a": 2}, {"a": 3}]):
        assert agreement.fleiss_kappa(events).value is None
    assert agreement.cohen_kappa([]) == (None, None, None, 0)
    assert agreement.cohen_kappa([("a", "a")] * 3) == (None, None, None, 3)
    assert agreement.share(0, 0) == (None, None, None, 0)


@pytest.mark.parametrize(("hits", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (9, 10, 0.5958, 0.9821)])
def test_shares_have_wilsons_interval(hits, n, low, high):
    """Its ends are the shares that lie just 1.96 of their own standard errors from what was found."""
    z = 1.959963984540054

    def beyond(p):
        return abs(hits / n - p) - z * math.sqrt(p * (1 - p) / n)

    found = agreement.share(hits, n)
    assert found.low == pytest.approx(low, abs=1e-4)
    assert found.high == pytest.approx(high, abs=1e-4)
    assert abs(beyond(found.high)) < 1e-9
    assert found.low == 0 or abs(beyond(found.low)) < 1e-9


def test_movement_tells_towards_the_machine_from_away_and_elsewhere():
    rows = [
        Moved("ann", "quake", "rockfall", "rockfall"),  # towards
        Moved("ann", None, "rockfall", "rockfall"),  # towards
        Moved("ann", "quake", "quake", "quake"),  # agreed, stayed
        Moved("bob", "quake", "quake", "noise"),  # away
        Moved("bob", "noise", "quake", None),  # elsewhere
        Moved("bob", "noise", "quake", "noise"),  # disagreed, stayed
    ]
    found = agreement.movement(rows)
    assert (found.events, found.agreed, found.towards, found.away, found.elsewhere) == (6, 2, 2, 1, 1)
    assert found.changed.value == found.changes / 6 == 4 / 6
    by_expert = agreement.movement_by_expert(rows)
    assert {name: (m.events, m.towards, m.away) for name, m in by_expert.items()} == {
        "ann": (3, 2, 0),
        "bob": (3, 0, 1),
    }
    assert [(code, m.events) for code, m in agreement.movement_by_class(rows).items()] == [
        ("noise", 2), ("quake", 3), (None, 1),
    ]  # fmt: skip


def test_accuracy_counts_who_could_not_tell_apart():
    rows = [Gold("ann", "quake", "quake"), Gold("ann", "quake", "noise"), Gold("bob", "noise", None)]
    assert agreement.accuracy(rows).right.value == 0.5
    assert agreement.accuracy(rows).unsure == 1
    assert agreement.accuracy_by_expert(rows)["bob"].right.value is None
    assert {code: a.right.n for code, a in agreement.accuracy_by_class(rows).items()} == {"noise": 0, "quake": 2}


def test_kappas_are_called_what_landis_and_koch_call_them():
    said = {-0.1: "poor", 0.1: "slight", 0.4: "fair", 0.5: "moderate", 0.8: "substantial", 0.81: "almost perfect"}
    assert {kappa: agreement.in_words(kappa) for kappa in said} == said
    assert agreement.in_words(None) == "not to be computed"
