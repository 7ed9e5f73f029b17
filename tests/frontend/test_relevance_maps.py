"""Relevance on the review page: which maps, their shares, and whether to believe them."""

import hashlib
import itertools
from dataclasses import replace

import numpy as np
import pytest
from django.core.files.base import ContentFile
from playwright.sync_api import expect

from labelapp.catalogue.selectors import panel_bytes
from mlcore.classify.panels import panel_bytes as write_panel
from mlcore.classify.panels import read_panel
from tests.frontend.test_review_page import drawn, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SIDES = [("left", "right"), ("top", "bottom")]


def facts_of(item):
    return read_panel(panel_bytes(item.prediction.explanations.get())).facts


def alter(item, change):
    """Store the event's panel with other facts, as a worker of another time would have written it."""
    explanation = item.prediction.explanations.get()
    panel = read_panel(panel_bytes(explanation))
    change(panel.facts)
    store(explanation, panel)


def store(explanation, panel):
    content = write_panel(panel)
    explanation.panel.save("altered.safetensors", ContentFile(content), save=False)
    explanation.sha256 = hashlib.sha256(content).hexdigest()
    explanation.save()


def map_names(page):
    return [name.split("\n")[-1] for name in page.locator("#maps button").all_inner_texts()]


def with_figures(page):
    """The page with the figures behind the checks."""
    page.click("#account-button")
    return page


def test_relevance_is_white_at_zero_and_as_wide_for_as_against(enqueue, review):
    enqueue()
    page = review()
    scale = page.evaluate("document.getElementById('plot').layout.coloraxis2")
    assert scale["cmin"] == -scale["cmax"] < 0
    assert scale["cmid"] == 0
    assert scale["colorscale"][5] == [0.5, "#ffffff"]


def test_key_r_goes_from_the_prediction_to_the_label_to_their_difference_and_back(enqueue, review):
    enqueue("quake", "rockfall")
    page = review()
    first = drawn(page, "heatmap", "Z relevance")
    said = ("Why Rockfall:", "Why Quake:", "Why Rockfall, not Quake:", "Why Rockfall:")
    for words in said[1:]:
        press(page, "r")
        expect(page.locator("#words")).to_contain_text(words)
    assert drawn(page, "heatmap", "Z relevance") == first


def test_the_difference_is_the_predictions_stored_map_minus_the_labels(enqueue, review):
    item = enqueue("quake", "rockfall")
    stored = read_panel(panel_bytes(item.prediction.explanations.get())).relevance
    page = review()
    page.click("#maps >> text=Rockfall, not Quake")
    expect(page.locator("#plot")).to_contain_text("Relevance for Rockfall, not Quake")
    for row, component in enumerate("ZNE"):
        shown = np.array(drawn(page, "heatmap", f"{component} relevance"))
        np.testing.assert_array_equal(shown, stored[0, row] - stored[1, row])


def test_headings_bars_and_their_numbers_keep_apart_where_there_is_little_room(enqueue, review):
    explanation = enqueue("quake", "rockfall").prediction.explanations.get()
    panel = read_panel(panel_bytes(explanation))
    store(explanation, replace(panel, relevance=panel.relevance / np.float32(100)))  # numbers of many digits
    page = review(viewport={"width": 1024, "height": 768})
    press(page, "d")
    press(page, "e")
    expect(page.locator("#plot")).to_contain_text("Rockfall, not Quake (one scale)")
    low = page.locator("#plot").bounding_box()["height"]
    for key in ("w", "b"):  # beneath a panel, and with the bar in dB
        assert overlapping(page) == []
        press(page, key)
        page.wait_for_function("low => document.getElementById('plot').clientHeight < low", arg=low)
    assert overlapping(page) == []


def overlapping(page):
    """Pairs of texts and bars above the columns that lie over each other."""
    found = page.evaluate(
        """async () => {
            await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
            const all = document.querySelectorAll("#plot :is(.annotation, .cbaxis text, .cbfills)");
            return [...all].map((each) => [each.textContent, each.getBoundingClientRect()])
                .map(([text, { left, right, top, bottom }]) => ({ text, left, right, top, bottom }));
        }"""
    )
    assert len(found) > 10
    return [
        (one["text"], other["text"])
        for one, other in itertools.combinations(found, 2)
        if all(min(one[end], other[end]) - max(one[begin], other[begin]) > 1 for begin, end in SIDES)
    ]


def test_maps_can_be_chosen_by_their_names(enqueue, review):
    enqueue("quake", "rockfall")
    page = review()
    assert map_names(page) == ["Rockfall", "Quake", "Rockfall, not Quake"]
    page.locator("#maps button").nth(1).click()
    expect(page.locator("#maps [aria-pressed=true]")).to_contain_text("Quake")
    expect(page.locator("#words")).to_contain_text("Why Quake:")


def test_one_explained_class_has_one_map_and_says_so(enqueue, review):
    enqueue("quake", "quake")
    page = review()
    assert map_names(page) == ["Quake"]
    press(page, "r")
    assert "Only Quake is explained" in page.inner_text("#trouble")


def test_the_account_of_every_map_is_shown_and_holds(enqueue, review):
    enqueue("quake", "rockfall")
    page = with_figures(review())
    for title in ("Why Rockfall:", "Why Quake:", "Why Rockfall, not Quake:"):
        expect(page.locator("#words")).to_contain_text(title)
        assert page.get_attribute("[data-conserved]", "data-conserved") == "true"
        line = page.inner_text("[data-conserved]")
        assert all(word in line for word in ("logit", "map", "biases", "error"))
        press(page, "r")


def test_a_map_that_does_not_add_up_is_called_wrong(enqueue, review):
    item = enqueue("quake", "rockfall")
    alter(item, lambda facts: facts["explanations"][0].update(biases=99.0))
    page = with_figures(review())
    assert page.get_attribute("[data-conserved]", "data-conserved") == "false"
    assert "Do not trust this map" in page.inner_text("[data-conserved]")


def test_shares_are_those_that_were_stored(enqueue, review):
    item = enqueue("quake", "rockfall")
    told = facts_of(item)["explanations"][0]
    page = review()
    shown = page.inner_text("[data-shares]")
    for name, share in [*told["components"].items(), ("in the event", told["moments"]["within"])]:
        assert f"{name} {round(100 * share)} %" in shown
    for band in told["bands"]:
        assert f"{band['low_hz']:g}–{band['high_hz']:g} Hz {round(100 * band['share'])} %" in shown
    assert "1–5 Hz" not in shown  # the model's band begins at 5 Hz
    assert page.locator("[data-shares] [title*='not 1–5 Hz']").count() == 1


def test_the_deletion_check_is_told(enqueue, review):
    item = enqueue("quake", "rockfall")
    told = facts_of(item)["explanations"][0]["deletion"]
    page = with_figures(review())
    assert told["text"] in page.inner_text("[data-faithful]")
    better = told["area"] < told["random_area"]
    assert page.get_attribute("[data-faithful]", "data-faithful") == str(better).lower()


def test_a_failed_deletion_check_warns(enqueue, review):
    item = enqueue("quake", "rockfall")
    alter(item, lambda facts: facts["explanations"][0]["deletion"].update(area=9.0, random_area=1.0))
    page = with_figures(review())
    assert page.get_attribute("[data-faithful]", "data-faithful") == "false"
    assert "wrong" in page.get_attribute("[data-faithful]", "class")


def test_every_check_has_a_badge_and_one_that_fails_warns(enqueue, review):
    item = enqueue("quake", "rockfall")
    alter(item, lambda facts: facts["explanations"][0]["deletion"].update(area=1.0, random_area=9.0))
    alter(item, lambda facts: facts["explanations"][1]["deletion"].update(area=9.0, random_area=1.0))
    model = item.prediction.model
    type(model).objects.filter(pk=model.pk).update(metrics={"randomisation": {"passed": False, "text": "It is 0.93."}})
    page = review()

    def passed():
        badges = page.locator("[data-check]").all()
        return {badge.get_attribute("data-check"): badge.get_attribute("data-passed") for badge in badges}

    assert passed() == {"conservation": "true", "deletion": "true", "randomisation": "false"}
    warning = page.locator("[data-check=randomisation]")
    assert "doubtful" in warning.get_attribute("class")
    assert "hardly depends on the weights" in warning.inner_text()
    with_figures(page)
    assert "It is 0.93." in page.inner_text("[data-randomised=false]")
    press(page, "s")
    expect(page.locator("[data-check=deletion][data-passed=false]")).to_contain_text("no better than cells at random")


def test_attributes_beside_the_map_are_named_and_counted_in_the_account(enqueue, review):
    def give_attributes(facts):
        told = facts["explanations"][0]
        part = 0.25 * told["logit"]
        told.update(
            attributes=part,
            attributes_share=0.25,
            biases=told["biases"] - part,
            top_attributes=[{"name": "waveform <b>kurtosis</b>", "relevance": part}],
        )

    item = enqueue("quake", "rockfall")
    alter(item, give_attributes)
    page = with_figures(review())
    line = page.inner_text("[data-attributes]")
    assert "25 % of the logit" in line
    assert "waveform <b>kurtosis</b>" in line
    assert page.get_attribute("[data-conserved]", "data-conserved") == "true"
    assert "attributes" in page.inner_text("[data-conserved]")


def test_a_panel_from_before_there_were_checks_is_still_shown(enqueue, review):
    def forget(facts):
        del facts["difference"], facts["input"]
        for told in facts["explanations"]:
            for key in ("deletion", "bands_left_out", "outside_band", "top_attributes", "attributes", "map"):
                del told[key]

    item = enqueue("quake", "rockfall")
    alter(item, forget)
    page = with_figures(review())
    assert map_names(page) == ["Rockfall", "Quake"]
    assert page.get_attribute("[data-conserved]", "data-conserved") == "true"
    assert page.locator("[data-faithful]").count() == 0


def test_an_stft_that_is_a_logarithm_says_so_and_its_colours_reach_from_end_to_end(enqueue, review):
    item = enqueue("quake", "rockfall")
    explanation = item.prediction.explanations.get()
    panel = read_panel(panel_bytes(explanation))
    levels = np.log(panel.stft + 1e-3)
    store(explanation, replace(panel, stft=levels, facts={**panel.facts, "input": "log"}))
    page = review()
    assert "STFT (logarithm" in page.inner_text("#plot")
    ends = page.evaluate("(({cmin, cmax}) => [cmin, cmax])(document.getElementById('plot').layout.coloraxis)")
    assert ends == [float(levels.min()), float(levels.max())]
    for row, component in enumerate("ZNE"):
        np.testing.assert_array_equal(np.array(drawn(page, "heatmap", f"{component} STFT")), levels[row])
