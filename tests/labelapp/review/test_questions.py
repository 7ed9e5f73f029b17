"""What the machine asks, what it leaves to experts, and in which order questions of every kind come."""

import pytest

from labelapp.review import selectors, services, worth
from labelapp.review.models import Relabel, ReviewItem


def fill(site, *predictions):
    return services.fill_queue(site=site, predictions=predictions)


@pytest.fixture
def row(site, expert, classes):
    """row(event, "confirm", "quake"): a row of the ledger as it comes, for what only reads kinds."""

    def make(event, kind, code=None, **facts):
        sequence = Relabel.objects.count() + 1
        said = {"to_class": classes[code], "to_code": code} if code else {}
        return Relabel.objects.create(
            site=site, sequence=sequence, event=event, expert=expert, kind=kind, hash=f"{sequence:064x}",
            decided_at="2026-03-01T06:00:00Z", **said, **facts,
        )  # fmt: skip

    return make


@pytest.mark.parametrize("reason", ["second_opinion", "adjudication"])
def test_what_experts_ask_each_other_stays_whatever_a_model_says(site, make_event, predict, make_model, reason):
    event = make_event("quake")
    before = predict(event, "rockfall")
    item = ReviewItem.objects.create(site=site, event=event, prediction=before, reason=reason, priority=1.5)
    assert fill(site, predict(event, "quake", model=make_model())) == {reason: 1}
    item.refresh_from_db()
    assert (item.state, item.reason, item.prediction, item.priority) == ("open", reason, before, 1.5)


def test_a_gold_check_neither_bars_nor_gets_a_question_of_its_own_event(site, make_event, predict, expert):
    event = make_event("quake")
    ReviewItem.objects.create(site=site, event=event, reason="gold", reserved_for=expert)
    assert fill(site, predict(event, "rockfall")) == {"disagreement": 1}
    assert sorted(event.review_items.values_list("reason", flat=True)) == ["disagreement", "gold"]


def test_an_event_that_was_merged_into_another_is_asked_about_no_more(site, make_event, predict):
    first, second = make_event("quake"), make_event("quake")
    second.merged_into = first
    second.save()
    assert fill(site, predict(first, "rockfall"), predict(second, "rockfall")) == {"disagreement": 1}


def test_a_decision_that_was_withdrawn_answers_nothing(site, make_event, predict, row, classes):
    prediction = predict(make_event("quake"), "rockfall")
    confirmed = row(prediction.event, "confirm", "quake", prediction=prediction)
    assert fill(site, prediction) == {}
    row(prediction.event, "withdraw", "quake", details={"withdraws": confirmed.sequence})
    assert fill(site, prediction) == {"disagreement": 1}


def test_who_could_not_tell_is_not_asked_the_same_again(site, make_event, predict, row):
    prediction = predict(make_event(None), "rockfall")
    row(prediction.event, "unsure", prediction=prediction)
    assert fill(site, prediction) == {}


@pytest.mark.parametrize("kind", ["blind", "span"])
def test_rows_that_answer_nothing_leave_the_question(site, make_event, predict, row, kind):
    prediction = predict(make_event("quake"), "rockfall")
    row(prediction.event, kind, "quake", prediction=prediction)
    assert fill(site, prediction) == {"disagreement": 1}


def test_what_experts_ask_comes_before_what_the_machine_asks(site, make_event, predict):
    fill(site, predict(make_event("quake", event_id="surely wrong"), "rockfall", 0.999999))
    people = {"adjudication": worth.ADJUDICATION, "request": worth.REQUEST, "second": worth.of_second_opinion(0.3)}
    for name, priority in people.items():
        event, reason = make_event("quake", event_id=name), "second_opinion" if name == "second" else name
        ReviewItem.objects.create(site=site, event=event, reason=reason, priority=priority)
    order = [item.event.event_id for item in selectors.queue_items(site)]
    assert order == ["adjudication", "request", "second", "surely wrong"]


def test_a_detection_is_worth_the_more_the_less_the_machine_is_sure_of_its_class(site, make_event, predict):
    fill(
        site,
        predict(make_event(None, event_id="clear"), "quake", 0.95),
        predict(make_event(None, event_id="odd"), "quake", 0.4),
    )
    assert [(i.event.event_id, i.priority) for i in selectors.queue_items(site)] == [
        ("odd", pytest.approx(0.6)),
        ("clear", pytest.approx(0.05)),
    ]
