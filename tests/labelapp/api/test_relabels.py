"""GET /api/v1/relabels/"""

import pytest

from labelapp.review.models import Relabel

RELABELS = "/api/v1/relabels/"


@pytest.fixture
def two_decisions(ask, decide):
    return [decide(ask(event_id="a"), "rockfall"), decide(ask(event_id="b"), "quake", reason="")]


def test_a_decision_says_who_when_what_and_what_was_shown(as_viewer, two_decisions):
    row = as_viewer.get(RELABELS).json()["results"][0]
    first = Relabel.objects.get(sequence=row["sequence"])
    assert (row["event_id"], row["expert"], row["kind"]) == ("a", "a expert", "correct")
    assert (row["from_class"], row["to_class"], row["reason"]) == ("quake", "rockfall", "clear impacts")
    assert (row["hash"], row["previous_hash"], row["shown"]) == (first.hash, "", first.shown)
    assert as_viewer.get(f"{RELABELS}{row['id']}/").json() == row


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kind": "confirm"}, "b"),
        ({"to_class": "rockfall"}, "a"),
        ({"from_class": "quake"}, "ab"),
        ({"expert": "a expert"}, "ab"),
        ({"expert": "nobody"}, ""),
        ({"site": "Test slope", "ordering": "-sequence"}, "ba"),
        ({"decided_before": "2020-01-01"}, ""),
        ({"decided_after": "2020-01-01"}, "ab"),
    ],
)
def test_filters_leave_the_decisions_that_fit(as_viewer, two_decisions, filters, expected):
    assert "".join(row["event_id"] for row in as_viewer.get(RELABELS, filters).json()["results"]) == expected


def test_decisions_are_found_by_event(as_viewer, two_decisions, refused):
    event = two_decisions[1].event_id
    assert [row["event"] for row in as_viewer.get(RELABELS, {"event": event}).json()["results"]] == [event]
    for nonsense in ("x", "0", "9" * 30, "1.5", "NaN"):
        refused(as_viewer.get(RELABELS, {"event": nonsense}), 400, "invalid")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "post"])
def test_the_ledger_is_read_only_also_for_managers(as_manager, two_decisions, refused, method):
    refused(getattr(as_manager, method)(f"{RELABELS}{two_decisions[0].pk}/", {}), 405, "method_not_allowed")
    refused(getattr(as_manager, method)(RELABELS, {}), 405, "method_not_allowed")


def test_a_list_of_decisions_costs_the_same_few_queries(as_viewer, ask, decide, django_assert_max_num_queries):
    for _ in range(6):
        decide(ask(), "rockfall")
    with django_assert_max_num_queries(5):
        assert as_viewer.get(RELABELS).json()["count"] == 6
