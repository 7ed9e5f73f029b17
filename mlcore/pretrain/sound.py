"""Views made as sounds are: stretched in time, shifted in pitch, with noise added. Dias et al. 2023, Table 2.

Of the three, two are drawn for each window, each with a value from the table. All keep a window's length.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

FRAMES = 16  # of a window, about, which the vocoder's frame is long
SHORTEST = 16  # samples of a frame

Change = Callable[[Tensor, float, torch.Generator], Tensor]


def augmented(waveforms: Tensor, generator: torch.Generator) -> Tensor:
    """waveforms (n, samples) → the same shape, each changed by two of the three ways

    The generator is on the CPU, so that the same seed gives the same draws on every device.
    """
    changed = waveforms.clone()
    order = torch.rand(len(waveforms), len(CHANGES), generator=generator).argsort(dim=1)
    for place in range(2):
        for number, (change, values) in enumerate(CHANGES):
            drawn = torch.randint(len(values), (len(waveforms),), generator=generator)
            for row, value in enumerate(values):
                chosen = ((order[:, place] == number) & (drawn == row)).nonzero()[:, 0].to(waveforms.device)
                if len(chosen):
                    changed[chosen] = change(changed[chosen], value, generator)
    return changed


def stretched(waveforms: Tensor, rate: float, generator: torch.Generator | None = None) -> Tensor:
    """waveforms (n, samples), `rate` times as fast at the same pitch → the same shape, cut or padded with 0"""
    return _of_length(vocoded(waveforms, rate), waveforms.shape[-1])


def shifted(waveforms: Tensor, steps: float, generator: torch.Generator | None = None) -> Tensor:
    """waveforms (n, samples), so many semitones higher at the same speed → the same shape

    Stretched, then brought to its old length by the Fourier transform, as scipy.signal.resample does.
    """
    slowed = vocoded(waveforms, 2 ** (-steps / 12))
    samples = waveforms.shape[-1]
    spectrum = torch.fft.rfft(slowed)
    return torch.fft.irfft(_of_length(spectrum, samples // 2 + 1), samples) * (samples / slowed.shape[-1])


def noisy(waveforms: Tensor, ratio_db: float, generator: torch.Generator) -> Tensor:
    """waveforms (n, samples) with white noise, `ratio_db` below their own power → the same shape"""
    noise = torch.randn(waveforms.shape, generator=generator).to(waveforms)
    size = waveforms.square().mean(dim=-1, keepdim=True).sqrt()
    return waveforms + noise * size * 10 ** (-ratio_db / 20)


def vocoded(waveforms: Tensor, rate: float) -> Tensor:
    """waveforms (n, samples) → (n, samples / rate), rounded: faster or slower at the same pitch, by a phase vocoder

    Magnitudes are taken between frames; phases advance as they do from each frame to the next. Flanagan & Golden 1966.
    """
    frame = max(2 ** round(math.log2(waveforms.shape[-1] / FRAMES)), SHORTEST)
    hop, window = frame // 4, torch.hann_window(frame, dtype=waveforms.dtype, device=waveforms.device)
    spectra = torch.stft(waveforms, frame, hop, window=window, return_complex=True)  # (n, freq, time)
    places = torch.arange(0, spectra.shape[-1], rate, dtype=waveforms.dtype, device=waveforms.device)
    before, between = places.long(), places % 1
    spectra = F.pad(spectra, (0, 2))
    first, second = spectra[..., before], spectra[..., before + 1]
    magnitude = first.abs().lerp(second.abs(), between)
    expected = torch.arange(frame // 2 + 1, device=waveforms.device)[:, None] * (2 * math.pi * hop / frame)
    turn = second.angle() - first.angle() - expected
    advance = expected + turn - 2 * math.pi * torch.round(turn / (2 * math.pi))
    phase = torch.cat([first[..., :1].angle(), advance[..., :-1]], dim=-1).cumsum(dim=-1)
    length = round(waveforms.shape[-1] / rate)
    return torch.istft(torch.polar(magnitude, phase), frame, hop, window=window, length=length)


def _of_length(values: Tensor, length: int) -> Tensor:
    """values (…, m) → (…, length), cut or padded with 0 at the end"""
    return F.pad(values, (0, max(length - values.shape[-1], 0)))[..., :length]


# How, and the values of Table 2: a factor, semitones, dB between signal and noise.
CHANGES: tuple[tuple[Change, tuple[float, ...]], ...] = (
    (stretched, (0.7, 0.8, 0.9, 1.1, 1.2, 1.3)),
    (shifted, (-12.0, -6.0, -3.0, 3.0, 6.0, 12.0)),
    (noisy, (2.0, 4.0, 6.0, 8.0, 10.0, 12.0)),
)
