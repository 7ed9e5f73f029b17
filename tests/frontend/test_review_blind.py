"""Blind review, second opinions, adjudication and gold checks, as the page shows them: never more than may be known."""

import re

import pytest
from playwright.sync_api import expect

from labelapp.catalogue.models import Event
from labelapp.review.models import GoldEvent, Relabel, ReviewItem, ReviewPolicy
from tests.frontend.test_review_page import decide, drawn, press, shown_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def second(django_user_model, expert):
    user = django_user_model.objects.create_user(username="second expert")
    user.groups.set(expert.groups.all())
    return user


def test_before_a_blind_decision_nothing_on_the_page_tells_of_the_machine(enqueue, review, site):
    ReviewPolicy.objects.create(site=site, blind=True)
    enqueue("quake", "rockfall")
    answers = []
    page = review(state="ready")
    page.on("response", lambda answer: answers.append(answer))
    assert drawn(page, "heatmap", "Z STFT") is not None
    assert drawn(page, "heatmap", "Z relevance") is None
    assert page.evaluate("'xaxis3' in document.getElementById('plot').layout") is False
    assert page.locator(".bars, #standing, .badge, [data-shares]").count() == 0
    assert "predicted" not in page.inner_text("#buttons")
    assert "says" not in page.inner_text("#event-head").replace("what the machine says", "")
    press(page, "s")
    expect(page.locator("#trouble")).to_contain_text("when you have decided")
    for button in ("verdict", "box"):
        assert page.locator(f"[data-action={button}]").count() == 0


def test_after_a_blind_decision_both_are_shown_and_enter_keeps_ones_own(enqueue, review, site):
    ReviewPolicy.objects.create(site=site, blind=True)
    first, later = enqueue("quake", "rockfall"), enqueue("quake")
    page = review()
    press(page, "h")
    decide(page, "4")
    assert shown_event(page) == first.event.event_id
    expect(page.locator("#opinions")).to_contain_text(
        "You said Noise before you saw that the machine says Rockfall (80 %)"
    )
    expect(page.locator("#confirm")).to_contain_text("Keep Noise")
    expect(page.locator(".bars .predicted").first).to_have_text("Rockfall")
    assert drawn(page, "heatmap", "Z relevance") is not None
    press(page, "Enter")
    page.wait_for_selector("[data-state=reason]")
    decide(page, "w", "Enter")
    assert shown_event(page) == later.event.event_id
    blind, final = Relabel.objects.order_by("sequence")
    assert (blind.kind, blind.to_code, blind.prediction) == ("blind", "noise", None)
    assert (final.kind, final.to_code, final.details["blind"]) == ("correct", "noise", blind.sequence)
    assert final.details["confidence"] == "certain"  # what was said holds for both


def test_after_a_blind_decision_another_class_may_be_chosen(enqueue, review, site):
    ReviewPolicy.objects.create(site=site, blind=True)
    item, _ = enqueue("quake", "rockfall"), enqueue("quake")
    page = review()
    decide(page, "2")
    press(page, "3")
    decide(page, "f", "Enter")
    assert Event.objects.get(pk=item.event.pk).label.code == "rockfall"
    assert list(Relabel.objects.order_by("sequence").values_list("to_code", flat=True)) == ["quake", "rockfall"]


def test_a_blind_decision_can_be_found_again_after_a_reload(enqueue, review, site):
    ReviewPolicy.objects.create(site=site, blind=True)
    enqueue("quake", "rockfall")
    page = review()
    decide(page, "4")
    page.reload()
    page.wait_for_selector("[data-state=ready]")
    expect(page.locator("#confirm")).to_contain_text("Keep Noise")


def test_two_who_differ_are_adjudicated_with_both_opinions_side_by_side(enqueue, review, site, expert, second):
    ReviewPolicy.objects.create(site=site, second_opinion_share=1.0)
    item = enqueue("quake", "rockfall")
    page = review()
    press(page, "3")
    decide(page, "w", "Enter")
    theirs = review(user=second)
    expect(theirs.locator("#event-head")).to_contain_text("independent opinion")
    text = theirs.inner_text("#event-head") + theirs.inner_text("#buttons")
    assert expert.username not in text
    assert "waveform shape" not in theirs.inner_text("body")
    assert theirs.locator("button.is-label").count() == 0
    decide(theirs, "4")
    assert Event.objects.get(pk=item.event.pk).label.code == "rockfall"
    assert ReviewItem.objects.get(state="open").reason == "adjudication"
    opinions = theirs.locator(".opinion")  # whoever comes first decides between them
    expect(opinions).to_have_count(2)
    both = " ".join(opinions.all_inner_texts())
    assert all(word in both for word in (expert.username, second.username, "Rockfall", "Noise", "waveform shape"))
    decide(theirs, "Enter")
    assert Relabel.objects.order_by("-sequence").first().details["between"]


def test_a_gold_check_looks_like_any_other_question(
    enqueue, review, site, classes, make_event, make_prediction, explain
):
    ReviewPolicy.objects.create(site=site, gold_share=1.0)
    event = make_event("quake")
    explain(make_prediction(event, "rockfall", 0.8))
    GoldEvent.objects.create(event=event, event_class=classes["quake"])
    enqueue("quake")
    page = review()
    assert shown_event(page) == event.event_id
    assert "gold" not in words_of(page)
    decide(page, "2")
    row = Relabel.objects.get()
    assert (row.kind, row.details["gold"]) == ("opinion", {"expected": "quake"})
    assert "gold" not in words_of(page)


def words_of(page):
    """The whole document but its pictures, whose letters may spell anything."""
    return re.sub(r"data:image[^\"')]*", "", page.content()).lower()
