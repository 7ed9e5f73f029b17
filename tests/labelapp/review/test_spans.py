"""Boundaries moved, events added, split and merged: what becomes of events, observations, items and the ledger."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed
from labelapp.catalogue.models import Event, Observation, Station
from labelapp.catalogue.selectors import catalogue_events
from labelapp.catalogue.services import add_detection, create_site
from labelapp.catalogue.text import iso
from labelapp.review import ledger, services
from labelapp.review.models import Relabel, ReviewItem
from tests.conftest import MORNING


def at(seconds):
    return MORNING + timedelta(seconds=seconds)


@pytest.fixture
def second_station(site):
    return Station.objects.create(site=site, network="XX", code="BBB", location="00")


@pytest.fixture
def event(make_event, second_station):
    """From 0 to 10 s; seen at a second station from 2 to 13 s."""
    event = make_event("quake", starttime=at(0), endtime=at(10))
    Observation.objects.create(event=event, station=second_station, starttime=at(2), endtime=at(13))
    return event


def seen(event):
    return {o.station.code: (o.starttime - MORNING, o.endtime - MORNING) for o in event.observations.all()}


def seconds(**spans):
    return {code: (timedelta(seconds=first), timedelta(seconds=last)) for code, (first, last) in spans.items()}


class TestMove:
    def test_moves_what_the_stations_saw_at_both_ends_and_writes_a_row(self, site, event, expert):
        _, row = services.move_boundaries(
            event=event, expert=expert, starttime=at(-1), endtime=at(8), reason="the onset is earlier"
        )
        event.refresh_from_db()
        assert (event.starttime, event.endtime) == (at(-1), at(8))
        assert seen(event) == seconds(AAA=(-1, 8), BBB=(1, 11))
        assert (row.kind, row.from_code, row.to_code, row.reason) == ("span", "quake", "quake", "the onset is earlier")
        assert row.details == {"span": {"from": [iso(at(0)), iso(at(10))], "to": [iso(at(-1)), iso(at(8))]}}
        assert ledger.verify(site) == []

    def test_leaves_no_observation_without_length(self, event, expert, second_station):
        event.observations.filter(station=second_station).update(starttime=at(2), endtime=at(4))
        services.move_boundaries(event=event, expert=expert, starttime=at(5), endtime=at(9))
        assert seen(event) == seconds(AAA=(5, 9), BBB=(5, 9))  # 7 to 3 is no span

    def test_can_be_moved_back(self, event, expert):
        services.move_boundaries(event=event, expert=expert, starttime=at(1), endtime=at(8))
        services.move_boundaries(event=event, expert=expert, starttime=at(0), endtime=at(10))
        assert seen(event) == seconds(AAA=(0, 10), BBB=(2, 13))

    @pytest.mark.parametrize(
        ("span", "says"), [((5, 5), "not after"), ((5, 4), "not after"), ((0, 90_000), "a day"), ((0, 10), "already")]
    )
    def test_refuses_what_is_no_span(self, event, expert, span, says):
        with pytest.raises(Invalid, match=says):
            services.move_boundaries(event=event, expert=expert, starttime=at(span[0]), endtime=at(span[1]))

    def test_refuses_viewers_and_what_somebody_else_looks_at(self, ask, expert, manager, viewer):
        item = services.take_item(item=ask(), expert=manager)
        span = {"starttime": at(0), "endtime": at(3)}
        with pytest.raises(NotAllowed):
            services.move_boundaries(event=item.event, expert=viewer, **span)
        with pytest.raises(Conflict, match=f"held by {manager}"):
            services.move_boundaries(event=item.event, expert=expert, **span)
        services.move_boundaries(event=item.event, expert=manager, **span)


class TestAdd:
    def test_a_missed_event_with_a_class_has_it_from_the_ledger(self, site, station, expert, classes):
        event = services.add_event(
            site=site, station=station, expert=expert, starttime=at(0), endtime=at(4), event_class=classes["rockfall"],
            reason="seen at all stations",
        )  # fmt: skip
        assert (event.origin, event.label.code, event.catalogue_label) == ("expert", "rockfall", None)
        assert seen(event) == seconds(AAA=(0, 4))
        assert Relabel.objects.get().kind == "first"
        assert ledger.verify(site) == []
        assert not event.review_items.exists()

    def test_without_a_class_somebody_is_asked(self, site, station, expert):
        event = services.add_event(site=site, station=station, expert=expert, starttime=at(0), endtime=at(4))
        assert (event.label, event.review_items.get().reason) == (None, "request")
        assert services.next_item(site=site, expert=expert).event == event

    def test_a_scan_that_finds_it_later_does_not_add_it_again(self, site, station, expert):
        event = services.add_event(site=site, station=station, expert=expert, starttime=at(0), endtime=at(4))
        span = {"starttime": at(1), "endtime": at(5)}
        assert add_detection(site=site, station=station, class_code="quake", probability=0.9, **span) == (event, False)

    def test_the_same_twice_and_stations_of_elsewhere_are_refused(self, site, station, expert):
        span = {"expert": expert, "starttime": at(0), "endtime": at(4)}
        services.add_event(site=site, station=station, **span)
        with pytest.raises(Conflict, match="already"):
            services.add_event(site=site, station=station, **span)
        with pytest.raises(Invalid, match="no station of"):
            services.add_event(site=create_site(name="Another slope"), station=station, **span)


class TestSplit:
    def test_the_event_keeps_the_first_part_and_a_new_one_gets_the_rest_with_the_same_label(self, site, event, expert):
        first, second = services.split_event(event=event, expert=expert, at=at(6), reason="two onsets")
        assert (first.pk, second.event_id, second.label.code) == (event.pk, f"{event.event_id}.2", "quake")
        assert (first.starttime, first.endtime, second.starttime, second.endtime) == (at(0), at(6), at(6), at(10))
        assert seen(first) == seconds(AAA=(0, 6), BBB=(2, 6))
        assert seen(second) == seconds(AAA=(6, 10), BBB=(6, 13))
        rows = {row.event_name: row for row in Relabel.objects.all()}
        assert rows[first.event_id].details["parts"] == [first.event_id, second.event_id]
        assert (rows[second.event_id].kind, rows[second.event_id].details) == (
            "first",
            {"from_event": event.event_id},
        )
        assert ledger.verify(site) == []

    def test_a_station_that_saw_one_part_only_belongs_to_that(self, event, expert):
        first, second = services.split_event(event=event, expert=expert, at=at(1))
        assert (seen(first), seen(second)) == (seconds(AAA=(0, 1)), seconds(AAA=(1, 10), BBB=(2, 13)))

    def test_parts_can_be_split_again(self, event, expert):
        _, second = services.split_event(event=event, expert=expert, at=at(6))
        assert services.split_event(event=event, expert=expert, at=at(3))[1].event_id == f"{event.event_id}.3"
        assert services.split_event(event=second, expert=expert, at=at(8))[1].event_id == f"{event.event_id}.2.2"

    def test_without_a_label_the_new_part_is_asked_about(self, make_event, expert):
        _, second = services.split_event(event=make_event(None), expert=expert, at=at(2))
        assert second.review_items.get().reason == "request"

    @pytest.mark.parametrize("moment", [-1, 0, 10, 11])
    def test_it_must_be_split_inside(self, event, expert, moment):
        with pytest.raises(Invalid, match="between those"):
            services.split_event(event=event, expert=expert, at=at(moment))


class TestMerge:
    @pytest.fixture
    def late(self, make_event, second_station):
        late = make_event("rockfall", event_id="late", starttime=at(8), endtime=at(20))
        Observation.objects.create(event=late, station=second_station, starttime=at(9), endtime=at(25))
        return late

    def test_the_earliest_stays_and_spans_them_all(self, site, event, late, expert):
        merged = services.merge_events(events=[late, event], expert=expert, reason="one slide")
        assert (merged, merged.label.code, merged.starttime, merged.endtime) == (event, "quake", at(0), at(20))
        assert seen(merged) == seconds(AAA=(0, 20), BBB=(2, 25))
        late.refresh_from_db()
        assert late.merged_into == event
        rows = {row.event_name: row for row in Relabel.objects.all()}
        assert (rows["late"].kind, rows["late"].details) == ("merge", {"into": event.event_id})
        assert rows[event.event_id].details["span"]["to"] == [iso(at(0)), iso(at(20))]
        assert ledger.verify(site) == []

    def test_the_others_are_listed_no_more_and_nothing_is_asked_about_them(self, site, ask, event, expert):
        item = ask("noise", starttime=at(5))
        services.merge_events(events=[event, item.event], expert=expert)
        item.refresh_from_db()
        assert item.state == "withdrawn"
        assert list(catalogue_events(site)) == [event]
        with pytest.raises(Conflict, match=f"merged into {event}"):
            services.take_item(item=item, expert=expert)
        assert services.fill_queue(site=site, predictions=[item.prediction]) == {}

    def test_what_was_merged_cannot_be_changed_any_more(self, event, late, expert):
        services.merge_events(events=[event, late], expert=expert)
        for change in (
            lambda: services.split_event(event=late, expert=expert, at=at(10)),
            lambda: services.move_boundaries(event=late, expert=expert, starttime=at(9), endtime=at(10)),
            lambda: services.merge_events(events=[event, late], expert=expert),
        ):
            with pytest.raises(Conflict, match=f"merged into {event}"):
                change()

    def test_a_scan_finds_the_event_that_stayed(self, site, station, event, late, expert):
        services.merge_events(events=[event, late], expert=expert)
        Observation.objects.filter(event=event).delete()
        span = {"starttime": at(15), "endtime": at(16)}
        found, _ = add_detection(site=site, station=station, class_code="quake", probability=0.9, **span)
        assert found == event

    def test_one_event_or_events_of_two_sites_are_refused(self, event, expert, django_user_model):
        with pytest.raises(Invalid, match="Merge 2 to"):
            services.merge_events(events=[event], expert=expert)
        stranger = Event.objects.create(
            site=create_site(name="Another slope"), event_id="x", starttime=at(0), endtime=at(1), origin="expert"
        )
        with pytest.raises(Invalid, match="2 sites"):
            services.merge_events(events=[event, stranger], expert=expert)


def test_nothing_of_a_refused_change_stays(site, station, expert, classes):
    elsewhere = create_site(name="Another slope").classes.first()
    with pytest.raises(Invalid, match="no class of"):
        services.add_event(
            site=site, station=station, expert=expert, starttime=at(0), endtime=at(1), event_class=elsewhere
        )
    assert not Event.objects.exists()
    assert not ReviewItem.objects.exists()


def test_the_database_refuses_an_event_merged_into_itself(event):
    with pytest.raises(IntegrityError, match="no_event_is_merged_into_itself"), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(merged_into=event)


class TestVerification:
    def said(self, site):
        return " ".join(str(problem) for problem in ledger.verify(site))

    def test_finds_boundaries_that_no_row_moved(self, site, event, expert):
        services.move_boundaries(event=event, expert=expert, starttime=at(1), endtime=at(8))
        services.move_boundaries(event=event, expert=expert, starttime=at(2), endtime=at(9))
        assert ledger.verify(site) == []
        Event.objects.filter(pk=event.pk).update(starttime=at(1))
        assert f"row 2: event {event} runs from {iso(at(1))}" in self.said(site)
        assert f"the ledger gives from {iso(at(2))} to {iso(at(9))}" in self.said(site)

    def test_finds_merges_undone_redirected_or_made_past_the_ledger(self, site, make_event, expert):
        one, other, third = [make_event("quake", starttime=at(n), endtime=at(n + 1)) for n in (0, 5, 9)]
        services.merge_events(events=[one, other], expert=expert)
        assert ledger.verify(site) == []
        others = Event.objects.filter(pk=other.pk)
        others.update(merged_into=third)
        assert f"event {other} is merged into {third}, but the ledger merged it into {one}" in self.said(site)
        others.update(merged_into=None)
        assert f"event {other} stands by itself, but the ledger merged it into {one}" in self.said(site)
        others.update(merged_into=one)
        Event.objects.filter(pk=third.pk).update(merged_into=one)
        assert self.said(site) == f"event {third} is merged into {one}, but no row says so."
