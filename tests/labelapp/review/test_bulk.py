"""Many events relabelled at once: a row each, all or none, others' events left alone, and taken back as a whole."""

import pytest

from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed
from labelapp.catalogue.models import Event
from labelapp.catalogue.services import create_site
from labelapp.review import chain, ledger, services
from labelapp.review.models import Relabel, ReviewItem


@pytest.fixture
def relabel(site, expert, classes):
    def make(events, code="rockfall", by=expert, reason="same swarm"):
        return services.relabel_events(
            site=site, events=[event.pk for event in events], expert=by, event_class=classes[code], reason=reason
        )

    return make


def labels(*events):
    return [Event.objects.get(pk=event.pk).label and Event.objects.get(pk=event.pk).label.code for event in events]


def test_each_event_gets_its_label_and_its_row(site, relabel, make_event, expert):
    events = [make_event("quake"), make_event("rockfall"), make_event(None)]
    done = relabel(events)
    assert (done.written, done.skipped) == (3, [])
    assert labels(*events) == ["rockfall"] * 3
    rows = list(Relabel.objects.order_by("sequence"))
    assert [(row.kind, row.from_code, row.to_code) for row in rows] == [
        ("correct", "quake", "rockfall"),
        ("confirm", "rockfall", "rockfall"),
        ("first", "", "rockfall"),
    ]
    assert {(row.reason, row.details["batch"], row.expert_name) for row in rows} == {
        ("same swarm", done.batch, expert.username)
    }
    assert list(chain.check(ledger.hashed(row) for row in rows)) == []
    assert ledger.verify(site) == []


def test_a_bulk_row_is_what_the_same_decision_would_be_alone(site, relabel, make_event, classes, expert):
    first, second = make_event("quake"), make_event("quake")
    done = relabel([first])
    alone = ledger.append_to_ledger(
        site=site, event=second, expert=expert, item=None, to_class=classes["rockfall"], reason="same swarm",
        details={"batch": done.batch},
    )  # fmt: skip
    facts = [ledger.facts(row) for row in (Relabel.objects.first(), alone)]
    differing = {name for name in facts[0] if facts[0][name] != facts[1][name]}
    assert differing == {"sequence", "event", "event_name", "decided_at", "previous_hash"}


def test_open_items_are_done_but_not_what_experts_ask_each_other(site, relabel, ask, make_event):
    item = ask("quake")
    between = ReviewItem.objects.create(site=site, event=make_event("quake"), reason="adjudication")
    relabel([item.event, between.event], "noise")
    item.refresh_from_db(), between.refresh_from_db()
    assert (item.state, between.state) == ("done", "open")
    assert item.relabels.get().details["asked"] == "disagreement"
    assert ledger.verify(site) == []


def test_events_that_another_expert_holds_are_left_out_and_said(relabel, ask, expert, manager):
    mine, theirs = ask("quake"), ask("quake")
    services.take_item(item=mine, expert=expert), services.take_item(item=theirs, expert=manager)
    done = relabel([mine.event, theirs.event])
    assert (done.written, done.skipped) == (1, [theirs.event])
    assert labels(mine.event, theirs.event) == ["rockfall", "quake"]
    theirs.refresh_from_db()
    assert (theirs.holder, theirs.state) == (manager, "open")


def test_events_that_were_merged_into_others_are_left_out(relabel, make_event):
    first, second = make_event("quake"), make_event("quake")
    Event.objects.filter(pk=second.pk).update(merged_into=first)
    assert relabel([first, second]).written == 1
    assert labels(second) == ["quake"]


def test_a_preview_says_what_would_happen_and_changes_nothing(site, ask, make_event, expert, manager, classes):
    held = ask("quake").event
    services.take_item(item=held.review_items.get(), expert=manager)
    events = [make_event("quake"), make_event("noise"), make_event("rockfall"), make_event(None), held]
    seen = services.preview_relabel(
        site=site, events=[event.pk for event in events], expert=expert, event_class=classes["rockfall"]
    )
    assert (seen.count, seen.changed, seen.unchanged, seen.held) == (4, 3, 1, [held])
    assert seen.by_class == {"quake": 1, "noise": 1, "rockfall": 1, "": 1}
    assert seen.sample == [events[0], events[1], events[3]]
    assert not Relabel.objects.exists()


def test_what_cannot_be_relabelled_is_refused_as_a_whole(site, relabel, make_event, viewer, expert, classes):
    event = make_event("quake")
    with pytest.raises(NotAllowed):
        relabel([event], by=viewer)
    with pytest.raises(Invalid, match="Give the reason"):
        relabel([event], reason="  ")
    with pytest.raises(Invalid, match="Choose 1 to"):
        relabel([])
    elsewhere, asked = create_site(name="Another slope"), {"events": [event.pk], "reason": "x"}
    with pytest.raises(Invalid, match="no class of"):
        services.relabel_events(site=elsewhere, expert=expert, event_class=classes["quake"], **asked)
    stranger = Event(pk=event.pk + 999)
    with pytest.raises(Invalid, match="1 of the chosen events are not of"):
        relabel([event, stranger])
    assert not Relabel.objects.exists()


def make_expert(user):
    from django.contrib.auth.models import Group

    user.groups.add(Group.objects.get(name="expert"))
    return type(user).objects.get(pk=user.pk)


class TestUndo:
    def test_gives_back_every_label_and_opens_the_questions_again(self, site, relabel, ask, make_event, expert):
        item, bare, confirmed = ask("quake"), make_event(None), make_event("rockfall")
        done = relabel([item.event, bare, confirmed])
        undone = services.undo_batch(site=site, batch=done.batch, by=expert)
        assert (undone.withdrawn, undone.left) == (3, [])
        assert labels(item.event, bare, confirmed) == ["quake", None, "rockfall"]
        item.refresh_from_db()
        assert (item.state, item.closed_at, item.holder) == ("open", None, None)
        assert ledger.verify(site) == []
        assert set(Relabel.objects.filter(kind="withdraw").values_list("details__withdraws", flat=True)) == {1, 2, 3}

    def test_leaves_what_was_decided_or_merged_since(self, site, relabel, make_event, ask, decide, expert, manager):
        decided, left, merged = ask("quake").event, make_event("quake"), make_event("quake")
        done = relabel([decided, merged, left])
        item = services.ask_for_review(event=decided, expert=manager)
        decide(item, "noise", expert=manager)
        services.merge_events(events=[left, merged], expert=expert)
        undone = services.undo_batch(site=site, batch=done.batch, by=expert)
        assert (undone.withdrawn, undone.left) == (1, [decided, merged])
        assert labels(decided, merged, left) == ["noise", "rockfall", "quake"]
        assert ledger.verify(site) == []

    def test_does_not_ask_twice_about_one_event(self, site, relabel, ask, expert):
        item = ask("quake")
        done = relabel([item.event])
        asked = services.ask_for_review(event=item.event, expert=expert)
        services.undo_batch(site=site, batch=done.batch, by=expert)
        item.refresh_from_db(), asked.refresh_from_db()
        assert (item.state, asked.state) == ("withdrawn", "open")
        assert ledger.verify(site) == []

    def test_is_for_whoever_did_it_and_for_managers_and_once(self, site, relabel, make_event, expert, manager, viewer):
        done = relabel([make_event("quake")])
        other = make_expert(viewer)
        with pytest.raises(NotAllowed, match="They or a manager"):
            services.undo_batch(site=site, batch=done.batch, by=other)
        assert services.undo_batch(site=site, batch=done.batch, by=manager).withdrawn == 1
        with pytest.raises(Conflict, match="taken back already"):
            services.undo_batch(site=site, batch=done.batch, by=expert)
        with pytest.raises(Invalid, match="no batch"):
            services.undo_batch(site=site, batch="00000000-0000-0000-0000-000000000000", by=expert)


def test_the_number_of_statements_does_not_grow_with_every_event(relabel, make_event, django_assert_max_num_queries):
    events = [make_event("quake") for _ in range(60)]
    with django_assert_max_num_queries(30):
        relabel(events)


def test_taking_back_the_last_decision_leaves_a_batch_whole(site, relabel, make_event, ask, decide, expert):
    decide(ask("quake"), "noise")
    relabel([make_event("quake"), make_event("quake")])
    assert services.undo(site=site, expert=expert).relabel.details["withdraws"] == 1
    with pytest.raises(Conflict, match="no decision"):
        services.undo(site=site, expert=expert)
