"""Pages say why an event stands where it stands, and show no opinion of a network that remembers the event."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from labelapp.review.services import decide, fill_queue, take_item, undo

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def remembered(site, classes, make_model, make_event, make_prediction, explain):
    """An event whose wrong label the network has learned by heart; its folds say otherwise."""
    model, event = make_model(), make_event("quake")
    said = {"earthquake": 0.03, "quake": 0.03, "rockfall": 0.91, "noise": 0.03}
    model.examples.create(event=event, event_class=classes["quake"], split="train", out_of_fold=said, suspicion=0.97)
    prediction = make_prediction(event, "quake", 0.99, model=model)
    explain(prediction)
    fill_queue(site=site, predictions=[prediction])
    return event.review_items.get()


@pytest.mark.browser
def test_the_review_page_shows_what_the_folds_say_and_how_suspicious_the_label_is(remembered, review):
    page = review()
    expect(page.locator("#standing")).to_have_text("out-of-fold: rockfall 0.91, suspicion 0.97")
    head = page.locator("#event-head")
    expect(head).to_contain_text("Folds of model 1 that never saw this event say Rockfall (91%)")
    expect(head).to_contain_text("the model, which learned from it, says Quake 99 %")
    expect(head.locator(".bars .predicted").first).to_have_text("Rockfall")
    expect(page.locator("button[data-class=rockfall] small")).to_have_text("predicted")


@pytest.mark.browser
def test_of_an_event_from_before_nothing_is_said(enqueue, review):
    enqueue("quake", "rockfall")
    page = review()
    expect(page.locator("#standing")).to_have_count(0)
    expect(page.locator(".bars .predicted").first).to_have_text("Rockfall")


def test_an_event_whose_decision_was_taken_back_is_not_called_reviewed(remembered, client, expert, classes, site):
    client.force_login(expert)
    badge = '<span class="badge good">reviewed</span>'
    item = take_item(item=remembered, expert=expert)
    decide(item=item, expert=expert, event_class=classes["rockfall"], reason="impacts", prediction=item.prediction)
    assert badge in client.get(reverse("events", args=[site.pk])).text
    undo(site=site, expert=expert)
    assert badge not in client.get(reverse("events", args=[site.pk])).text


def test_the_queue_says_why_each_event_is_where_it_is(remembered, client, viewer, site):
    client.force_login(viewer)
    text = client.get(reverse("queue", args=[site.pk])).text
    assert "out-of-fold: rockfall 0.91, suspicion 0.97" in text
    assert "91%" in text
    assert "99%" not in text
