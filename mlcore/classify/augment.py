"""Training windows, altered: what a class may look like under other noise, at another place, on a lesser record.

Every draw comes from the generator of the epoch, so a run that is resumed draws what it would have drawn. Whatever is 0
in the recipe is off. What was not recorded stays empty: nothing is added to a gap or a missing component.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlcore.config import Preprocessing, Recipe, Training
from mlcore.windows import normalise

NOISE_SNR_DB = (0.0, 20.0)  # of a window over the noise that is mixed in: from as strong to hardly seen

Windows = NDArray[np.float32]


def alters_windows(training: Training, noise: Windows | None = None) -> bool:
    """Whether this recipe alters windows before the STFT (their position aside): else its result can be kept."""
    mixes = bool(training.noise_mixing) and noise is not None and len(noise) > 0
    return bool(training.amplitude or training.channel_drop) or mixes


def augment_windows(
    windows: Windows,
    training: Training,
    preprocessing: Preprocessing,
    generator: torch.Generator,
    noise: Windows | None = None,
) -> Windows:
    """Windows with other gains, with noise mixed in, and some without one component; normalised again.

    windows (n, components, samples), noise (m, components, samples): windows of noise, of other events.
    """
    if not alters_windows(training, noise):
        return windows
    draws = _numpy_generator(generator)
    recorded = windows != 0  # a filtered record is never exactly 0
    altered = windows
    if training.amplitude:
        altered = change_gains(altered, training.amplitude, draws)
    if training.noise_mixing and noise is not None and len(noise):
        altered = mix_noise(altered, noise, training.noise_mixing, draws)
    if training.channel_drop:
        altered = drop_channels(altered, training.channel_drop, draws)
    return normalise(altered, preprocessing, recorded & (altered != 0)).astype(np.float32, copy=False)


def augment_inputs(inputs: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """The network's inputs (n, components, freq, time) with blanks in time and in frequency: SpecAugment, Park et al.
    2019, arXiv:1904.08779, one of each a window.

    A blank's width is drawn up to `time_mask_s` and `frequency_mask_hz`; it holds the component's least value, as
    silence would.
    """
    training, preprocessing = recipe.training, recipe.preprocessing
    if not (training.time_mask_s or training.frequency_mask_hz):
        return inputs
    draws = _numpy_generator(generator)
    frames = training.time_mask_s * preprocessing.sampling_rate_hz / preprocessing.stft_hop
    bins = training.frequency_mask_hz * preprocessing.stft_length / preprocessing.sampling_rate_hz
    blank = blanks(len(inputs), inputs.shape[-1], frames, draws)[:, None, None, :]
    blank = blank | blanks(len(inputs), inputs.shape[-2], bins, draws)[:, None, :, None]
    return torch.where(torch.from_numpy(blank), inputs.amin(dim=(-2, -1), keepdim=True), inputs)


def mix_pairs(inputs: Tensor, targets: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each example mixed with another one of its batch: mixup, Zhang et al. 2018, arXiv:1710.09412.

    inputs (n, …), targets (n, K) shares of classes → λ · example + (1 − λ) · other, of both; λ from Beta(α, α), the
    larger of λ and 1 − λ, so that an example stays more itself than the other.
    """
    if not alpha:
        return inputs, targets
    draws = _numpy_generator(generator)
    drawn = draws.beta(alpha, alpha, len(inputs)).astype(np.float32)
    share = torch.from_numpy(np.maximum(drawn, 1 - drawn))
    other = torch.from_numpy(draws.permutation(len(inputs)))
    by_input, by_target = share.view(-1, *[1] * (inputs.ndim - 1)), share.view(-1, 1)
    return (
        by_input * inputs + (1 - by_input) * inputs[other],
        by_target * targets + (1 - by_target) * targets[other],
    )


def change_gains(windows: Windows, amplitude: float, draws: np.random.Generator) -> Windows:
    """Each component times a gain that runs from one draw out of 1 ± `amplitude` to another over the window.

    One gain for a whole window would be taken back by normalising. So components change against each other, as where
    waves come from elsewhere, and early against late, as where they fade sooner.
    """
    first, last = draws.uniform(1 - amplitude, 1 + amplitude, (2, *windows.shape[:2], 1))
    ramp = np.linspace(0, 1, windows.shape[-1])
    return np.asarray(windows * (first + (last - first) * ramp), dtype=np.float32)


def mix_noise(windows: Windows, noise: Windows, share: float, draws: np.random.Generator) -> Windows:
    """A share of the windows with noise added, at a signal-to-noise ratio of 0 to 20 dB in power.

    The noise is one of `noise` (m, components, samples), begun at any sample and continued from its start, its sign
    drawn, too. The ratio is that of all components' mean squares, where the window was recorded.
    """
    mixed = windows.copy()
    for row in np.flatnonzero(draws.random(len(windows)) < share):
        other = np.roll(noise[draws.integers(len(noise))], draws.integers(noise.shape[-1]), axis=-1)
        other = np.where(windows[row] != 0, other, 0)
        power = np.square(other).sum()
        if power > 0:
            ratio = 10 ** (draws.uniform(*NOISE_SNR_DB) / 10)
            mixed[row] += draws.choice([-1, 1]) * np.sqrt(np.square(windows[row]).sum() / power / ratio) * other
    return mixed


def drop_channels(windows: Windows, share: float, draws: np.random.Generator) -> Windows:
    """A share of the windows without one of its components, if it has another."""
    dropped = windows.copy()
    for row in np.flatnonzero(draws.random(len(windows)) < share):
        present = np.flatnonzero(windows[row].any(axis=-1))
        if len(present) > 1:
            dropped[row, draws.choice(present)] = 0
    return dropped


def blanks(count: int, length: int, widest: float, draws: np.random.Generator) -> NDArray[np.bool_]:
    """One run of True in each row, of a width drawn from 0 to `widest`, anywhere. → (count, length)"""
    most = min(round(widest), length)
    widths = draws.integers(0, most + 1, count)
    starts = draws.integers(0, length - widths + 1)
    places = np.arange(length)
    return np.asarray((places >= starts[:, None]) & (places < (starts + widths)[:, None]))


def _numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """Numpy's draws for this batch, decided by the epoch's generator."""
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
