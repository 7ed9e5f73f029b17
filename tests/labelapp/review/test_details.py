"""What else an expert says is checked, written as text where it is a number, covered by the hash, and exported."""

import csv
import hashlib
import json
import uuid

import pytest

from labelapp.catalogue.errors import Invalid
from labelapp.review import chain, ledger
from labelapp.review.details import clean
from labelapp.review.exporting import relabel_lines
from labelapp.review.models import Relabel
from tests.labelapp.review.tampering import execute, unguarded

BOX = {
    "station": "XX.AAA.00",
    "component": "Z",
    "map": "predicted",
    "from_s": 1,
    "to_s": 2.5,
    "low_hz": 0,
    "high_hz": 8,
}
BATCH = str(uuid.UUID(int=7))
SPAN = {
    "from": ["2026-03-01T06:00:00Z", "2026-03-01T06:00:05Z"],
    "to": ["2026-03-01T06:00:01Z", "2026-03-01T06:00:09Z"],
}


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (None, {}),
        ({"confidence": None, "comment": "", "box": None, "seconds": None}, {}),
        ({"comment": "  \n "}, {}),
        ({"confidence": "likely", "verdict": "wrong_reason"}, {"confidence": "likely", "verdict": "wrong_reason"}),
        ({"comment": " two impacts, 落石 🪨 "}, {"comment": "two impacts, 落石 🪨"}),
        ({"seconds": 4}, {"seconds": "4.0"}),
        ({"seconds": 0}, {"seconds": "0.0"}),
        ({"seconds": 0.1 + 0.2}, {"seconds": "0.30000000000000004"}),
        ({"withdraws": 3, "blind": 2, "about": 1}, {"withdraws": 3, "blind": 2, "about": 1}),
        ({"between": (1, 4)}, {"between": [1, 4]}),
        ({"gold": {"expected": "quake"}}, {"gold": {"expected": "quake"}}),
        ({"batch": uuid.UUID(int=7)}, {"batch": BATCH}),
        ({"span": SPAN, "into": "event 3"}, {"span": SPAN, "into": "event 3"}),
        ({"parts": ["a", "b"], "from_event": "c"}, {"parts": ["a", "b"], "from_event": "c"}),
    ],
)
def test_what_is_said_is_written_down_plainly(given, written):
    assert clean(given) == written
    assert clean(clean(given)) == written
    chain.canonical(clean(given))  # refuses floats


def test_a_box_keeps_its_numbers_as_text_that_reads_back_the_same():
    box = clean({"box": {**BOX, "high_hz": 1 / 3, "from_s": -0.5}})["box"]
    assert (float(box["high_hz"]), box["from_s"], box["to_s"], box["map"]) == (1 / 3, "-0.5", "2.5", "predicted")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mood": "good"}, "Details have no 'mood'"),
        ({"confidence": "sure"}, "Choose one of: certain, likely, guess"),
        ({"verdict": True}, "Choose one of: right, wrong_reason, wrong"),
        ({"comment": "x" * 2001}, "At most 2000"),
        ({"comment": "bell \x07"}, "control characters"),
        ({"comment": 3}, "Give a text"),
        ({"seconds": -1}, "Give a number from 0"),
        ({"seconds": float("nan")}, "Give a number"),
        ({"seconds": "1e999"}, "Give a number"),
        ({"seconds": True}, "Give a number"),
        ({"seconds": 10**400}, "Give a number"),
        ({"box": [1, 2]}, "It needs exactly: station, component, map"),
        ({"box": {**BOX, "colour": "red"}}, "It needs exactly"),
        ({"box": {**BOX, "to_s": 1}}, "Draw it larger"),
        ({"box": {**BOX, "low_hz": 9}}, "Draw it larger"),
        ({"box": {**BOX, "low_hz": -1}}, "box.low_hz"),
        ({"withdraws": "3"}, "sequence of a row"),
        ({"blind": True}, "sequence of a row"),
        ({"between": [1]}, "sequences of two rows"),
        ({"gold": "quake"}, "It needs exactly: expected"),
        ({"batch": "everything"}, "Give a UUID"),
        ({"span": {"from": ["soon", "late"], "to": SPAN["to"]}}, "ISO 8601"),
        ({"parts": "a"}, "list of event ids"),
    ],
)
def test_what_is_not_of_its_kind_is_refused_by_name(given, words):
    with pytest.raises(Invalid, match=words):
        clean(given)


def test_a_row_without_details_has_the_hash_that_rows_had_before_there_were_any(ask, decide):
    row = decide(ask(), "rockfall")
    bare = Relabel.objects.get(pk=row.pk)
    bare.details = {}
    old = {
        "site": bare.site_id, "site_name": bare.site_name, "sequence": 1, "event": bare.event_id,
        "event_name": "event 0", "item": bare.item_id, "expert": bare.expert_id, "expert_name": "a expert",
        "kind": "correct", "from_class": bare.from_class_id, "from_code": "quake", "to_class": bare.to_class_id,
        "to_code": "rockfall", "reason": "clear impacts", "prediction": bare.prediction_id, "shown": bare.shown,
        "decided_at": bare.decided_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "previous_hash": "",
    }  # fmt: skip
    text = json.dumps(old, sort_keys=True, separators=(",", ":"))
    assert chain.row_hash(ledger.facts(bare)) == hashlib.sha256(text.encode()).hexdigest()


def test_a_ledger_from_before_details_verifies_and_grows(site, ask, decide):
    decide(ask(), "rockfall")
    row = Relabel.objects.get()
    row.details = {}
    with unguarded():
        execute("UPDATE review_relabel SET details = '{}', hash = %s", chain.row_hash(ledger.facts(row)))
    assert ledger.verify(site) == []
    decide(ask(), "rockfall", said={"confidence": "guess"})
    assert ledger.verify(site) == []
    assert list(chain.check(chain.read_export(relabel_lines(site, format="jsonl")))) == []


def test_details_are_covered_by_the_hash(site, ask, decide):
    decide(ask(), "rockfall", said={"confidence": "guess", "comment": "hm"})
    with unguarded():
        execute("UPDATE review_relabel SET details = %s", json.dumps({"confidence": "certain"}))
    assert "its facts do not give its hash" in str(ledger.verify(site)[0])


def test_a_decision_says_why_it_was_asked_and_how_long_it_took(ask, decide, expert):
    from labelapp.review import services

    item = services.take_item(item=ask("quake", "rockfall"), expert=expert)
    by_server = decide(item, "rockfall")
    assert by_server.details["asked"] == "disagreement"
    assert 0 <= float(by_server.details["held_s"]) < 60
    by_page = decide(services.take_item(item=ask(), expert=expert), "rockfall", said={"seconds": 7.25})
    assert by_page.details == {"asked": "disagreement", "seconds": "7.25"}


def test_an_expert_says_nothing_that_the_server_finds_out(ask, decide):
    with pytest.raises(Invalid, match="A decision says nothing of withdraws"):
        decide(ask(), "rockfall", said={"withdraws": 1})
    assert not Relabel.objects.exists()


def test_exports_have_what_was_said(site, ask, decide):
    said = {"confidence": "likely", "comment": "=cmd()", "verdict": "right", "box": BOX, "seconds": 3.5}
    decide(ask(), "rockfall", said=said)
    (line,) = csv.DictReader(relabel_lines(site))
    assert (line["confidence"], line["verdict"], line["seconds"], line["asked"]) == (
        "likely", "right", "3.5", "disagreement",
    )  # fmt: skip
    assert line["comment"] == "'=cmd()"
    assert json.loads(line["box"])["to_s"] == "2.5"
    assert line["withdraws"] == ""
    (row,) = chain.read_export(relabel_lines(site, format="jsonl"))
    assert row["details"]["comment"] == "=cmd()"
    assert list(chain.check([row])) == []
