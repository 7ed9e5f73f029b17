"""Short-time Fourier transform: the map that the network is given and the expert is shown."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal
from torch import Tensor
from torch.nn import functional as F

from mlcore.config import Preprocessing

CHUNK = 64  # windows; torch.stft slows down beyond


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


def stft_axes(preprocessing: Preprocessing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in Hz (freq,) and the frames' centres in seconds from the window's start (time,)."""
    length, hop = preprocessing.stft_length, preprocessing.stft_hop
    frequencies = np.arange(length // 2 + 1, dtype=np.float64) * preprocessing.sampling_rate_hz / length
    centres = np.arange(frame_count(preprocessing.window_samples, preprocessing), dtype=np.float64) * hop
    return frequencies, centres / np.float64(preprocessing.sampling_rate_hz)


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
