"""The STFT of windows that overlap: each frame transformed once for all windows that hold it.

A window's magnitudes are linear in what normalising does to its samples, so they follow from the record's own frames:
with m the window's mean, s what it is divided by, w the taper and T its transform,
    |STFT of (x − m) / s| = |F − m T| / s      F the record's frame at the same samples
Frames that reach beyond the window see zeros there, and are transformed for each window by themselves.
"""

from dataclasses import dataclass
from math import gcd

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor

from mlcore.config import Preprocessing
from mlcore.stft import frame_count, padding, taper_of

CHUNK = 1024  # frames at once; more fall out of the cache
NEGLIGIBLE = 1e-9  # of the taper's sum: bins of T below this are left by rounding


@dataclass(frozen=True)
class Layout:
    """Where a window's frames lie on a grid of frames `grid` samples apart that serves all windows of a record."""

    length: int  # samples of a frame
    hop: int
    grid: int
    step: int  # frames of the grid between two windows
    before: int  # frames that begin before the window
    whole: int  # frames within the window
    after: int  # frames that end behind it
    first: int  # sample of the window at which the first whole frame begins

    @classmethod
    def of(cls, preprocessing: Preprocessing) -> "Layout":
        length, hop, samples = preprocessing.stft_length, preprocessing.stft_hop, preprocessing.window_samples
        half, frames = padding(samples, preprocessing)[0], frame_count(samples, preprocessing)
        before = -(-half // hop)
        whole = max((samples - length + half) // hop + 1 - before, 0)
        grid = gcd(hop, preprocessing.step_samples)
        step = preprocessing.step_samples // grid
        return cls(length, hop, grid, step, before, whole, frames - before - whole, before * hop - half)

    @property
    def pays(self) -> bool:
        """Whether sharing leaves fewer frames to transform than each window by itself."""
        return self.whole > 0 and self.step + self.before + self.after < 0.8 * (self.before + self.whole + self.after)


class SharedFrames:
    """STFT magnitudes of normalised windows one step apart over data (components, samples), without gaps.

    Equal those of `stft_magnitude` of `normalise` of each window, to float32's rounding. `plain` (n,) tells the windows
    that need `normalise` itself: those whose mean drowns what is around it.
    """

    def __init__(self, data: NDArray[np.float64], preprocessing: Preprocessing):
        self.preprocessing, self.layout = preprocessing, Layout.of(preprocessing)
        data = data / (np.abs(data).max(initial=0.0) or 1.0)  # squares in float32 neither vanish nor overflow
        self.data = torch.as_tensor(data, dtype=torch.float32)
        self.mean, self.scale, self.plain = _normalising(data, preprocessing)
        self.taper = torch.as_tensor(taper_of(preprocessing), dtype=torch.float32)
        transform = torch.fft.rfft(torch.as_tensor(taper_of(preprocessing)))
        self.total = float(taper_of(preprocessing).sum())
        self.lifted = torch.nonzero(transform.abs() > NEGLIGIBLE * self.total).flatten()  # bins that a mean changes
        self.transform = transform[self.lifted].to(torch.complex64)
        self.magnitudes, self.complex = self._record_frames()

    def inputs(self, rows: NDArray[np.intp]) -> Tensor:
        """Magnitudes of these windows, float32 (n, components, freq, time), laid out channels last."""
        layout, divisor = self.layout, torch.as_tensor(self.scale[rows] * self.total, dtype=torch.float32)
        mean = torch.as_tensor(self.mean[rows], dtype=torch.float32)
        frames, components = layout.before + layout.whole + layout.after, len(self.data)
        out = torch.empty(len(rows), layout.length // 2 + 1, frames, components)
        inside = slice(layout.before, layout.before + layout.whole)
        self._cut(out, rows, inside)
        lifted = self._gather(self.complex, rows) - mean[:, None, None] * self.transform[:, None, None]
        out[:, self.lifted, inside] = _magnitudes(lifted)
        if layout.before:
            out[:, :, : layout.before] = self._edge(rows, mean, at_start=True)
        if layout.after:
            out[:, :, inside.stop :] = self._edge(rows, mean, at_start=False)
        out /= divisor[:, None, None]
        return out.permute(0, 3, 1, 2)

    def _record_frames(self) -> tuple[Tensor, Tensor]:
        """Magnitudes (freq, frames, components) of all frames of the grid, and the lifted bins as they are."""
        frames = self.data[:, self.layout.first % self.layout.grid :].unfold(-1, self.layout.length, self.layout.grid)
        count, bins = frames.shape[1], self.layout.length // 2 + 1
        magnitudes = torch.empty(bins, count, len(self.data))
        lifted = torch.empty(len(self.lifted), count, len(self.data), dtype=torch.complex64)
        for start in range(0, count, CHUNK):
            part = slice(start, start + CHUNK)
            spectra = torch.fft.rfft(frames[:, part] * self.taper).permute(2, 1, 0)
            magnitudes[:, part], lifted[:, part] = _magnitudes(spectra), spectra[self.lifted]
        return magnitudes, lifted

    def _cut(self, out: Tensor, rows: NDArray[np.intp], inside: slice) -> None:
        layout = self.layout
        stride, first = layout.hop // layout.grid, layout.first // layout.grid
        for row, window in zip(rows.tolist(), out, strict=True):
            start = first + row * layout.step
            window[:, inside] = self.magnitudes[:, start : start + (layout.whole - 1) * stride + 1 : stride]

    def _gather(self, spectra: Tensor, rows: NDArray[np.intp]) -> Tensor:
        """Frames of windows, (n, bins, whole, components), from (bins, frames, components)."""
        layout = self.layout
        stride, first = layout.hop // layout.grid, layout.first // layout.grid
        starts = torch.as_tensor(rows) * layout.step + first
        return spectra[:, starts[:, None] + stride * torch.arange(layout.whole)].transpose(0, 1)

    def _edge(self, rows: NDArray[np.intp], mean: Tensor, *, at_start: bool) -> Tensor:
        """Magnitudes of the frames that reach beyond windows at their start or end, (n, freq, frames, components)."""
        layout, samples = self.layout, self.preprocessing.window_samples
        before, after = padding(samples, self.preprocessing)
        count = layout.before if at_start else layout.after
        reach = (count - 1) * layout.hop + layout.length - (before if at_start else after)
        starts = torch.as_tensor(rows) * self.preprocessing.step_samples + (0 if at_start else samples - reach)
        pieces = self.data[:, starts[:, None] + torch.arange(reach)] - mean.T[:, :, None]
        padded = torch.nn.functional.pad(pieces, (before, 0) if at_start else (0, after))
        spectra = torch.fft.rfft(padded.unfold(-1, layout.length, layout.hop) * self.taper)
        return _magnitudes(spectra).permute(1, 3, 2, 0)


def _magnitudes(spectra: Tensor) -> Tensor:
    """|spectra|, several times as fast as torch's abs, which minds overflow."""
    parts = torch.view_as_real(spectra).square()
    return (parts[..., 0] + parts[..., 1]).sqrt()


def _normalising(
    data: NDArray[np.float64], preprocessing: Preprocessing
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Mean and divisor of each window, (n, components), and which windows cannot be had by subtracting the mean."""
    length, step = preprocessing.window_samples, preprocessing.step_samples
    block = gcd(length, step)
    blocks = data[:, : data.shape[1] // block * block].reshape(len(data), -1, block)
    views = [
        sliding_window_view(part, length // block, axis=-1)[:, :: step // block]
        for part in (blocks.sum(axis=-1), blocks.max(axis=-1), blocks.min(axis=-1))
    ]
    mean, high, low = views[0].sum(axis=-1) / length, views[1].max(axis=-1), views[2].min(axis=-1)
    peak = np.maximum(high - mean, mean - low)
    drowned = np.abs(mean) > peak
    if preprocessing.normalise == "window":
        peak = np.broadcast_to(peak.max(axis=0), peak.shape)
    return mean.T, np.where(peak > 0, peak, 1.0).T, drowned.any(axis=0)
