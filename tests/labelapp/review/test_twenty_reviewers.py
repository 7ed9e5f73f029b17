"""Twenty reviewers at once: none gets what another has, nothing is lost, everybody gets a share.

Each has a thread and a connection to the database of their own. Two thousand items go through the services that the API
calls, a part of that through the API as well, whose JSON takes most of the time. Two in ten skip now and then, two in
ten leave without a word in the middle of an event: their leases run out and the events go to others.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from labelapp.catalogue.errors import Conflict
from labelapp.catalogue.models import Event, Observation, Prediction, Site
from labelapp.review import ledger, services
from labelapp.review.models import Relabel, ReviewItem, ReviewPolicy
from tests.conftest import MORNING

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LEASE_S = 120
# PostgreSQL is what a room of reviewers works on; SQLite has one writer at a time and shows the same with fewer.
SIZES = {
    ("postgresql", "services"): (20, 2_000),
    ("postgresql", "api"): (20, 200),
    ("sqlite", "services"): (6, 120),
    ("sqlite", "api"): (6, 60),
}
# SQLite lets whoever asks again at once write before those that wait, so there they look for a moment, as people do.
LOOK_S = {"postgresql": 0.0, "sqlite": 0.1}


class Given(NamedTuple):
    """An item as a reviewer gets it."""

    pk: int
    event: int
    label: str
    prediction: int


@dataclass
class Reviewer:
    """What one of them does and sees. What they do is drawn by number, so that every run is alike."""

    number: int
    site: Site
    user: Any
    classes: dict
    given: Counter = field(default_factory=Counter)
    decided: list = field(default_factory=list)
    skipped: int = 0
    crashed: int = 0
    refused: list = field(default_factory=list)

    def work(self, is_done):
        try:
            item = None
            while not is_done():
                item = item or self.next()
                if item is None:  # the rest is held or put off: look again soon, as people do
                    time.sleep(0.2)
                    continue
                self.given[item.pk] += 1
                item = self.turn(item)
        finally:
            connection.close()

    def turn(self, item):
        """Mostly decide; now and then put the event off, or vanish. → the next item, where it came along."""
        turn = sum(self.given.values())
        time.sleep(LOOK_S[connection.vendor])
        if self.number % 10 in (3, 7) and turn % 6 == 0:
            self.skipped += 1
            return self.skip(item)
        if self.number % 10 in (1, 8) and turn % 7 == 0:
            return self.crash(item)
        code = "rockfall" if item.event % 3 else item.label
        following, refusal = self.decide(item, code)
        if refusal:
            self.refused.append(refusal)
        else:
            self.decided.append((item.pk, item.event, code))
        return following

    def crash(self, item):
        """The browser dies with an item held: its lease, cut to a second here, runs out before they are back."""
        self.crashed += 1
        ReviewItem.objects.filter(pk=item.pk).update(held_until=timezone.now() + timedelta(seconds=1))
        time.sleep(1.2)

    def next(self):
        item = services.next_item(site=self.site, expert=self.user)
        return item and Given(item.pk, item.event_id, "quake", item.prediction_id)

    def skip(self, item):
        services.skip_item(item=ReviewItem.objects.get(pk=item.pk), expert=self.user, postpone_s=1)

    def decide(self, item, code):
        given = {"event_class": self.classes[code], "reason": "clear impacts", "prediction": item.prediction}
        try:
            services.decide(item=ReviewItem.objects.get(pk=item.pk), expert=self.user, panels={}, **given)
        except Conflict as refusal:
            return None, str(refusal)
        return None, ""


class ApiReviewer(Reviewer):
    """The same through the API; the next item comes with the answer to a decision, as on the page."""

    def post(self, path, **body):
        client = self.__dict__.setdefault("client", APIClient())
        client.force_authenticate(self.user)
        return client.post(f"/api/v1/review-items/{path}", body, format="json")

    def next(self):
        return given_in(self.post("next/", site=self.site.pk).json())

    def skip(self, item):
        self.post(f"{item.pk}/skip/", postpone_s=1)

    def decide(self, item, code):
        said = {"event_class": code, "reason": "clear impacts", "prediction": item.prediction, "panels": {}}
        answer = self.post(f"{item.pk}/decide/", next=True, **said)
        if answer.status_code != 201:
            return None, answer.json()["detail"]
        return given_in(answer.json()["next"]), ""


def given_in(answer):
    item = answer["item"]
    return item and Given(item["id"], item["event"]["id"], item["event"]["label"], item["prediction"]["id"])


def in_words(crew, size, seconds):
    shares = sorted(len(each.decided) for each in crew)
    return (
        f"{len(crew)} reviewers, {sum(shares)} of {size} decided in {seconds:.1f} s ({sum(shares) / seconds:.0f}/s) on "
        f"{connection.vendor}; shares {shares[0]} to {shares[-1]}; {sum(each.skipped for each in crew)} skips, "
        f"{sum(each.crashed for each in crew)} crashes, {sum(len(each.refused) for each in crew)} refusals"
    )


@pytest.fixture
def queue(site, station, classes, make_model):
    """queue(2000): as many open items."""

    def make(size):
        model, codes = make_model(), list(classes)
        spans = [(MORNING + timedelta(minutes=n), MORNING + timedelta(minutes=n, seconds=5)) for n in range(size)]
        events = Event.objects.bulk_create(
            Event(
                site=site, event_id=f"event {n}", station=station, starttime=first, endtime=last, origin="catalogue",
                catalogue_label=classes["quake"], label=classes["quake"],
            )
            for n, (first, last) in enumerate(spans)
        )  # fmt: skip
        Observation.objects.bulk_create(
            Observation(event=event, station=station, starttime=event.starttime, endtime=event.endtime)
            for event in events
        )
        rest = 0.1 / (len(codes) - 1)
        probabilities = {code: 0.9 if code == "rockfall" else rest for code in codes}
        predictions = Prediction.objects.bulk_create(
            Prediction(
                event=event, model=model, event_class=classes["rockfall"], probability=0.9,
                probabilities=probabilities, input_sha256=f"{event.pk:064x}",
            )
            for event in events
        )  # fmt: skip
        services.fill_queue(site=site, predictions=predictions)
        return events

    return make


@pytest.fixture
def reviewers(site, classes, django_user_model):
    """reviewers(20, Reviewer): as many experts."""

    def make(count, kind):
        group = Group.objects.get(name="expert")
        users = [django_user_model.objects.create_user(username=f"reviewer {number}") for number in range(count)]
        group.user_set.add(*users)
        return [kind(number, site, user, classes) for number, user in enumerate(users)]

    return make


@pytest.mark.parametrize("door", ["services", "api"])
def test_twenty_reviewers_decide_two_thousand_items_none_twice_none_lost_none_starved(
    site, queue, reviewers, capsys, door
):
    count, size = SIZES[connection.vendor, door]
    ReviewPolicy.objects.create(site=site, lease_s=LEASE_S)
    events, crew = queue(size), reviewers(count, {"services": Reviewer, "api": ApiReviewer}[door])
    begun = time.monotonic()

    def is_done():
        return sum(len(each.decided) for each in crew) >= size or time.monotonic() - begun > 900

    with ThreadPoolExecutor(count) as pool:
        for work in [pool.submit(each.work, is_done) for each in crew]:
            work.result()
    seconds = time.monotonic() - begun
    decided = [row for each in crew for row in each.decided]
    with capsys.disabled():
        print(f"\nThrough the {door}: {in_words(crew, size, seconds)}")

    # none twice
    assert len(decided) == len({item for item, _, _ in decided}) == size
    assert Counter(Relabel.objects.values_list("item", flat=True)) == Counter(item for item, _, _ in decided)
    # none lost
    assert set(ReviewItem.objects.values_list("state", "holder")) == {("done", None)}
    assert list(Relabel.objects.order_by("sequence").values_list("sequence", flat=True)) == list(range(1, size + 1))
    assert ledger.verify(site, files=False) == []
    labels = dict(Event.objects.values_list("pk", "label__code"))
    assert labels == {event: code for _, event, code in decided}
    assert {event.pk for event in events} == set(labels)
    # none starved: with equal speed everybody decides the same; nobody falls below a third of that. SQLite promises no
    # turns to those who wait, only that they come in the end.
    if connection.vendor == "postgresql":
        assert min(len(each.decided) for each in crew) >= size / count / 3
    # who decided was given the item; who crashed or skipped lost it to somebody, and nobody was told off for it
    assert all(item in each.given for each in crew for item, _, _ in each.decided)
    assert [said for each in crew for said in each.refused] == []
    assert sum(each.crashed + each.skipped for each in crew) > 0
