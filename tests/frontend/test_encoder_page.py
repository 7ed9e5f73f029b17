"""Pages of what is pretrained: an encoder's pool, terms and health; which pool and labels a classifier has seen."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from labelapp.learning.models import Run
from labelapp.learning.pipeline.recipes import pretraining_recipe
from labelapp.pages.pretrained import pretraining_curves
from tests.frontend.test_browsing import assert_accessible
from tests.labelapp.learning.conftest import RECIPE

TERMS = ("invariance", "variance", "covariance", "discrimination", "correlation")
HISTORY = [
    {"epoch": epoch, "learning_rate": 1e-3, "loss": 50 / epoch, **dict.fromkeys(TERMS, 10 / epoch),
     "y_std": 0.1 * epoch, "y_covariance": 0.01, "y_rank": 5.0, "z_std": 0.3 + 0.1 * epoch, "z_std_smallest": 0.2,
     "z_covariance": 0.05, "z_rank": 20.0 + epoch}
    for epoch in range(1, 6)
]  # fmt: skip
POOL = {
    "windows": 2000, "channels": 1, "sampling_rate_hz": 50.0, "window_s": 6.0, "components": ["Z"], "events": 17,
    "stations": {"XX.AAA.00": 1500, "XX.BBB.00": 500}, "starttime": "2026-03-01T06:00:00Z",
    "endtime": "2026-03-02T06:00:06Z",
}  # fmt: skip
LOG = """2026-03-01T06:00:00Z  vnibcreg with stft_cnn on cpu: 2000 windows of 6 s, 2 epochs
2026-03-01T06:00:02Z  epoch 1 of 2: loss 40.1, invariance 2, variance 8.5, y std 0.2, z std 0.5, z rank 31
2026-03-01T06:00:02Z  The embedding has collapsed: its features have a standard deviation of 0.01, but should have 1.
2026-03-01T06:00:03Z  epoch 2 of 2: loss 30, invariance 1.5, variance 8, y std 0.3, z std 0.6, z rank 32
"""


@pytest.fixture
def make_encoder(site, make_model):
    """make_encoder() is an encoder of the site's recipe, as a pretraining stores it."""
    site.recipe = RECIPE
    site.save()

    def make(**facts):
        health = {name: value for name, value in HISTORY[-1].items() if name[:2] in {"y_", "z_"}}
        given = {
            "kind": "encoder", "classes": [], "pool": POOL, "history": HISTORY, "trained_on": "2000 windows, no labels",
            "recipe": pretraining_recipe(site, {}).to_dict(), "metrics": {"health": health, "notes": []},
        }  # fmt: skip
        return make_model(**{**given, **facts})

    return make


@pytest.fixture
def text_of(client):
    """text_of(user, "model", pk) → the page's text, spaces joined"""

    def ask(user, name, pk):
        client.force_login(user)
        answer = client.get(reverse(name, args=[pk]))
        assert answer.status_code == 200
        return " ".join(answer.text.split())

    return ask


def test_an_encoder_shows_its_pool_its_curves_and_that_it_saw_no_label(text_of, viewer, make_encoder):
    shown = text_of(viewer, "model", make_encoder().pk)
    for words in ("<dt>Labels</dt><dd>none</dd>", "XX.BBB.00", "2000 of 6 s, 3.3 h in all", "VNIbCReg with STFT-CNN"):
        assert words in shown
    assert "17, by their waveforms only" in shown
    assert shown.count("<polyline") == 1 + 5 + 3 + 2 + 2
    assert "aim 1" in shown
    assert "Make it the active model" not in shown
    assert "Train a classifier from it" not in shown


def test_a_collapsed_encoder_warns(text_of, viewer, make_encoder):
    notes = ["The embedding has collapsed to 1.0 dimensions."]
    metrics = {"health": {"z_std": 0.0, "y_rank": 1.0, "z_covariance": 0.0}, "notes": notes}
    shown = text_of(viewer, "model", make_encoder(metrics=metrics).pk)
    assert "Do not build on this encoder." in shown
    assert notes[0] in shown


@pytest.mark.parametrize("odd", [{}, {"windows": 3}, {"stations": {}}, []])
def test_what_an_old_encoder_never_wrote_down_is_said(text_of, viewer, make_encoder, odd):
    facts = {"pool": odd, "metrics": {}, "history": [], "recipe": {}}
    shown = text_of(viewer, "model", make_encoder(**facts).pk)
    assert "stored without its pool" in shown
    assert "stored without the history" in shown


def test_only_a_manager_may_train_from_it_and_only_where_it_fits(text_of, manager, expert, site, make_encoder):
    encoder = make_encoder()
    assert "Train a classifier from it" in text_of(manager, "model", encoder.pk)
    assert "Train a classifier from it" not in text_of(expert, "model", encoder.pk)
    site.recipe = {**RECIPE, "network": {"width": 32}}
    site.save()
    shown = text_of(manager, "model", encoder.pk)
    assert "Train a classifier from it" not in shown
    assert "its next classifier cannot begin with it" in shown


def test_a_classifier_says_which_pool_and_which_labels_it_has_seen(text_of, viewer, make_encoder, make_model):
    encoder = make_encoder()
    classifier = make_model(started_from=encoder)
    shown = text_of(viewer, "model", classifier.pk)
    assert f'that of <a href="/models/{encoder.pk}/">model {encoder.number}</a>' in shown
    assert "2000 windows without labels at 2 stations, " in shown
    assert "2026-03-02T06:00:06" in shown
    assert f'<a href="/models/{classifier.pk}/">Model {classifier.number}</a>' in text_of(viewer, "model", encoder.pk)
    assert "none: it began with random weights" in text_of(viewer, "model", make_model().pk)


def test_the_list_marks_encoders_and_compares_classifiers_only(client, text_of, viewer, site, make_encoder, make_model):
    classifier, encoder = make_model(), make_encoder()
    make_model(started_from=encoder)
    shown = text_of(viewer, "models", site.pk)
    assert shown.count('<span class="badge">encoder</span>') == 1
    assert f"from encoder {encoder.number}" in shown
    assert "after=model-3" in shown
    choices = text_of(viewer, "matrices", site.pk)
    assert f'value="model-{classifier.number}"' in choices
    assert f'value="model-{encoder.number}"' not in choices
    refused = client.get(f"/sites/{site.pk}/matrices/?before=now&after=model-{encoder.number}").text
    assert f"has no classifier model-{encoder.number}" in refused


def test_the_curves_of_a_pretraining_are_read_from_its_log_and_a_warning_is_none():
    found = pretraining_curves(Run(kind="pretrain", log=LOG))
    assert [title for title, _ in found["charts"]] == [
        "loss", "terms of the loss, with their weights", "standard deviation over a batch", "effective rank",
    ]  # fmt: skip
    assert {(row["of"], row["name"]): row["y"] for row in found["rows"]} == {
        ("loss", "sum of its terms"): [40.1, 30.0],
        ("terms of the loss, with their weights", "invariance"): [2.0, 1.5],
        ("terms of the loss, with their weights", "variance"): [8.5, 8.0],
        ("standard deviation over a batch", "embedding, mean"): [0.5, 0.6],
        ("standard deviation over a batch", "representation, mean"): [0.2, 0.3],
        ("effective rank", "embedding"): [31.0, 32.0],
    }
    assert pretraining_curves(Run(kind="pretrain", log="")) is None


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
class TestInABrowser:
    def test_a_manager_starts_a_training_from_an_encoder(self, open_page, site, manager, make_encoder, make_event):
        make_event()
        encoder = make_encoder()
        page = open_page(manager, f"/sites/{site.pk}/runs/")
        page.get_by_label("Begin with").select_option(label=f"encoder {encoder.number}")
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Training")
        assert Run.objects.get().parameters == {"start": encoder.pk}

    def test_a_pretraining_that_cannot_work_is_refused_beside_its_button(self, open_page, site, manager):
        page = open_page(manager, f"/sites/{site.pk}/runs/")
        form = page.locator("form.start", has=page.get_by_role("button", name="Pretrain"))
        form.get_by_label("Method").select_option("Barlow Twins")
        form.get_by_role("button").click()
        expect(form.get_by_role("status")).to_contain_text("no recordings to learn from")

    def test_the_encoders_page_is_accessible_and_trains_from_its_button(
        self, open_page, manager, make_encoder, make_event
    ):
        make_event()
        encoder = make_encoder()
        page = open_page(manager, f"/models/{encoder.pk}/")
        assert_accessible(page, "encoder")
        page.get_by_role("button", name="Train a classifier from it").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Training")
        assert Run.objects.get().parameters == {"start": encoder.pk}
