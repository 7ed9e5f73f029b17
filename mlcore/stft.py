"""Short-time Fourier transform: the map that the network is given and the expert is shown."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal
from torch import Tensor
from torch.nn import functional as F

from mlcore.config import Preprocessing

CHUNK = 64  # windows; torch.stft slows down beyond
FLOOR = 0.01  # of a component's largest magnitude, under the logarithm: what is 40 dB below says nothing


def stft_magnitude(windows: Tensor, preprocessing: Preprocessing) -> Tensor:
    """windows (n, components, samples) → magnitudes (n, components, freq, time), of the same dtype.

    Equals |scipy.signal.stft| with its zero boundary, padding and scaling; with a boxcar of 128 and hop 40, 3,750
    samples give 65 × 95: Jiang et al. 2024, section 4.2, with the overlap of 88 that fits the paper's shape.
    """
    length, hop = preprocessing.stft_length, preprocessing.stft_hop
    n, components, samples = windows.shape
    if n == 0:  # torch's Fourier transform refuses
        return windows.new_zeros(0, components, length // 2 + 1, frame_count(samples, preprocessing))
    taper = torch.as_tensor(taper_of(preprocessing), dtype=windows.dtype, device=windows.device)
    padded = F.pad(windows.reshape(n * components, samples), padding(samples, preprocessing))
    chunks = [
        torch.stft(chunk, length, hop, length, taper, center=False, return_complex=True).abs() / taper.sum()
        for chunk in padded.split(CHUNK)
    ]
    return torch.cat(chunks).reshape(n, components, *chunks[0].shape[1:])


def stft_input(magnitudes: Tensor, preprocessing: Preprocessing) -> Tensor:
    """What the network is given of magnitudes (n, components, freq, time): themselves, or their logarithm.

    The logarithm, for recipes that ask for it, is ln(m + max m / 100) of the rows within the band (the filter has left
    nothing in the others), minus its mean, each component by itself. A component that is silent throughout stays 0.
    """
    if preprocessing.input == "magnitude":
        return magnitudes
    rows = magnitudes[:, :, torch.as_tensor(_in_band(preprocessing), device=magnitudes.device)]
    peak = rows.amax(dim=(-2, -1), keepdim=True)
    level = torch.log(rows + FLOOR * torch.where(peak > 0, peak, 1.0))
    return torch.where(peak > 0, level - level.mean(dim=(-2, -1), keepdim=True), 0.0)


def stft_axes(preprocessing: Preprocessing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the network's input: frequencies in Hz (freq,), frames' centres in s from the window's start (time,)."""
    centres = np.arange(frame_count(preprocessing.window_samples, preprocessing), dtype=np.float64)
    times = centres * preprocessing.stft_hop / np.float64(preprocessing.sampling_rate_hz)
    frequencies = _frequencies(preprocessing)
    return (frequencies if preprocessing.input == "magnitude" else frequencies[_in_band(preprocessing)]), times


def _frequencies(preprocessing: Preprocessing) -> NDArray[np.float64]:
    rows = np.arange(preprocessing.stft_length // 2 + 1, dtype=np.float64)
    return np.asarray(rows * preprocessing.sampling_rate_hz / preprocessing.stft_length)


def _in_band(preprocessing: Preprocessing) -> NDArray[np.intp]:
    low, high = preprocessing.band_hz
    frequencies = _frequencies(preprocessing)
    return np.flatnonzero((frequencies >= low) & (frequencies <= high))


def frame_count(samples: int, preprocessing: Preprocessing) -> int:
    """Frames of a window of `samples`."""
    padded = samples + sum(padding(samples, preprocessing))
    return (padded - preprocessing.stft_length) // preprocessing.stft_hop + 1


def taper_of(preprocessing: Preprocessing) -> NDArray[np.float64]:
    """The weights of a frame's samples, (stft_length,)."""
    return np.asarray(signal.get_window(preprocessing.stft_window, preprocessing.stft_length))


def padding(samples: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """Zeros before and after: half a frame each, so that edges are seen, then up to a whole number of hops."""
    half = preprocessing.stft_length // 2
    beyond = samples + 2 * half - preprocessing.stft_length
    return half, half + (-beyond) % preprocessing.stft_hop
