"""Windows that wait, bfloat16 and shared frames change no detection."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from mlcore.classify.postprocess import detections
from mlcore.classify.predict import Classifier, build
from mlcore.classify.scanning import Scanner, around, ask, asked_first, multiplies_bfloat16
from mlcore.config import Network
from mlcore.preprocessing import preprocess
from mlcore.windows import sliding_windows

from .examples import record
from .listeners import CLASSES, RECIPE, Listener, listener


def murmuring(seed, seconds=700):
    """A prepared record with rings of all strengths, many of which only just reach the threshold."""
    rng = np.random.default_rng(seed)
    waveform = record(seconds=seconds, seed=seed)
    t = waveform.times
    for second in rng.uniform(0, seconds, seconds // 25):
        ring = np.exp(-(((t - second) / rng.uniform(0.3, 2)) ** 2)) * np.sin(2 * np.pi * rng.choice([3, 15]) * t)
        waveform.data[:] += rng.uniform(1, 6) * ring
    return preprocess(waveform, RECIPE.preprocessing)


def gathered(parts):
    parts = list(parts)
    return np.concatenate([p.probabilities for p in parts]), np.concatenate([p.usable for p in parts])


def found(probabilities, waveform, recipe=RECIPE):
    step = recipe.preprocessing.step_samples
    return detections([waveform.time_of(i * step) for i in range(len(probabilities))], probabilities, CLASSES, recipe)


def one_by_one(waveform, classifier):
    """What the network says of each window by itself."""
    rows = []
    for _, windows, usable in sliding_windows(waveform, classifier.recipe.preprocessing, batch=1):
        rows.append(classifier.predict(windows).probabilities[0] * usable[0])
    return np.array(rows)


@pytest.mark.parametrize("median", [1, 3, 5, 7, 9])
def test_no_median_above_zero_sees_only_windows_that_wait(median):
    asked = asked_first(40, median)
    for first in range(40 - median + 1):
        for loud in combinations(range(first, first + median), median // 2 + 1):
            assert asked[list(loud)].any()
    assert asked[: median - 1].all()
    assert asked[40 - median + 1 :].all()
    assert asked.mean() < 1 or median == 1


def test_around_reaches_all_that_share_a_median():
    true = np.zeros(30, dtype=bool)
    true[[3, 20]] = True
    loops = [any(true[j] for j in range(30) if abs(i - j) < 5) for i in range(30)]
    assert around(true, 5).tolist() == loops


@given(seed=st.integers(0, 10_000), bfloat16=st.booleans())
@settings(max_examples=12)
def test_what_counts_gives_the_detections_of_everything(seed, bfloat16):
    waveform, classifier = murmuring(seed), listener()
    torch.nn.init.constant_(classifier.model.loudness, 0.4)
    everything, usable = gathered(Scanner(classifier).everything(waveform))
    scanner = Scanner(classifier, float32=True)
    scanner.bfloat16 = bfloat16
    some, also_usable = gathered(scanner.what_counts(waveform))
    np.testing.assert_array_equal(usable, also_usable)
    events = everything[:, :2]
    loud = np.where(events >= 0.5, events, 0)
    counts = (median_filter(loud, size=(5, 1), mode="constant") > 0) & (loud > 0)
    np.testing.assert_allclose(some[:, :2][counts], events[counts], atol=1e-6)
    theirs, ours = found(everything, waveform), found(some, waveform)
    assert [(d.starttime, d.endtime, d.class_code) for d in theirs] == [
        (d.starttime, d.endtime, d.class_code) for d in ours
    ]
    np.testing.assert_allclose([d.probability for d in ours], [d.probability for d in theirs], atol=1e-6)


def test_blocks_and_shared_frames_give_what_each_window_by_itself_gives(monkeypatch):
    monkeypatch.setattr("mlcore.classify.blocks.BLOCK", 33)
    waveform, classifier = murmuring(3, seconds=120), listener()
    waveform.mask[0, 1000:1200] = waveform.mask[:, 3000:3400] = False
    waveform.data[~waveform.mask] = 0.0
    probabilities, usable = gathered(Scanner(classifier).everything(waveform))
    np.testing.assert_allclose(probabilities, one_by_one(waveform, classifier), atol=1e-5)
    assert not usable.all()
    assert usable[12]  # one component of two is enough


@pytest.mark.parametrize("kind", ["magnitude", "log"])
def test_attributes_and_logarithms_reach_the_network_as_in_prediction(kind):
    network = Network(width=2, blocks=2, attributes=True)
    recipe = replace(RECIPE, network=network, preprocessing=replace(RECIPE.preprocessing, input=kind))
    description = {"classes": CLASSES, "recipe": recipe.to_dict(), "weights_sha256": "0" * 64}
    torch.manual_seed(0)
    waveform, classifier = murmuring(5, seconds=60), Classifier(build(description), description)
    waveform.mask[1, 1500:1700] = False
    waveform.data[~waveform.mask] = 0.0
    probabilities, _ = gathered(Scanner(classifier).everything(waveform))
    np.testing.assert_allclose(probabilities, one_by_one(waveform, classifier), atol=1e-4)


def test_a_quiet_record_is_asked_about_sixty_in_a_hundred_windows(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "mlcore.classify.scanning.ask", lambda c, block, rows, **options: asked.append(len(rows)) or ask(c, block, rows)
    )
    waveform = preprocess(record(seconds=610), RECIPE.preprocessing)
    list(Scanner(listener(), float32=True).what_counts(waveform))
    assert sum(asked) / 601 == pytest.approx(0.6, abs=0.02)


def test_where_every_window_speaks_each_is_asked_once(monkeypatch):
    asked = []
    monkeypatch.setattr("mlcore.classify.blocks.BLOCK", 50)
    monkeypatch.setattr(
        "mlcore.classify.scanning.ask", lambda c, block, rows, **options: asked.append(len(rows)) or ask(c, block, rows)
    )
    waveform = preprocess(record(seconds=309), RECIPE.preprocessing)
    classes = ["quake", "rockfall", "calm"]  # no class of noise: something is always likely
    scanner = Scanner(listener(classes=classes), float32=True)
    probabilities, _ = gathered(scanner.what_counts(waveform))
    assert scanner.busy
    assert sum(asked) == 300
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


class Sloppy(Listener):
    """In bfloat16 it takes everything for noise."""

    def forward(self, x, attributes=None):
        logits = super().forward(x)
        return logits * 0 if torch.is_autocast_enabled("cpu") else logits


def test_a_network_that_bfloat16_leads_astray_is_asked_in_float32():
    waveform, classifier = murmuring(4, seconds=300), listener()
    exact, _ = gathered(Scanner(classifier).everything(waveform))
    classifier.model = Sloppy()
    scanner = Scanner(classifier)
    scanner.bfloat16 = True
    some, _ = gathered(scanner.what_counts(waveform))
    assert not scanner.bfloat16
    assert found(some, waveform) == found(exact, waveform)


def test_bfloat16_is_used_where_the_cpu_multiplies_it_and_nobody_refuses(tmp_path, monkeypatch):
    for facts, expected in [("flags: avx2 avx512_bf16", True), ("flags: amx_bf16", True), ("flags: avx2", False)]:
        (tmp_path / "cpuinfo").write_text(facts)
        monkeypatch.setattr("mlcore.classify.scanning.CPU_FACTS", tmp_path / "cpuinfo")
        multiplies_bfloat16.cache_clear()
        assert Scanner(listener()).bfloat16 is expected
        assert not Scanner(listener(), float32=True).bfloat16
    monkeypatch.setattr("mlcore.classify.scanning.CPU_FACTS", tmp_path / "none")
    multiplies_bfloat16.cache_clear()
    assert not Scanner(listener()).bfloat16
    multiplies_bfloat16.cache_clear()


def test_a_record_shorter_than_a_window_says_nothing():
    assert list(Scanner(listener()).everything(record(seconds=5))) == []
