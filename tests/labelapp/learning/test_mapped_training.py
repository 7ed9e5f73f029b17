"""A site whose recipe counts its quakes to the earthquakes, cuts noise before events, and leaves some of them out."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from labelapp.catalogue.models import Event, ModelVersion, Site
from labelapp.learning.pipeline.comparison import compare
from labelapp.learning.pipeline.recipes import load_classifier, site_recipe
from labelapp.learning.pipeline.windows import read_event, read_example
from mlcore.config import Recipe
from mlcore.errors import BadConfiguration

from .conftest import RECIPE

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

CATALOGUE = {
    "classes": {"earthquake": ["quake"], "rockfall": ["rockfall"]},
    "noise_class": "noise",
    "noise_span_s": [-9.0, -2.5],  # before the event's own span, and out of reach of the one before
    "without": {"event_id": ["e4", "e5"]},
}


SIDES = ("train", "test")  # with folds, nothing is kept for validation


@pytest.fixture
def mapped_site(recorded_site):
    recorded_site.recipe = {**RECIPE, "catalogue": CATALOGUE}
    recorded_site.save()
    return recorded_site


def test_a_model_learns_from_mapped_classes_and_from_noise_that_is_no_event(mapped_site, work_on):
    run = work_on(mapped_site, "train", seed=1)
    assert run.state == "done", run.log
    model = ModelVersion.objects.get()
    assert model.classes == ["earthquake", "rockfall", "noise"]
    assert model.metrics["macro_f1"] > 0.8
    assert "38 labelled events of Test slope, and the noise around 38 of them, 76 windows" in model.trained_on
    assert "event_id is e4, which the recipe's catalogue.without leaves out" in run.log
    assert Event.objects.count() == 40
    examples = {e.event.event_id: (e.event_class.code, e.split) for e in model.examples.all()}
    assert set(examples) == {f"e{n}" for n in range(40)} - {"e4", "e5"}
    assert {code for code, _ in examples.values()} == {"quake", "rockfall"}  # as the site labels them
    judged = model.examples.filter(out_of_fold__isnull=False)
    assert judged.count() == model.examples.exclude(split="test").count() > 0
    assert all(set(example.out_of_fold) == set(model.classes) for example in judged)


def test_noise_stays_on_the_side_of_its_event_from_one_model_to_the_next(mapped_site, work_on):
    for seed in (1, 2):
        work_on(mapped_site, "train", seed=seed, epochs=2)
        run_model = ModelVersion.objects.latest("number")
        sides = load_classifier(run_model).description["splits"]
        assert len(sides) == 76
        assert all(sides[unit] == sides[unit.removesuffix("/noise")] for unit in sides)
        stored = dict(run_model.examples.values_list("event__event_id", "split"))
        assert stored == {unit: side for unit, side in sides.items() if not unit.endswith("/noise")}
        mapped_site.active_model = run_model
        mapped_site.save()


def test_what_is_called_otherwise_by_the_model_is_not_queued_and_what_is_wrong_is(mapped_site, work_on):
    work_on(mapped_site, "train", seed=1)
    mapped_site.events.filter(event_id="e0").update(label=mapped_site.classes.get(code="rockfall"))  # it is a quake
    run = work_on(mapped_site, "classify")
    assert run.state == "done", run.log
    item = mapped_site.review_items.get(event__event_id="e0")
    assert (item.reason, item.prediction.event_class.code) == ("disagreement", "earthquake")
    assert item.prediction.explanations.get().summary["targets"] == ["earthquake", "rockfall"]
    disagreements = mapped_site.review_items.filter(reason="disagreement")
    assert disagreements.filter(event__label__code="quake", prediction__event_class__code="earthquake").count() == 0
    assert disagreements.count() < 10


def test_split_by_time_a_model_is_tested_on_the_last_events_of_each_class(mapped_site, work_on):
    mapped_site.recipe = {**mapped_site.recipe, "training": {**RECIPE["training"], "split": "time"}}
    mapped_site.save()
    examples = work_on(mapped_site, "train", epochs=1).model.examples
    for code in ("quake", "rockfall"):
        of_class = examples.filter(event_class__code=code)
        learned, tested = (of_class.filter(split=side).values_list("event__starttime", flat=True) for side in SIDES)
        assert max(learned) < min(tested)


def test_a_component_that_no_station_recorded_is_said(mapped_site, work_on):
    preprocessing = {**RECIPE["preprocessing"], "components": ["Z", "N"]}
    mapped_site.recipe = {**mapped_site.recipe, "preprocessing": preprocessing}
    mapped_site.save()
    run = work_on(mapped_site, "train", seed=1, epochs=1)
    assert "76 of 76 windows have no component N: it stays empty" in run.log


def test_a_finer_and_a_coarser_model_are_compared_in_the_words_of_the_coarser(mapped_site, work_on, tmp_path):
    mapped_site.recipe = RECIPE
    mapped_site.save()
    fine = work_on(mapped_site, "train", seed=1).model
    mapped_site.recipe = {**RECIPE, "catalogue": CATALOGUE}
    mapped_site.active_model = None
    mapped_site.save()
    coarse = work_on(mapped_site, "train", seed=1).model

    class Quiet:
        run = type("Run", (), {"site": mapped_site})

        def check(self):
            pass

    tests = list(mapped_site.events.values_list("pk", flat=True))
    coarse.examples.update(split="test")
    fine.examples.update(split="test")
    for new, active in ((fine, coarse), (coarse, fine)):
        found = compare(Quiet(), load_classifier(new), active, tests)
        assert found["events"] == 38  # which either recipe takes
        assert found["macro_f1"] > 0.9
        assert found["active_macro_f1"] > 0.9


def test_examples_are_what_the_recipe_takes_and_classification_reads_everything(mapped_site):
    recipe = site_recipe(mapped_site)
    left_out, taken = (Event.objects.get(event_id=name) for name in ("e4", "e6"))
    assert not read_example(left_out, recipe).windows
    assert read_event(left_out, recipe).windows
    example = read_example(taken, recipe)
    (window,) = example.windows.values()
    (noise,) = example.noise
    assert (window.label, noise.label, noise.event_id) == ("earthquake", "noise", "e6/noise")
    assert (window.window.starttime - noise.window.starttime).total_seconds() == pytest.approx(7, abs=0.03)
    assert not read_event(taken, recipe).noise


def test_what_a_scan_found_is_not_sought_beyond_its_span(mapped_site):
    sought = {"rule": "onset", "slack_s": 40.0, "long_s": 5.0, "search_s": 5.0, "before_s": 2.0, "edge_s": 0.0}
    recipe = Recipe.from_dict({**RECIPE, "placement": sought})

    def seconds_off(number):
        event = Event.objects.get(event_id=f"e{number}")
        (window,) = read_event(event, recipe).windows.values()
        return abs((window.window.starttime - event.starttime).total_seconds())

    # There is a neighbour every 20 s, and of most events one within 40 s is stronger.
    assert sum(seconds_off(number) > 15 for number in range(10)) > 4
    Event.objects.update(origin=Event.Origin.DETECTION)
    assert max(seconds_off(number) for number in range(10)) < 5


BAD = {
    "[catalogue.classes]\nslide = ['rockfall']": (
        "a model of this recipe says slide, but the site has no such class. Its classes are earthquake, quake"
    ),
    "[catalogue]\nnoise_class = 'background'": "a model of this recipe says background",
    "[catalogue.only]\nmagnitude = ['3']": "catalogue.only asks for magnitude, which a site does not keep",
}


@pytest.mark.parametrize(("text", "why"), BAD.items())
def test_a_recipe_that_a_site_cannot_live_by_is_refused_where_it_is_given(site, tmp_path, text, why):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    for command in (["set_recipe", site.name, str(path)], ["create_site", "Another", "--recipe", str(path)]):
        with pytest.raises(CommandError, match=why) as error:
            call_command(*command)
        assert "recipe.toml" in str(error.value)
    assert not Site.objects.filter(name="Another").exists()
    site.refresh_from_db()
    assert site.recipe == {}


def test_a_recipe_fits_the_classes_that_a_site_is_made_with(db, tmp_path):
    (tmp_path / "classes.csv").write_text("code,name\nslide,Slide\nrockfall,Rockfall\nnoise,Noise\n")
    (tmp_path / "recipe.toml").write_text("[catalogue.classes]\nslide = ['rockfall', 'avalanche']\n")
    files = ("--classes", str(tmp_path / "classes.csv"), "--recipe", str(tmp_path / "recipe.toml"))
    call_command("create_site", "Another", *files, stdout=StringIO())
    assert Site.objects.get(name="Another").recipe["catalogue"]["classes"] == {"slide": ["rockfall", "avalanche"]}


def test_a_site_that_lost_its_recipes_classes_trains_nothing_and_says_why(mapped_site):
    mapped_site.recipe["catalogue"]["classes"] = {"slide": ["rockfall"]}
    mapped_site.save()
    with pytest.raises(BadConfiguration, match="the site has no such class"):
        site_recipe(mapped_site)
