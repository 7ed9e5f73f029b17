from datetime import timedelta

import numpy as np
import pytest
from scipy.signal import stft

from mlcore.classify.panels import PanelRequest, panel_bytes, panels, read_panel
from mlcore.classify.relevance import explain
from mlcore.classify.summary import summarise
from mlcore.config import Explanation, Recipe
from mlcore.errors import UnreadableRecording
from mlcore.stft import stft_axes
from mlcore.waveform import preprocess
from mlcore.windows import event_window

from .conftest import untrained
from .examples import RECIPE, START, record

CLASSES = ["quake", "rockfall", "noise"]


@pytest.fixture(scope="module")
def classifier():
    return untrained(RECIPE, CLASSES)


def request(seed=0, targets=("rockfall", "quake")):
    waveform = preprocess(record(("rockfall", 15), seed=seed), RECIPE.preprocessing)
    start, end = START + timedelta(seconds=13), START + timedelta(seconds=17)
    window = event_window(waveform, start, end, RECIPE.preprocessing)
    return PanelRequest(window, waveform.station_id, targets, start, end)


def test_the_stft_on_the_page_is_the_very_tensor_that_the_network_was_given(classifier):
    asked = request()
    given = []
    handle = classifier.model.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0].numpy().copy()))
    classifier.predict(asked.window.data[None])
    handle.remove()
    (panel,) = panels(classifier, [asked])
    stored = read_panel(panel_bytes(panel)).stft
    assert np.array_equal(stored, given[0][0])
    assert stored.dtype == given[0].dtype
    assert np.array_equal(stored, classifier.inputs(asked.window.data[None])[0].numpy())


def test_the_stft_on_the_page_is_scipys_transform_of_the_waveform_on_the_page(classifier):
    (panel,) = panels(classifier, [request()])
    frequencies, times, transform = stft(panel.waveform, 50.0, "boxcar", 32, 16)
    np.testing.assert_allclose(panel.stft, np.abs(transform), atol=1e-7)
    np.testing.assert_allclose(panel.frequencies_hz, frequencies)
    np.testing.assert_allclose(panel.times_s, times)


def test_a_panel_comes_back_from_its_bytes_number_for_number(classifier):
    (panel,) = panels(classifier, [request()])
    again = read_panel(panel_bytes(panel))
    for name in ("waveform", "stft", "relevance", "mask", "frequencies_hz", "times_s"):
        assert np.array_equal(getattr(panel, name), getattr(again, name)), name
        assert getattr(panel, name).dtype == getattr(again, name).dtype
    assert again.facts == panel.facts


def test_the_same_panel_has_the_same_bytes(classifier):
    one, other = (panel_bytes(panels(classifier, [request()])[0]) for _ in range(2))
    assert one == other


def test_a_panel_accounts_for_the_logit_of_every_target(classifier):
    asked = request()
    (panel,) = panels(classifier, [asked])
    logits = classifier.predict(asked.window.data[None]).logits[0]
    assert panel.facts["targets"] == ["rockfall", "quake"]
    for row, target in enumerate(panel.facts["targets"]):
        told = panel.facts["explanations"][row]
        assert told["target"] == target
        assert told["logit"] == pytest.approx(logits[CLASSES.index(target)], rel=1e-4)
        total = float(panel.relevance[row].astype(np.float64).sum()) + told["biases"] + told["stabiliser"]
        assert total == pytest.approx(told["logit"], rel=1e-5)
        assert told["error"] <= 1e-9 * abs(told["logit"])


def test_a_panel_tells_the_difference_whose_map_is_that_of_its_two_stored_maps(classifier):
    (panel,) = panels(classifier, [request()])
    difference = panel.facts["difference"]
    assert (difference["target"], difference["against"]) == ("rockfall", "quake")
    drawn = panel.relevance[0] - panel.relevance[1]  # as the browser subtracts, in float32
    total = float(drawn.astype(np.float64).sum()) + difference["biases"] + difference["stabiliser"]
    assert total == pytest.approx(difference["logit"], abs=1e-5)
    expected = summarise(drawn.astype(np.float64), classifier.recipe, (3.0, 7.0))
    assert difference["components"] == pytest.approx(expected["components"], rel=1e-5)
    assert panels(classifier, [request(targets=("noise",))])[0].facts["difference"] is None


def test_panels_of_a_batch_are_those_of_single_calls_even_with_unequal_targets(classifier):
    asked = [request(0), request(1, ("noise",)), request(2, ("quake", "noise", "rockfall"))]
    together = panels(classifier, asked)
    for one, panel in zip(asked, together, strict=True):
        (alone,) = panels(classifier, [one])
        assert panel.relevance.shape[0] == len(one.targets)
        np.testing.assert_allclose(panel.relevance, alone.relevance, rtol=1e-5, atol=1e-9)


def test_a_panel_says_where_when_and_of_what_model_it_is(classifier):
    asked = request()
    facts = panels(classifier, [asked])[0].facts
    assert facts["station"] == "XX.AAA.00"
    assert facts["starttime"] == "2026-03-01T06:00:10.000000Z"
    assert facts["components"] == ["Z", "N"]
    assert facts["model_sha256"] == classifier.checksum
    assert facts["unit"] == "share of the window's peak"
    assert facts["scale"] == asked.window.scale.tolist()
    assert sum(facts["probabilities"].values()) == pytest.approx(1)


def test_no_requests_give_no_panels(classifier):
    assert panels(classifier, []) == []


@pytest.mark.parametrize("targets", [(), ("avalanche",)])
def test_targets_that_the_model_does_not_know_are_refused(classifier, targets):
    with pytest.raises(ValueError, match="must be among the model's classes: quake, rockfall, noise"):
        panels(classifier, [request(targets=targets)])


@pytest.mark.parametrize("content", [b"", b"x" * 40, b"\x02\0\0\0\0\0\0\0{}"])
def test_bytes_that_are_no_panel_are_refused(content):
    with pytest.raises(UnreadableRecording, match="no panel"):
        read_panel(content)


def test_shares_equal_sums_written_as_loops():
    recipe = Recipe(preprocessing=RECIPE.preprocessing, explanation=Explanation(bands_hz=((1.0, 5.0), (5.0, 20.0))))
    frequencies, times = stft_axes(recipe.preprocessing)
    relevance = np.random.default_rng(0).normal(size=(2, len(frequencies), len(times)))
    told = summarise(relevance, recipe, (3.0, 7.0))
    shares = {"Z": 0.0, "low": 0.0, "before": 0.0, "within": 0.0, "positive": 0.0}
    for (c, f, t), value in np.ndenumerate(relevance):
        part = abs(value) / np.abs(relevance).sum()
        shares["Z"] += part * (c == 0)
        shares["low"] += part * (1.0 <= frequencies[f] < 5.0)
        shares["before"] += part * (times[t] < 3.0)
        shares["within"] += part * (3.0 <= times[t] <= 7.0)
        shares["positive"] += part * (value > 0)
    assert told["components"]["Z"] == pytest.approx(shares["Z"])
    assert told["bands"][0] == {"low_hz": 1.0, "high_hz": 5.0, "share": pytest.approx(shares["low"])}
    assert told["moments"]["before"] == pytest.approx(shares["before"])
    assert told["moments"]["within"] == pytest.approx(shares["within"])
    assert sum(told["moments"].values()) == pytest.approx(1)
    assert told["positive"] == pytest.approx(shares["positive"])


def test_the_sentence_names_band_event_and_component():
    frequencies, times = stft_axes(RECIPE.preprocessing)
    recipe = Recipe(preprocessing=RECIPE.preprocessing, explanation=Explanation(bands_hz=((1.0, 5.0), (5.0, 20.0))))
    relevance = np.zeros((2, len(frequencies), len(times)))
    relevance[1, frequencies.searchsorted(10.0), times.searchsorted(5.0)] = 3.0
    relevance[0, frequencies.searchsorted(2.0), times.searchsorted(9.0)] = -1.0
    assert summarise(relevance, recipe, (4.0, 6.0))["text"] == (
        "75% of the relevance at 5–20 Hz, 75% within the event, N carries 75%; 75% speaks for the class."
    )
    silent = summarise(np.zeros_like(relevance), recipe, (4.0, 6.0))
    assert silent["text"] == "Nothing in this window was relevant."


def test_a_panels_maps_are_those_of_explain(classifier):
    asked = request()
    (panel,) = panels(classifier, [asked])
    maps = explain(classifier, asked.window.data[None], np.array([[1, 0]])).maps[0]
    assert np.array_equal(panel.relevance, maps.astype(np.float32))
