"""The model page: everything that vouches for a model, and plain words where nothing was measured."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from labelapp.pages.figures import scores, scores_of
from labelapp.pages.recipe import line, recipe_in_words
from tests.frontend.models import CODES, HISTORY, METRICS, RECIPE, TABLE_1, explanation_of, furnish
from tests.frontend.test_browsing import assert_accessible

# Jiang et al. 2024, Tables 2 and 3, in the order of CODES.
TABLE_2 = [[15, 0, 1, 1], [2, 26, 8, 2], [0, 2, 73, 0], [11, 95, 37, 546]]
TABLE_3 = [(0.54, 0.88, 0.67), (0.21, 0.68, 0.32), (0.61, 0.97, 0.75), (0.99, 0.79, 0.88)]


def test_the_figures_are_those_of_the_paper():
    found = scores(TABLE_2, CODES, {})
    assert [(round(r.precision, 2), round(r.recall, 2), round(r.f1, 2)) for r in found.rows] == TABLE_3


@pytest.mark.parametrize("matrix", [TABLE_1, TABLE_2, [[3, 0, 0, 1], [0] * 4, [1, 0, 2, 0], [0] * 4]])
def test_the_figures_are_those_of_mlcore(matrix):
    import numpy as np

    from mlcore.metrics import report_from_confusion

    expected, found = report_from_confusion(np.array(matrix), CODES), scores(matrix, CODES, {})
    for name in ("macro_f1", "balanced_accuracy", "accuracy"):
        assert getattr(found, name) == pytest.approx(expected[name])
    for row in found.rows:
        for name in ("precision", "recall", "f1", "support"):
            assert (getattr(row, name) or 0) == pytest.approx(expected["per_class"][row.code][name])


def test_pairs_are_counted_and_strangers_left_out():
    found = scores_of([("a", "a"), ("a", "b"), ("b", "b"), (None, "b"), ("c", "a")], ["a", "b"], {})
    assert [[cell["count"] for cell in row.cells] for row in found.rows] == [[1, 1], [0, 1]]


def test_a_setting_is_written_as_people_write_it():
    written = [line("sampling_rate_hz", 250.0), line("band_hz", [5.0, 60.0]), line("zero_phase", True)]
    assert written == [("sampling rate", "250 Hz"), ("band", "5–60 Hz"), ("zero phase", "yes")]
    assert line("classes", {"rockfall": ["a", "b"]}) == ("classes", "rockfall: a, b")
    assert [recipe_in_words(odd) for odd in ({}, None, [], {"a": {}})] == [[], [], [], []]
    assert recipe_in_words({"seed": 3, "network": {"width": None}}) == [
        ("general", [("seed", "3")]),
        ("network", [("width", "none")]),
    ]


@pytest.fixture
def page_of(client, viewer):
    """page_of(model) → its page as the viewer gets it"""
    client.force_login(viewer)

    def ask(model):
        answer = client.get(reverse("model", args=[model.pk]))
        assert answer.status_code == 200
        return answer

    return ask


@pytest.fixture
def full_model(site, classes, station, make_model, make_event, make_prediction):
    """A model of which everything is known; `relabel` {index of its events: code} happened after its training."""

    def make(relabel=(), events=12, **facts):
        site.active_model = make_model()
        site.save()
        given = {"metrics": METRICS, "history": HISTORY, "recipe": RECIPE, **facts}
        model = make_model(**given)
        furnish(model, [make_event(CODES[i % 4]) for i in range(events)], classes, station, make_prediction, relabel)
        return model

    return make


def test_a_model_that_measured_everything_shows_it(page_of, full_model):
    answer = page_of(full_model({0: "rockfall", 5: "rockfall"}.items()))
    assert "Not measured" not in answer.text
    assert "not checked" not in answer.text
    said = answer.context
    assert said["held_out"].rows[1].recall == pytest.approx(26 / 46)
    assert said["calibration"]["after"]["ece"] == 0.021
    assert [bin["count"] for bin in said["calibration"]["after"]["bins"]] == [10, 10, 10, 310]
    assert said["comparison"]["rows"][0]["by"] == pytest.approx(0.05)
    assert {(c["name"], c["of"]) for c in said["curves"]} >= {
        ("training loss", "fold 1"),
        ("validation loss", "fold 5"),
    }
    assert said["events"]["total"] == 12
    for words in ("figures are chance", "sampling rate", "250 Hz", "412356 weights", "label-errors.csv"):
        assert words in answer.text


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"confusion_matrix": [[3, 1], [0, 4]]},
        {"calibration": {}, "out_of_fold": {}, "randomisation": {}, "comparison": None, "notes": None},
        {"calibration": {"temperature": None, "before": [], "after": 3}, "comparison": {"model": 1, "events": 0}},
        {"confusion_matrix": 7, "classes": "x", "notes": "one", "undefined": 3, "randomisation": "passed"},
        {"confusion_matrix": [[1]], "classes": ["a", "b"], "comparison": {"events": 3}, "out_of_fold": [1]},
    ],
)
def test_a_model_that_measured_little_says_so(page_of, make_model, odd):
    text = page_of(make_model(metrics=odd, history=[], recipe={})).text
    assert text.count("Not measured") >= 6
    assert "Not checked" in text
    assert "cannot be made the active one" in text
    assert "plotly" not in text


@pytest.mark.parametrize("odd", [7, ["epoch 1"], {"loss": [1, 2]}, [{"epoch": 1}], [[1, 2]]])
def test_a_history_of_another_shape_is_not_measured(page_of, make_model, odd):
    assert page_of(make_model(history=odd)).context["curves"] is None


def test_a_failed_randomisation_check_warns_plainly(page_of, make_model):
    failed = {"passed": False, "text": "They correlate by 0.93.", "layers": []}
    text = page_of(make_model(metrics={"randomisation": failed})).text
    assert "Do not trust this model’s maps." in text
    assert "They correlate by 0.93." in text


def test_relevance_is_the_mean_over_the_maps_of_each_class(page_of, full_model):
    found = page_of(full_model()).context["relevance"]
    headings = [(heading, columns) for heading, columns in found["groups"]]
    assert headings[0] == ("Share per band", ["1–5 Hz", "5–20 Hz", "20–40 Hz", "40–60 Hz"])
    assert headings[1][1] == ["Z", "N", "E"]
    by_class = {row["code"]: row["cells"][0]["share"] for row in found["rows"]}
    assert by_class["rockfall"] == pytest.approx(0.3)  # as tests.frontend.models made it
    deletion = dict(zip(found["groups"][4][1] + found["groups"][5][1], found["rows"][-1]["cells"][-3:], strict=True))
    assert deletion["at random"]["share"] == pytest.approx(0.9)
    assert deletion["better than chance"]["share"] == 1
    assert sum(row["maps"] for row in found["rows"][:-1]) == found["rows"][-1]["maps"] == 12


def test_maps_from_before_the_deletion_check_have_none(page_of, full_model):
    from labelapp.catalogue.models import Explanation

    model = full_model(events=4)
    for row in Explanation.objects.all():
        summary = {**row.summary, "explanations": [{**row.summary["explanations"][0], "deletion": None}]}
        Explanation.objects.filter(pk=row.pk).update(summary=summary)
    found = page_of(model).context["relevance"]
    assert found["maps"] == 4
    assert [heading for heading, _ in found["groups"]][-1] == "speaking"


def test_a_label_that_the_recipe_counts_to_another_class_is_compared_as_that(page_of, full_model):
    recipe = {"catalogue": {"classes": {"quake": ["quake", "earthquake"], "rockfall": ["rockfall"]}}}
    ((_, _, tests), _) = page_of(full_model(recipe=recipe)).context["relabelled"]
    rows = {row.code: row.support for row in tests["before"].rows}
    assert rows == {"earthquake": 0, "quake": 2, "rockfall": 1, "noise": 0}  # of events 0, 3, 6, 9 that tested it


def test_maps_in_another_shape_are_left_out(page_of, full_model):
    from labelapp.catalogue.models import Explanation

    model = full_model(events=4)
    odd = [{}, {"targets": []}, {"targets": ["quake"], "explanations": []}, explanation_of("quake", "noise", 0)]
    for row, summary in zip(Explanation.objects.order_by("pk"), odd, strict=True):
        Explanation.objects.filter(pk=row.pk).update(summary=summary)
    assert page_of(model).context["relevance"]["maps"] == 1


class TestBeforeAndAfterRelabelling:
    def test_labels_of_the_training_are_held_beside_those_of_today(self, page_of, full_model):
        # Of its events 0, 3, 6, 9 tested it. Event 0, an earthquake, is said to be a quake; so an expert agrees.
        tests, folds = (
            found for _, _, found in page_of(full_model({0: "quake", 5: "noise"}.items())).context["relabelled"]
        )
        assert (tests["events"], tests["changed"], tests["towards_the_model"]) == (4, 1, 1)
        assert (tests["before"].accuracy, tests["after"].accuracy) == (0.75, 1.0)
        assert tests["overall"]["accuracy"]["by"] == 0.25
        assert (folds["events"], folds["changed"], folds["towards_the_model"]) == (8, 1, 0)
        assert folds["contradicted"] == 2

    def test_without_a_change_both_are_the_same_and_said_once(self, page_of, full_model):
        text = page_of(full_model()).text
        assert text.count("before and after are the same") == 2

    def test_the_newest_prediction_of_each_test_event_counts(self, page_of, full_model, classes):
        model = full_model()
        event = model.examples.get(event__event_id="event 0").event
        event.predictions.create(
            model=model, event_class=classes["noise"], probability=1, probabilities={"noise": 1.0}, input_sha256="newer"
        )
        ((_, _, tests), _) = page_of(model).context["relabelled"]
        assert tests["before"].rows[0].cells[3]["count"] == 1


def test_the_most_suspicious_labels_come_first_and_lead_to_their_events(page_of, full_model):
    answer = page_of(full_model(events=30))
    rows = answer.context["suspected"]
    shown = [row["example"].suspicion for row in rows]
    assert shown == sorted(shown, reverse=True)
    assert len(rows) == 12
    assert reverse("event", args=[rows[0]["example"].event_id]) in answer.text


def test_many_events_take_no_more_queries(page_of, full_model, django_assert_max_num_queries):
    model = full_model(events=40)
    with django_assert_max_num_queries(22):
        page_of(model)


def test_hostile_words_of_a_training_stay_words(page_of, full_model):
    hostile = "</script><script>alert(1)</script>"
    model = full_model(
        metrics={**METRICS, "notes": [hostile], "randomisation": {"passed": False, "text": hostile, "layers": []}},
        history=[{"epoch": 1, "loss": 1.0, "fold": hostile, hostile: 2.0}],
    )
    assert "<script>alert" not in page_of(model).text


def until(page, condition):
    """Wait for a condition: Playwright's own way needs the eval that the pages forbid."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(condition)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
class TestInABrowser:
    @pytest.fixture
    def opened(self, open_page, viewer, full_model):
        def ask(user=viewer, **options):
            page = open_page(user, f"/models/{full_model({0: 'quake'}.items()).pk}/", **options)
            page.wait_for_selector("[data-drawn=yes]")
            return page

        return ask

    def test_the_reliability_diagram_has_both_curves_and_their_errors(self, opened):
        page = opened()
        drawn = "document.getElementById('reliability').data"
        assert page.evaluate(f"{drawn}.map((trace) => trace.name)") == [
            None, "before, error 0.094", "after, error 0.021",
        ]  # fmt: skip
        assert page.evaluate(f"Array.from({drawn}[2].x)") == [0.35, 0.55, 0.75, 0.95]

    def test_every_fold_is_a_curve_and_every_figure_one_key(self, opened):
        page = opened()
        traces = page.evaluate("document.getElementById('curves').data.map((t) => [t.name, t.showlegend, t.x.length])")
        assert len(traces) == 15
        assert [name for name, shown, _ in traces if shown] == [
            "training loss",
            "validation loss",
            "validation accuracy",
        ]
        assert {length for _, _, length in traces} == {30}

    def test_the_drawings_follow_the_colours_and_the_width(self, opened):
        page = opened(color_scheme="light")
        ink = "document.getElementById('curves').layout.font.color"
        before = page.evaluate(ink)
        page.get_by_role("button", name="Dark").click()
        until(page, f"{ink} !== '{before}'")
        page.set_viewport_size({"width": 1024, "height": 800})
        element = "document.getElementById('curves')"
        until(page, f"{element}.layout.width === {element}.clientWidth")

    def test_the_parts_are_reached_from_the_top_by_key(self, opened):
        page = opened()
        page.get_by_role("link", name="Suspected labels").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#suspected")).to_be_in_viewport()
        page.get_by_text("Confusion by the labels of the training").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator("details[open]").first).to_be_visible()

    def test_the_drawings_can_be_read_as_tables(self, opened):
        page = opened()
        page.get_by_text("As a table").first.click()
        expect(page.get_by_role("region", name="Reliability by confidence")).to_be_visible()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [1024, 1440])
    def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(self, opened, scheme, width):
        page = opened(color_scheme=scheme, viewport={"width": width, "height": 900})
        assert_accessible(page, "model")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
