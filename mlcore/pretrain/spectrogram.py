"""Spectrograms of a batch at once, on the device where the samples are. Lee et al. 2022, section 4.1, preprocessing."""

import numpy as np
import torch
from scipy import signal
from torch import Tensor
from torch.nn import functional as F

from mlcore.config import Preprocessing
from mlcore.errors import UnusableWaveform
from mlcore.pretrain.config import Spectrogram
from mlcore.stft import stft_axes, stft_input, stft_magnitude


def spectrogram(waveforms: Tensor, section: Spectrogram, sampling_rate_hz: float) -> Tensor:
    """waveforms (…, samples) → images (…, freq, time), of the same dtype and device.

    Equals scipy.signal.spectrogram (power density; the mean of each frame removed), the logarithm, each channel scaled
    by itself, and bilinear resizing to `height` rows, the width growing by the same factor. A channel without any
    variation (a masked one) is 0 throughout. Raises UnusableWaveform where the samples do not fill one frame.
    With `image = "stft"`, what a classifier is given of each channel instead.
    """
    if section.image == "stft":
        return _stft(waveforms, classifier_settings(waveforms.shape[-1], section, sampling_rate_hz))
    flat = waveforms.reshape(-1, waveforms.shape[-1])
    power = _power(flat, section, sampling_rate_hz)
    images = _resized(_scaled(_logarithm(power, section), section), section.height)
    return images.reshape(*waveforms.shape[:-1], *images.shape[1:])


def image_axes(samples: int, section: Spectrogram, sampling_rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Of an image of so many samples: frequencies in Hz (freq,), centres of columns in s (time,)."""
    if section.image == "stft":
        return stft_axes(classifier_settings(samples, section, sampling_rate_hz))
    length, overlap = section.samples(sampling_rate_hz)
    height, width = section.shape(samples, sampling_rate_hz)
    frequencies = np.array(section.rows(sampling_rate_hz)) * sampling_rate_hz / length
    frames = (samples - length) // (length - overlap) + 1
    times = (np.arange(frames) * (length - overlap) + length / 2) / sampling_rate_hz
    return _resampled_axis(frequencies, height), _resampled_axis(times, width)


def classifier_settings(samples: int, section: Spectrogram, sampling_rate_hz: float) -> Preprocessing:
    """The settings of a classifier that is given what an encoder with `image = "stft"` sees."""
    length, overlap = section.samples(sampling_rate_hz)
    return Preprocessing(
        sampling_rate_hz=sampling_rate_hz,
        band_hz=(section.band_hz[0], section.band_hz[1]),
        window_s=samples / sampling_rate_hz,
        stft_length=length,
        stft_hop=length - overlap,
        stft_window=section.window,  # type: ignore[arg-type]  # not tukey: the section refuses that
        input="log" if section.logarithm == "relative" else "magnitude",
    )


def _stft(waveforms: Tensor, settings: Preprocessing) -> Tensor:
    """waveforms (…, samples) → (…, freq, time)"""
    flat = waveforms.reshape(-1, 1, waveforms.shape[-1])
    images = stft_input(stft_magnitude(flat, settings), settings)
    return images.reshape(*waveforms.shape[:-1], *images.shape[2:])


def _power(waveforms: Tensor, section: Spectrogram, sampling_rate_hz: float) -> Tensor:
    """waveforms (n, samples) → power density (n, freq, time), one-sided"""
    length, overlap = section.samples(sampling_rate_hz)
    if waveforms.shape[-1] < length:
        raise UnusableWaveform(
            f"A window has {waveforms.shape[-1]} samples, but its spectrogram slides {length} samples "
            f"({section.window_s:g} s at {sampling_rate_hz:g} Hz). "
            "Lengthen the window, or shorten spectrogram.window_s."
        )
    taper = torch.as_tensor(_taper(section, length), dtype=waveforms.dtype, device=waveforms.device)
    frames = waveforms.unfold(-1, length, length - overlap)  # (n, time, length), a view
    frames = (frames - frames.mean(dim=-1, keepdim=True)) * taper
    power = torch.fft.rfft(frames).abs().square() / (sampling_rate_hz * taper.square().sum())
    last = power.shape[-1] - (length + 1) % 2  # of an even length, Nyquist's row has no negative twin
    power[..., 1:last] *= 2
    rows = section.rows(sampling_rate_hz)
    return power[..., rows.start : rows.stop].transpose(-1, -2)


def _logarithm(power: Tensor, section: Spectrogram) -> Tensor:
    if section.logarithm == "none":
        return power
    if section.logarithm == "plus_one":
        return torch.log10(power + 1)
    peak = power.amax(dim=(-2, -1), keepdim=True)
    return torch.log10(power + section.floor * torch.where(peak > 0, peak, 1.0))


def _scaled(images: Tensor, section: Spectrogram) -> Tensor:
    """images (n, freq, time), each to 0…1, or to mean 0 and variance 1; of one that does not vary, 0"""
    if section.scale == "none":
        return images
    low, high = images.amin(dim=(-2, -1), keepdim=True), images.amax(dim=(-2, -1), keepdim=True)
    varies = high > low
    if section.scale == "min_max":
        return torch.where(varies, (images - low) / torch.where(varies, high - low, 1.0), 0.0)
    centred = images - images.mean(dim=(-2, -1), keepdim=True)
    spread = centred.square().mean(dim=(-2, -1), keepdim=True).sqrt()
    return torch.where(varies, centred / torch.where(varies, spread, 1.0), 0.0)


def _resized(images: Tensor, height: int) -> Tensor:
    """images (n, freq, time) → (n, height, time · height / freq), bilinear; averaged where it shrinks"""
    rows, columns = images.shape[-2:]
    if not height or height == rows:
        return images
    size = (height, max(1, int(columns * height / rows)))
    resized = F.interpolate(images[:, None], size, mode="bilinear", align_corners=False, antialias=height < rows)
    return resized[:, 0]


def _taper(section: Spectrogram, length: int) -> np.ndarray:
    shape = ("tukey", 0.25) if section.window == "tukey" else section.window
    return np.asarray(signal.get_window(shape, length))


def _resampled_axis(values: np.ndarray, count: int) -> np.ndarray:
    """The axis that an image of `count` points has after resizing from one of `values`, linear between centres."""
    places = (np.arange(count) + 0.5) * len(values) / count - 0.5
    return np.asarray(np.interp(places, np.arange(len(values)), values))
