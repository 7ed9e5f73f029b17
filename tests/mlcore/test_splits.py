from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.errors import BadConfiguration
from mlcore.splits import folds_by_event, group_of, noise_of, split_by_event


def events(**counts):
    """Event ids and labels, each event at two stations."""
    pairs = [(f"{label}{i}", label) for label, n in counts.items() for i in range(n) for _ in range(2)]
    return [event for event, _ in pairs], [label for _, label in pairs]


def test_a_split_holds_every_event_once_in_the_asked_shares_of_every_class():
    ids, labels = events(quake=100, rockfall=40)
    sides = split_by_event(ids, labels, (0.2, 0.1), seed=1)
    assert set(sides) == set(ids)
    for label, total in (("quake", 100), ("rockfall", 40)):
        of_class = [side for event, side in sides.items() if event.startswith(label)]
        assert of_class.count("test") == total * 0.2
        assert of_class.count("validation") == total * 0.1


def test_a_split_depends_on_the_seed_and_not_on_the_order_of_events():
    ids, labels = events(quake=30, rockfall=30)
    forwards = split_by_event(ids, labels, (0.2, 0.1), seed=1)
    assert forwards == split_by_event(ids[::-1], labels[::-1], (0.2, 0.1), seed=1)
    assert forwards != split_by_event(ids, labels, (0.2, 0.1), seed=2)


def exchanged(before, after, side, label):
    """How many events of a class, there before and after, came to a side or left it."""
    there = [event for event in before.keys() & after.keys() if event.startswith(label)]
    return sum((before[event] == side) != (after[event] == side) for event in there)


@pytest.mark.parametrize("count", range(3, 60))
def test_a_new_event_moves_at_most_one_other_to_or_from_a_held_out_side(count):
    ids, labels = events(quake=count, rockfall=20)
    before = split_by_event(ids, labels, (0.2, 0.15), seed=3)
    for name in ("a new one", "another", "2020-03-28 13:00"):
        after = split_by_event([*ids, name], [*labels, "quake"], (0.2, 0.15), seed=3)
        for side in ("test", "validation"):
            assert exchanged(before, after, side, "quake") <= 1
            assert exchanged(before, after, side, "rockfall") == 0


@pytest.mark.parametrize("relabelled", ["quake0", "quake7", "quake19", "quake33"])
def test_a_relabelled_event_moves_at_most_one_other_of_either_class_to_or_from_a_held_out_side(relabelled):
    ids, labels = events(quake=40, rockfall=25)
    before = split_by_event(ids, labels, (0.2, 0.15), seed=3)
    corrected = ["rockfall" if event == relabelled else label for event, label in zip(ids, labels, strict=True)]
    after = split_by_event(ids, corrected, (0.2, 0.15), seed=3)
    del before[relabelled]
    for side in ("test", "validation"):
        for label in ("quake", "rockfall"):
            assert exchanged(before, after, side, label) <= 1


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, ["train"]), (2, ["test", "train"]), (3, ["test", "train", "validation"])],
)
def test_a_rare_class_trains_first_then_tests_then_validates(count, expected):
    sides = split_by_event(*events(quake=count), (0.2, 0.15), seed=0)
    assert sorted(sides.values()) == expected


def test_a_share_of_zero_holds_nothing_out():
    assert set(split_by_event(*events(quake=10), (0.0, 0.0), seed=0).values()) == {"train"}


def test_an_event_with_two_labels_is_refused():
    with pytest.raises(BadConfiguration, match="e1 is labelled both quake and noise"):
        split_by_event(["e1", "e1"], ["quake", "noise"], (0.2, 0.1), seed=0)


def with_noise(**counts):
    """As `events`, and noise around every third of them."""
    ids, labels = events(**counts)
    quiet = [noise_of(event) for event in dict.fromkeys(ids) if int(event[-1]) % 3 == 0]
    return [*ids, *quiet], [*labels, *["noise"] * len(quiet)]


def test_the_noise_around_an_event_stays_on_its_side_and_moves_no_other():
    ids, labels = with_noise(quake=30, rockfall=20)
    sides = split_by_event(ids, labels, (0.2, 0.15), seed=1)
    assert set(sides) == set(ids)
    assert all(sides[unit] == sides[group_of(unit)] for unit in sides)
    alone = split_by_event(*events(quake=30, rockfall=20), (0.2, 0.15), seed=1)
    assert alone == {event: sides[event] for event in alone}


def test_noise_whose_event_is_not_there_is_divided_as_noise():
    ids = [noise_of(f"e{i}") for i in range(20)]
    sides = split_by_event(ids, ["noise"] * 20, (0.2, 0.1), seed=1)
    assert sorted(sides.values()).count("test") == 4
    assert set(folds_by_event(ids, ["noise"] * 20, 5, seed=1).values()) == set(range(5))


def test_split_by_time_the_last_events_of_each_class_test_and_those_before_them_validate():
    ids, labels = with_noise(quake=10, rockfall=5)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    times = [start + timedelta(days=int(group_of(unit)[-1]), hours=len(unit)) for unit in ids]
    sides = split_by_event(ids, labels, (0.2, 0.1), seed=1, times=times)
    for label, tests, validations in (("quake", [8, 9], [7]), ("rockfall", [4], [3])):
        for number in range(10 if label == "quake" else 5):
            expected = "test" if number in tests else "validation" if number in validations else "train"
            assert sides[f"{label}{number}"] == expected
    assert all(sides[unit] == sides[group_of(unit)] for unit in sides)


@settings(max_examples=30)
@given(
    counts=st.dictionaries(st.sampled_from(["quake", "rockfall", "slide"]), st.integers(1, 40), min_size=1),
    folds=st.integers(2, 7),
    seed=st.integers(0, 99),
)
def test_folds_hold_every_event_once_and_every_class_as_evenly_as_can_be(counts, folds, seed):
    ids, labels = with_noise(**counts)
    found = folds_by_event(ids, labels, folds, seed)
    assert set(found) == set(ids)
    assert set(found.values()) <= set(range(folds))
    assert all(found[unit] == found[group_of(unit)] for unit in found)
    for label, count in counts.items():
        sizes = [sum(f == fold for unit, f in found.items() if group_of(unit) == unit and unit.startswith(label))
                 for fold in range(folds)]  # fmt: skip
        assert sum(sizes) == count
        assert max(sizes) - min(sizes) <= 1
        noises = [sum(f == fold for unit, f in found.items() if group_of(unit) != unit and unit.startswith(label))
                  for fold in range(folds)]  # fmt: skip
        assert max(noises) - min(noises) <= 2


def test_folds_depend_on_the_seed_and_not_on_the_order_of_events():
    ids, labels = with_noise(quake=30, rockfall=12)
    forwards = folds_by_event(ids, labels, 5, seed=1)
    assert forwards == folds_by_event(ids[::-1], labels[::-1], 5, seed=1)
    assert forwards != folds_by_event(ids, labels, 5, seed=2)


@pytest.mark.parametrize("count", [4, 11, 40, 101])
def test_a_new_event_moves_at_most_one_other_across_the_border_of_two_folds(count):
    ids, labels = events(quake=count, rockfall=20)
    before = folds_by_event(ids, labels, 5, seed=3)
    for name in ("a new one", "another", "2020-03-28 13:00"):
        after = folds_by_event([*ids, name], [*labels, "quake"], 5, seed=3)
        moved = [event for event in before if before[event] != after[event]]
        assert len(moved) <= 4
        assert not any(event.startswith("rockfall") for event in moved)
        assert all((after[event] - before[event]) % 5 in (1, 4) for event in moved)


@pytest.mark.parametrize("folds", [1, 0])
def test_fewer_than_two_folds_are_refused(folds):
    with pytest.raises(BadConfiguration, match="at least 2"):
        folds_by_event(["a"], ["quake"], folds, seed=0)
