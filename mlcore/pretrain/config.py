"""Settings of a pretraining: which windows, as which spectrograms, in which views, learned by which method.

Defaults are those of Lee et al. 2022 (VNIbCReg), sections 3 and 4.1, for the recordings of Åknes. `Method.of` gives
what each other method's own paper uses.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from mlcore.pretrain import bounds
from mlcore.sections import RecipeFile, Section, not_negative, positive, require, share, within

MethodName = Literal["vnibcreg", "vibcreg", "vicreg", "barlow_twins"]
EncoderName = Literal["resnet18", "resnet34", "resnet50", "mobilenetv3", "inceptionv3", "simplecnn", "stft_cnn"]


@dataclass(frozen=True)
class Pool(Section):
    """From recordings to windows of any number of channels; each channel is a sensor of the same event."""

    sampling_rate_hz: float = 1000.0
    components: tuple[str, ...] = ()  # empty: every channel that was recorded
    band_hz: tuple[float, ...] = ()  # empty: not filtered
    filter_order: int = 4
    zero_phase: bool = True
    detrend: Literal["mean", "linear"] = "mean"  # of what is filtered, from each recorded stretch
    taper: bool = True  # its cosine ends
    window_s: float = 16.0
    step_s: float = 16.0
    maximum_gap: float = 0.2  # share of a channel's window that may be missing; beyond, the channel is masked
    normalise: Literal["none", "channel", "window"] = "none"  # demeaned, and divided by the peak of each, or of all

    @property
    def window_samples(self) -> int:
        return round(self.window_s * self.sampling_rate_hz)

    @property
    def step_samples(self) -> int:
        return round(self.step_s * self.sampling_rate_hz)

    def __post_init__(self) -> None:
        positive(self, "sampling_rate_hz", "window_s", "step_s")
        within(self, 1, bounds.MOST_FILTER_ORDER, "filter_order")
        within(self, 0, bounds.FASTEST_HZ, "sampling_rate_hz")
        within(self, 0, bounds.LONGEST_S, "window_s", "step_s")
        require(
            0 <= self.maximum_gap <= 1,
            f"pool.maximum_gap is {self.maximum_gap:g}, but must be from 0 to 1: a share of a window.",
        )
        require(self.step_samples >= 1, f"pool.step_s is {self.step_s:g} s, less than one sample. Lengthen it.")
        require(self.window_samples >= 2, f"pool.window_s is {self.window_s:g} s, less than two samples. Lengthen it.")
        _require_components(self.components)
        _require_passed("pool.band_hz", self.band_hz, self.sampling_rate_hz)


@dataclass(frozen=True)
class Spectrogram(Section):
    """From a channel's samples to an image.

    spectrogram  scipy.signal.spectrogram, logarithm, scaling, resizing, in this order, with the settings below
    stft         what a classifier is given, for an encoder that is to become one: magnitudes of a transform with this
                 window and overlap, or, where logarithm is "relative", the classifier's logarithm of band_hz
    """

    image: Literal["spectrogram", "stft"] = "spectrogram"
    window_s: float = 0.08
    overlap: float = 0.125  # share of the sliding window
    window: Literal["tukey", "hann", "boxcar", "hamming", "blackman"] = "tukey"  # tukey: scipy's default, shape 0.25
    band_hz: tuple[float, ...] = ()  # rows that are kept; empty: all
    # plus_one: log10(S + 1), of counts. relative: log10(S + floor · max S), of windows whose unit says nothing
    logarithm: Literal["plus_one", "relative", "none"] = "plus_one"
    floor: float = 1e-4  # under the relative logarithm: what is 40 dB below the largest says nothing
    scale: Literal["min_max", "standard", "none"] = "min_max"  # each channel by itself
    height: int = 128  # rows after resizing; the width grows by the same factor. 0: not resized

    def samples(self, sampling_rate_hz: float) -> tuple[int, int]:
        """Length of the sliding window and its overlap, in samples."""
        length = round(self.window_s * sampling_rate_hz)
        return length, int(length * self.overlap + 1e-9)  # a share such as 57 / 100 is rounded down otherwise

    def rows(self, sampling_rate_hz: float) -> range:
        """Numbers of the frequencies that are kept, each `sampling_rate_hz` / length above the one before."""
        length, _ = self.samples(sampling_rate_hz)
        low, high = self.band_hz or (0.0, math.inf)
        first = max(int(low * length / sampling_rate_hz) - 1, 0)
        last = min(int(min(high, sampling_rate_hz) * length / sampling_rate_hz) + 1, length // 2)
        while first * sampling_rate_hz / length < low:
            first += 1
        while last * sampling_rate_hz / length > high:
            last -= 1
        return range(first, last + 1)

    def shape(self, samples: int, sampling_rate_hz: float) -> tuple[int, int]:
        """(freq, time) of the image of so many samples."""
        length, overlap = self.samples(sampling_rate_hz)
        rows, hop = len(self.rows(sampling_rate_hz)), length - overlap
        if self.image == "stft":  # padded by half a frame, and to whole hops
            beyond = samples + length // 2 * 2 - length
            return (rows if self.logarithm == "relative" else length // 2 + 1), -(-beyond // hop) + 1
        frames = (samples - length) // hop + 1
        return (self.height, max(1, int(frames * self.height / max(rows, 1)))) if self.height else (rows, frames)

    def __post_init__(self) -> None:
        positive(self, "window_s", "floor")
        within(self, 0, bounds.LONGEST_S, "window_s")
        within(self, 0, 1, "floor")
        within(self, 0, bounds.HIGHEST, "height")
        require(
            0 <= self.overlap < 1, f"spectrogram.overlap is {self.overlap:g}, but must be from 0 to below 1: a share."
        )
        _require_band("spectrogram.band_hz", self.band_hz)
        require(
            self.image == "spectrogram" or (bool(self.band_hz) and self.window != "tukey"),
            "spectrogram.image is 'stft', which needs a classifier's settings: give band_hz, and another window than "
            "'tukey'.",
        )


@dataclass(frozen=True)
class Views(Section):
    """Which parts of a window a network compares: three crops of all frequencies, of two of its sensors."""

    crop: Literal["neighbouring", "random"] = "neighbouring"
    crop_share: float = 0.1  # of the spectrogram's width
    shift_share: float = 0.25  # of the crop's width: how far the neighbour may lie from the reference
    sensors: Literal["two", "one"] = "two"  # one: all crops of the same sensor; two: sensor invariance
    # samples: each crop is cut from the recording and made an image by itself, as a window to be classified is. So a
    # pool's windows may be several times as long as those, and a crop is as long as one of them.
    cut: Literal["image", "samples"] = "image"
    augment: Literal["none", "sound"] = "none"  # sound: each view stretched, shifted or noisy, as in Dias et al. 2023

    def columns(self, width: int) -> int:
        """How many of an image's columns a crop has: `crop_share` of them, rounded down; at least 1."""
        return max(1, int(width * self.crop_share + 1e-9))

    def has_room(self, width: int) -> bool:
        """Whether a crop, a neighbour and a non-neighbour find places in so many columns, wherever the crop is."""
        crop = self.columns(width)
        shift, last = self.shift_share * crop, width - crop
        return self.crop == "random" or (2 * math.floor(shift) <= last and (last + 1) // 2 > math.floor(shift + crop))

    def __post_init__(self) -> None:
        positive(self, "crop_share")
        share(self, "crop_share")
        within(self, 0, 1, "shift_share")
        needed = self.crop_share * (3 + 2 * self.shift_share)
        require(
            self.crop == "random" or needed <= 1,
            f"views.crop_share is {self.crop_share:g}: a crop, its shift of {self.shift_share:g} crops either way and "
            f"a non-neighbour beyond take up to {needed:.2f} of the width. Choose crop_share up to "
            f"{1 / (3 + 2 * self.shift_share):.3f}, or crop = 'random'.",
        )


@dataclass(frozen=True)
class Encoder(Section):
    """The network that is kept: image of a crop → representation y.

    Of images "stft", stft_cnn is the member of a classifier that is given the same, so that one can begin with it.
    """

    name: EncoderName = "resnet34"
    width: float = 1.0  # factor on the channels of every layer
    kernels: int = 0  # of stft_cnn: of its first block, whatever the width; 0: 16 · width
    blocks: int = 3  # of stft_cnn

    def __post_init__(self) -> None:
        positive(self, "width")
        within(self, 0, bounds.WIDEST, "width")
        within(self, 0, bounds.MOST_KERNELS, "kernels")
        within(self, 1, bounds.MOST_BLOCKS, "blocks")
        kernels = (self.kernels or round(16 * self.width)) * 2 ** (self.blocks - 1)
        require(
            self.name != "stft_cnn" or kernels <= bounds.MOST_KERNELS,
            f"encoder.kernels and encoder.blocks make a last block of {kernels} kernels, but at most "
            f"{bounds.MOST_KERNELS} fit into memory. Choose fewer of either.",
        )
        require(
            self.name == "stft_cnn" or (self.kernels, self.blocks) == (0, 3),
            f"encoder.kernels and encoder.blocks are of stft_cnn, but encoder.name is {self.name!r}. Leave them out.",
        )


@dataclass(frozen=True)
class Method(Section):
    """What pretraining minimises.

    From a table or `Method.of`, settings that are not given are those of the named method's paper: VNIbCReg and
    VIbCReg of Lee et al. 2022, VICReg and Barlow Twins of Dias et al. 2023, section 3.5.
    """

    name: MethodName = "vnibcreg"
    invariance: float = 10.0  # λ
    variance: float = 10.0  # μ
    covariance: float = 10.0  # ν
    target_std: float = 1.0  # γ
    epsilon: float = 1e-4  # ε
    # Of the squared differences, the mean over the features too, as the authors' code takes it: λ = 10 belongs to that.
    # False: their sum, as the paper's Eq. 3 is printed.
    invariance_mean: bool = True
    redundancy: float = 0.005  # λ of Barlow Twins
    tnc: Literal["none", "original", "modified"] = "modified"  # L†_tnc without, L_tnc with the correlation terms
    neighbouring: float = 13.0  # ρ
    projector: int = 4096  # width of its three layers
    iter_norm: bool = True  # whitening after the projector; VIbCReg's
    iterations: int = 5  # T of IterNorm
    groups: int = 64  # of IterNorm

    @classmethod
    def of(cls, name: MethodName, **settings: Any) -> Self:
        """The named method with its paper's values, but for `settings`."""
        return cls.from_dict({"name": name, **settings})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        name = values.get("name") if isinstance(values, Mapping) else None
        published = PUBLISHED.get(name, {}) if isinstance(name, str) else {}
        return super().from_dict({**published, **values} if published else values)

    def __post_init__(self) -> None:
        positive(self, "target_std", "epsilon")
        within(
            self, 0, bounds.HEAVIEST, "invariance", "variance", "covariance", "redundancy", "neighbouring", "target_std"
        )
        within(self, 0, 1, "epsilon")
        within(self, 2, bounds.MOST_FEATURES, "projector")
        within(self, 1, bounds.MOST_FEATURES, "groups")
        within(self, 1, bounds.MOST_ITERATIONS, "iterations")
        require(
            self.name != "vnibcreg" or self.tnc != "none",
            "method.name is 'vnibcreg' with tnc = 'none', which is VIbCReg. Choose name = 'vibcreg', or a tnc.",
        )
        require(
            not self.iter_norm or self.projector % self.groups == 0,
            f"method.projector is {self.projector}, which {self.groups} groups do not divide. "
            "Choose a multiple, or fewer groups.",
        )


PUBLISHED: dict[str, dict[str, Any]] = {
    "vibcreg": {"tnc": "none"},
    "vicreg": {
        "invariance": 25.0,
        "variance": 25.0,
        "covariance": 1.0,
        "tnc": "none",
        "projector": 512,
        "iter_norm": False,
    },
    "barlow_twins": {"tnc": "none", "projector": 512, "iter_norm": False},
}


@dataclass(frozen=True)
class Training(Section):
    """How the encoder learns from the pool: Adam with a cosine learning rate."""

    epochs: int = 300
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.0  # the authors' code has 1e-3
    gradient_norm: float = 0.0  # longer gradients are cut to this; 0: none. The authors' code has 0.5
    precision: Literal["auto", "bfloat16", "float32"] = "auto"  # auto: bfloat16 where the device multiplies it
    checkpoint_every: int = 10  # epochs
    seed: int = 0

    def __post_init__(self) -> None:
        positive(self, "learning_rate")
        within(self, 1, bounds.MOST_EPOCHS, "epochs", "checkpoint_every")
        within(self, 0, bounds.FASTEST_LEARNING, "learning_rate")
        within(self, 0, 1, "weight_decay")
        not_negative(self, "gradient_norm")
        within(self, 0, bounds.LARGEST_SEED, "seed")
        require(
            2 <= self.batch_size <= bounds.LARGEST_BATCH,
            f"training.batch_size is {self.batch_size}, but variances need at least 2 windows in a batch, and memory "
            f"holds at most {bounds.LARGEST_BATCH:,}.",
        )


@dataclass(frozen=True)
class Evaluation(Section):
    """What a representation is worth: linear evaluation and fine-tuning of Lee et al. 2022, section 4.1."""

    epochs: int = 100
    batch_size: int = 64
    encoder_learning_rate: float = 5e-4  # of fine-tuning; in the linear evaluation the encoder is frozen
    classifier_learning_rate: float = 1e-3
    # batch: in fine-tuning BatchNorm takes its statistics from the labelled windows; where these are few, what was
    # learned is lost. kept: it goes on with those of the pool. Random weights have none to keep.
    norms: Literal["batch", "kept"] = "batch"
    shares: tuple[float, ...] = (0.05, 0.1, 0.8)  # of labelled events that fine-tuning learns from
    test_share: float = 0.2  # of labelled events
    neighbours: int = 5  # of k-NN
    seeds: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self) -> None:
        positive(self, "encoder_learning_rate", "classifier_learning_rate")
        within(self, 0, bounds.FASTEST_LEARNING, "encoder_learning_rate", "classifier_learning_rate")
        within(self, 1, bounds.MOST_EPOCHS, "epochs")
        within(self, 1, bounds.LARGEST_BATCH, "batch_size", "neighbours")
        for seed in self.seeds:
            require(
                0 <= seed <= bounds.LARGEST_SEED,
                f"evaluation.seeds has {seed}, but seeds are from 0 to {bounds.LARGEST_SEED:,}.",
            )
        require(bool(self.seeds), "evaluation.seeds is empty. Give at least one.")
        require(0 < self.test_share < 1, f"evaluation.test_share is {self.test_share:g}, but must lie within 0–1.")
        for part in self.shares:
            require(
                0 < part <= 1 - self.test_share + 1e-9,
                f"evaluation.shares has {part:g}, but must lie above 0, and leave test_share {self.test_share:g}.",
            )


@dataclass(frozen=True)
class Pretraining(RecipeFile):
    """All settings of one pretrained encoder."""

    pool: Pool = field(default_factory=Pool)
    spectrogram: Spectrogram = field(default_factory=Spectrogram)
    views: Views = field(default_factory=Views)
    encoder: Encoder = field(default_factory=Encoder)
    method: Method = field(default_factory=Method)
    training: Training = field(default_factory=Training)
    evaluation: Evaluation = field(default_factory=Evaluation)

    def __post_init__(self) -> None:
        rate, samples = self.pool.sampling_rate_hz, self.pool.window_samples
        length, _ = self.spectrogram.samples(rate)
        of_crops = self.views.cut == "samples"
        shown = int(samples * self.views.crop_share + 1e-9) if of_crops else samples
        require(
            2 <= length <= shown,
            f"spectrogram.window_s is {self.spectrogram.window_s:g} s, {length} samples at {rate:g} Hz, but must be "
            f"from 2 to the {shown} samples of {'a crop' if of_crops else 'pool.window_s'}.",
        )
        if self.spectrogram.image == "stft":
            _require_passed("spectrogram.band_hz", self.spectrogram.band_hz, rate)
        _require_band("spectrogram.band_hz", self.spectrogram.band_hz, below=rate / 2)
        require(
            bool(self.spectrogram.rows(rate)),
            f"spectrogram.band_hz holds no frequency of an image, whose rows are {rate / length:g} Hz apart. Widen it, "
            "or lengthen spectrogram.window_s.",
        )
        require(
            self.method.tnc == "none" or self.views.crop == "neighbouring",
            f"method.tnc is {self.method.tnc!r}, which tells neighbours from others, but views.crop is 'random'. "
            "Choose crop = 'neighbouring', or tnc = 'none'.",
        )

    def require_room(self) -> None:
        """Raises BadConfiguration where a window of the pool has no room for the views that are to be cut from it."""
        samples, rate = self.pool.window_samples, self.pool.sampling_rate_hz
        of_samples = self.views.cut == "samples"
        width = samples if of_samples else self.spectrogram.shape(samples, rate)[1]
        require(
            self.views.has_room(width),
            f"pool.window_s is {self.pool.window_s:g} s, {width} {'samples' if of_samples else 'columns of an image'}: "
            f"too few for crops of {self.views.columns(width)} with neighbours and non-neighbours. Lengthen "
            "pool.window_s, shorten spectrogram.window_s, or shrink views.crop_share.",
        )


def _require_components(components: tuple[str, ...]) -> None:
    require(
        len(set(components)) == len(components),
        f"pool.components is {list(components)}, but must name each component once.",
    )
    for letter in components:
        require(
            len(letter) == 1 and letter.isascii() and (letter.isupper() or letter.isdigit()),
            f"pool.components has {letter[:20]!r}, but a component is one capital letter or digit such as Z.",
        )


def _require_passed(name: str, band_hz: tuple[float, ...], rate_hz: float) -> None:
    """A band that a filter can pass: within what the rate holds, and not so low that its coefficients are rounded."""
    _require_band(name, band_hz, below=rate_hz / 2)
    lowest, nyquist = rate_hz * bounds.LOWEST_BAND, rate_hz / 2
    require(
        not band_hz or (lowest <= band_hz[0] and band_hz[1] < nyquist),
        f"{name} is {_listed(band_hz)} Hz, but must rise from {lowest:g} Hz or above to below {nyquist:g} Hz, half the "
        "sampling rate. Narrow it, or leave it out.",
    )


def _listed(band_hz: tuple[float, ...]) -> str:
    return "–".join(f"{edge:g}" for edge in band_hz)


def _require_band(name: str, band_hz: tuple[float, ...], below: float = float("inf")) -> None:
    require(len(band_hz) in (0, 2), f"{name} has {len(band_hz)} values, but must have 2 (low and high), or none.")
    require(
        not band_hz or 0 <= band_hz[0] < band_hz[1] <= below,
        f"{name} is {_listed(band_hz)} Hz, but must rise from 0 or above"
        + (f" to at most {below:g} Hz." if below < 1e9 else "."),
    )
