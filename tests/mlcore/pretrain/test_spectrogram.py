from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage, signal

from mlcore.classify.predict import network_inputs
from mlcore.config import Preprocessing, Recipe
from mlcore.errors import UnusableWaveform
from mlcore.pretrain.config import Spectrogram
from mlcore.pretrain.spectrogram import classifier_settings, image_axes, spectrogram

SETTINGS = [  # section, sampling rate, samples
    (Spectrogram(), 1000.0, 16_000),  # the paper's
    (Spectrogram(window_s=0.101, overlap=0.5, window="hann", height=0), 100.0, 500),
    (Spectrogram(window_s=0.33, overlap=0.25, window="boxcar", height=64), 100.0, 1200),  # an odd length
    (Spectrogram(window_s=3.2, overlap=0.875, window="hamming", band_hz=(1.0, 8.0), height=40), 20.0, 720),
]


def waveforms(samples, shape=(2, 3)):
    return 1e3 * np.random.default_rng(0).standard_normal((*shape, samples))


def scipys(x, section, rate):
    """What the paper did, by scipy alone: spectrogram, log10(S + 1), min–max of each channel, bilinear resizing."""
    length, overlap = round(section.window_s * rate), int(round(section.window_s * rate) * section.overlap)
    window = ("tukey", 0.25) if section.window == "tukey" else section.window
    frequencies, times, power = signal.spectrogram(x, rate, window, length, overlap)
    low, high = section.band_hz or (0, rate)
    kept = (frequencies >= low) & (frequencies <= high)
    images = np.log10(power[..., kept, :] + 1)
    axes = (-2, -1)
    images = images - images.min(axis=axes, keepdims=True)
    images = images / images.max(axis=axes, keepdims=True)
    return frequencies[kept], times, resized(images, section.height)


def resized(images, height):
    rows, columns = images.shape[-2:]
    if not height:
        return images
    grid = np.meshgrid(
        (np.arange(height) + 0.5) * rows / height - 0.5,
        (np.arange(width := int(columns * height / rows)) + 0.5) * columns / width - 0.5,
        indexing="ij",
    )
    flat = [
        ndimage.map_coordinates(image, grid, order=1, mode="nearest") for image in images.reshape(-1, rows, columns)
    ]
    return np.stack(flat).reshape(*images.shape[:-2], height, width)


@pytest.mark.parametrize(("section", "rate", "samples"), SETTINGS)
def test_images_equal_scipys_spectrogram_logarithm_min_max_and_resizing(section, rate, samples):
    x = waveforms(samples)
    _, _, expected = scipys(x, section, rate)
    found = spectrogram(torch.from_numpy(x), section, rate)
    np.testing.assert_allclose(found, expected, atol=1e-10, rtol=0)
    assert tuple(found.shape[-2:]) == section.shape(samples, rate)


@pytest.mark.parametrize(("section", "rate", "samples"), SETTINGS)
def test_axes_are_scipys_carried_through_the_resizing(section, rate, samples):
    frequencies, times, _ = scipys(waveforms(samples, (1,)), section, rate)
    height, width = section.shape(samples, rate)
    expected_frequencies = resized(np.tile(frequencies[:, None], len(times)), section.height)[:, 0]
    expected_times = resized(np.tile(times, (len(frequencies), 1)), section.height)[0]
    found = image_axes(samples, section, rate)
    np.testing.assert_allclose(found[0], expected_frequencies)
    np.testing.assert_allclose(found[1], expected_times)
    assert (len(found[0]), len(found[1])) == (height, width)


def test_the_paper_gets_128_rows_and_the_width_grows_in_proportion():
    assert spectrogram(torch.zeros(2, 24, 16_000), Spectrogram(), 1000.0).shape == (2, 24, 128, 711)


def test_float32_stays_float32_and_is_as_good():
    x = torch.from_numpy(waveforms(16_000))
    exact, quick = spectrogram(x, Spectrogram(), 1000.0), spectrogram(x.float(), Spectrogram(), 1000.0)
    assert quick.dtype == torch.float32
    torch.testing.assert_close(quick.double(), exact, atol=1e-5, rtol=0)


def test_a_silent_channel_is_zero_and_changes_no_other():
    x = torch.from_numpy(waveforms(16_000, (1, 3)))
    x[:, 1] = 0
    for scale in ("min_max", "standard"):
        for logarithm in ("plus_one", "relative", "none"):
            section = Spectrogram(scale=scale, logarithm=logarithm)
            images = spectrogram(x, section, 1000.0)
            assert torch.equal(images[:, 1], torch.zeros(1, 128, 711, dtype=torch.float64))
            torch.testing.assert_close(images[:, 2], spectrogram(x[:, 2], section, 1000.0))


def test_the_relative_logarithm_knows_no_unit():
    x, section = torch.from_numpy(waveforms(16_000, (1, 1))), Spectrogram(logarithm="relative")
    torch.testing.assert_close(spectrogram(1e-6 * x, section, 1000.0), spectrogram(x, section, 1000.0))


def test_standardised_images_have_mean_zero_and_variance_one():
    images = spectrogram(torch.from_numpy(waveforms(16_000)), Spectrogram(scale="standard", height=0), 1000.0)
    np.testing.assert_allclose(images.mean(dim=(-2, -1)), 0, atol=1e-12)
    np.testing.assert_allclose(images.var(dim=(-2, -1), correction=0), 1)


def test_a_shrunk_image_keeps_what_lies_between_the_rows_that_remain():
    tone = torch.sin(2 * torch.pi * 102.0 * torch.arange(16_000) / 1000.0)[None]
    fine = Spectrogram(window_s=1.0, overlap=0.9, scale="none", logarithm="none", height=0)
    tall, small = spectrogram(tone, fine, 1000.0), spectrogram(tone, replace(fine, height=50), 1000.0)
    assert small.shape == (1, 50, 15)
    assert float(small.mean()) == pytest.approx(float(tall.mean()), rel=0.05)


@pytest.mark.parametrize(("logarithm", "given"), [("none", "magnitude"), ("relative", "log")])
def test_an_stft_image_is_the_very_tensor_that_a_classifier_is_given(logarithm, given):
    section = Spectrogram(
        image="stft", window_s=3.2, overlap=0.875, window="hann", band_hz=(1.0, 8.0), logarithm=logarithm
    )
    settings = Preprocessing(
        sampling_rate_hz=20, band_hz=(1, 8), window_s=36, stft_length=64, stft_hop=8, stft_window="hann", input=given
    )
    x = waveforms(720).astype(np.float32)
    found = spectrogram(torch.from_numpy(x), section, 20.0)
    torch.testing.assert_close(found, network_inputs(x, Recipe(preprocessing=settings)).contiguous())
    assert tuple(found.shape[-2:]) == section.shape(720, 20.0)
    assert [len(axis) for axis in image_axes(720, section, 20.0)] == list(found.shape[-2:])
    assert classifier_settings(720, section, 20.0) == Preprocessing(**{**vars(settings), "step_s": 1.0})


def test_a_window_shorter_than_a_frame_is_refused():
    with pytest.raises(UnusableWaveform, match="79 samples, but its spectrogram slides 80"):
        spectrogram(torch.zeros(1, 79), Spectrogram(), 1000.0)
