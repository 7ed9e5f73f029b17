"""Many events that an expert wants looked at, at once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labelapp.catalogue.errors import Invalid, NotAllowed
from labelapp.catalogue.services import create_site
from labelapp.review.asking import ask_for_events
from labelapp.review.models import ReviewItem
from labelapp.review.services import ask_for_review, fill_queue, merge_events, release


@pytest.fixture
def ask(site, expert):
    return lambda *events: ask_for_events(site=site, events=events, expert=expert)


FACTS = ("reason", "priority", "prediction_id", "judged_class_id", "judged_probability", "basis", "suspicion")


def facts(event):
    return ReviewItem.objects.filter(event=event, state="open").values(*FACTS).get()


def test_an_item_says_what_a_single_request_for_the_event_would_say(
    ask, expert, make_event, make_prediction, make_model
):
    event, same = make_event("quake"), make_event("quake")
    for each in (event, same):
        make_prediction(each, "rockfall", 0.4, model=make_model())
        make_prediction(each, "rockfall", 0.8, model=make_model())
    ask_for_review(event=event, expert=expert)
    ask(same)
    mine, theirs = facts(same), facts(event)
    assert mine | {"prediction_id": 0} == theirs | {"prediction_id": 0}
    assert mine["prediction_id"] == same.predictions.order_by("-pk").first().pk
    assert facts(same)["reason"] == "request"


def test_nobody_is_given_the_items_by_asking(ask, make_event):
    found = ask(make_event(), make_event(None))
    assert len(found.asked) == 2
    assert not ReviewItem.objects.filter(holder__isnull=False).exists()


def test_events_that_wait_already_stay_as_they_are(ask, site, expert, make_event, make_prediction):
    event = make_event("quake")
    fill_queue(site=site, predictions=[make_prediction(event, "rockfall")])
    before = facts(event)
    found = ask(event, event)
    assert (found.asked, found.already) == ([], [event])
    assert facts(event) == before


def test_a_gold_check_of_the_event_is_nothing_that_anybody_learns_of(ask, site, expert, make_event):
    event = make_event()
    ReviewItem.objects.create(site=site, event=event, reason="gold", reserved_for=expert)
    assert ask(event).asked == [event]


def test_an_event_that_was_merged_counts_as_the_one_that_it_was_merged_into(ask, expert, make_event):
    first, second = make_event(), make_event()
    merge_events(events=[first, second], expert=expert)
    second.refresh_from_db()
    assert ask(second, first).asked == [first]
    assert ReviewItem.objects.get(state="open").event == first


def test_events_that_were_decided_can_be_asked_for_again(ask, site, expert, make_event):
    event = make_event()
    item = ask_for_review(event=event, expert=expert)
    release(item=item, expert=expert)
    ReviewItem.objects.update(state="done")
    assert ask(event).asked == [event]


def test_only_experts_may_ask_and_only_for_events_of_the_site(ask, site, viewer, make_event):
    event = make_event()
    with pytest.raises(NotAllowed):
        ask_for_events(site=site, events=[event], expert=viewer)
    event.site = create_site(name="another")
    event.save()
    with pytest.raises(Invalid, match="another site"):
        ask(event)


def test_hundreds_take_as_many_queries_as_a_few(ask, make_event, make_prediction, make_model):
    model = make_model()
    counts = []
    for number in (3, 60):
        events = [make_event() for _ in range(number)]
        for event in events:
            make_prediction(event, "rockfall", model=model)
        with CaptureQueriesContext(connection) as queries:
            ask(*events)
        counts.append(len(queries))
    assert counts[1] <= counts[0] + 2
