"""A panel as the page fetches it: in two parts and in byte planes, and every number as it was stored."""

import gzip

import numpy as np
import pytest
from safetensors.numpy import load, save

from labelapp.catalogue.errors import Refused
from labelapp.catalogue.served_panels import first_part, other_maps


@pytest.fixture
def tensors():
    rng = np.random.default_rng(0)
    return {
        "waveform": rng.standard_normal((3, 500)).astype(np.float32),
        "stft": rng.random((3, 9, 11)).astype(np.float32),
        "relevance": rng.standard_normal((2, 3, 9, 11)).astype(np.float32),
        "mask": np.ones((3, 500), np.uint8),
        "times_s": np.linspace(0, 15, 11),
    }


def together(planes, dtype):
    """What the page does with the bytes of a tensor, written as a loop over its numbers."""
    size, *shape = planes.shape
    rows = planes.reshape(size, -1)
    numbers = b"".join(bytes(rows[:, i]) for i in range(rows.shape[1]))
    return np.frombuffer(numbers, dtype).reshape(shape)


def test_the_first_part_holds_every_number_but_those_of_later_maps(tensors):
    served = load(first_part(save(tensors, {"panel": '{"station": "XX.AAA."}'})))
    assert set(served) == {"waveform:planes", "stft:planes", "relevance:planes", "mask", "times_s:planes"}
    for name in ("waveform", "stft"):
        np.testing.assert_array_equal(together(served[f"{name}:planes"], np.float32), tensors[name])
    np.testing.assert_array_equal(together(served["times_s:planes"], np.float64), tensors["times_s"])
    np.testing.assert_array_equal(together(served["relevance:planes"], np.float32), tensors["relevance"][:1])
    np.testing.assert_array_equal(served["mask"], tensors["mask"])


def test_the_other_part_holds_the_later_maps_and_nothing_else(tensors):
    served = load(other_maps(save(tensors, {"panel": "{}"})))
    assert set(served) == {"relevance:planes"}
    np.testing.assert_array_equal(together(served["relevance:planes"], np.float32), tensors["relevance"][1:])


def test_facts_travel_with_the_first_part(tensors):
    content = first_part(save(tensors, {"panel": '{"station": "XX.ÄÖÜ."}'}))
    assert b"station" in content[: int.from_bytes(content[:8], "little")]


def test_planes_compress_better_than_numbers_one_after_another(tensors):
    smooth = {"stft": np.random.default_rng(1).random((3, 65, 95)).astype(np.float32)}
    stored = save(smooth, {"panel": "{}"})
    assert len(gzip.compress(first_part(stored))) < len(gzip.compress(stored))


@pytest.mark.parametrize("content", [b"", b"no panel", save({"stft": np.zeros(3, np.float32)})])
def test_what_is_no_panel_is_refused_in_words(content):
    for part in (first_part, other_maps):
        with pytest.raises(Refused, match="no panel"):
            part(content)
