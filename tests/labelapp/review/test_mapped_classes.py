"""A model that knows fewer classes than its site has: quakes of either kind are one to it, noise it was not taught."""

import pytest

from labelapp.review.judging import judgements
from labelapp.review.models import ReviewItem
from labelapp.review.services import fill_queue

MAPPED = {"catalogue": {"classes": {"quake": ["quake", "earthquake"], "rockfall": ["rockfall"]}, "noise_class": ""}}


@pytest.fixture
def asked(site, make_event, make_model, make_prediction):
    """asked("earthquake", "quake", 0.9) → the item that follows from a mapped model's prediction, None without."""

    def ask(label, predicted, probability=0.9):
        prediction = make_prediction(make_event(label), predicted, probability, model=make_model(recipe=MAPPED))
        fill_queue(site=site, predictions=[prediction])
        return ReviewItem.objects.filter(event=prediction.event).first()

    return ask


@pytest.mark.parametrize("label", ["earthquake", "quake"])
def test_a_label_that_says_more_than_the_model_can_does_not_disagree_with_it(asked, label):
    assert asked(label, "quake") is None


def test_another_class_than_the_labels_is_a_disagreement_worth_what_the_label_is_to_the_model_not_worth(asked):
    item = asked("earthquake", "rockfall", 0.7)
    assert item.reason == "disagreement"
    assert item.priority == pytest.approx(1 - 0.1)  # quake, which stands for earthquake, has 0.1


def test_a_doubtful_prediction_that_agrees_is_a_doubt(asked):
    item = asked("earthquake", "quake", 0.3)
    assert item.reason == "doubt"


def test_of_a_class_that_it_was_never_taught_a_model_asks_nothing(asked):
    assert asked("noise", "rockfall") is None


def test_an_event_without_a_label_is_asked_about_as_ever(asked):
    assert asked(None, "rockfall").reason == "detection"


def test_a_question_goes_once_a_model_cannot_tell_the_label_from_its_own_class(
    site, make_event, make_model, make_prediction
):
    event = make_event("earthquake")
    fill_queue(site=site, predictions=[make_prediction(event, "quake", model=make_model())])
    assert event.review_items.get().reason == "disagreement"
    fill_queue(site=site, predictions=[make_prediction(event, "quake", model=make_model(recipe=MAPPED))])
    assert event.review_items.get().state == ReviewItem.State.WITHDRAWN


def test_the_judge_translates_by_the_model_that_predicted(site, make_event, make_model, make_prediction):
    first, second = make_event("earthquake"), make_event("earthquake")
    plain, mapped = make_model(), make_model(recipe=MAPPED)
    found = judgements(
        site, [make_prediction(first, "quake", model=plain), make_prediction(second, "quake", model=mapped)]
    )
    assert [found[event.pk].called("earthquake") for event in (first, second)] == ["earthquake", "quake"]
    assert [found[event.pk].asks("earthquake") for event in (first, second)] == [True, False]
