"""Replaying the ledger gives the current labels, whatever experts decided in whatever order."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelapp.catalogue.models import Event
from labelapp.catalogue.services import create_site
from labelapp.review import chain, ledger, services
from labelapp.review.exporting import relabel_lines

CODES = ["earthquake", "quake", "rockfall", "noise"]
printable = st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
reasons = st.text(printable, max_size=30)
decisions = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(CODES), reasons), max_size=8)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.lists(st.sampled_from([None, *CODES]), min_size=3, max_size=3), decided=decisions)
def test_replay_gives_the_labels_and_the_export_verifies_offline(expert, first, decided):
    number = Event.objects.count()
    site = create_site(name=f"Slope {number}")
    classes = {c.code: c for c in site.classes.all()}
    events = [
        Event.objects.create(
            site=site, event_id=f"{i}", starttime="2026-01-01T00:00:00Z", endtime="2026-01-01T00:00:01Z",
            origin="catalogue", label=classes.get(code), catalogue_label=classes.get(code),
        )
        for i, code in enumerate(first)
    ]  # fmt: skip
    expected = {event.pk: code for event, code in zip(events, first, strict=True)}
    for place, code, reason in decided:
        item = services.ask_for_review(event=events[place], expert=expert)
        why = reason if reason.strip() else "it is"
        services.decide(item=item, expert=expert, event_class=classes[code], reason=why, prediction=None)
        expected[events[place].pk] = code

    labelled = {pk: classes[code].pk for pk, code in expected.items() if code}
    assert ledger.replay(site) == labelled
    assert dict(site.events.filter(label__isnull=False).values_list("pk", "label_id")) == labelled
    assert ledger.verify(site) == []
    rows = chain.read_export(relabel_lines(site, format="jsonl"))
    assert list(chain.check(rows)) == []
    assert [(row["to_code"], json.dumps(row["reason"])) for row in rows] == [
        (code, json.dumps(reason.strip() or "it is")) for _, code, reason in decided
    ]
