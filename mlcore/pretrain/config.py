"""Settings of a pretraining: which windows, as which spectrograms, in which views, learned by which method.

Defaults are those of Lee et al. 2022 (VNIbCReg), sections 3 and 4.1, for the recordings of Åknes. `Method.of` gives
what each other method's own paper uses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from mlcore.sections import RecipeFile, Section, not_negative, positive, require, share

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
        positive(self, "sampling_rate_hz", "window_s", "step_s", "filter_order")
        share(self, "maximum_gap")
        require(self.step_samples >= 1, f"pool.step_s is {self.step_s:g} s, less than one sample.")
        _require_band("pool.band_hz", self.band_hz, below=self.sampling_rate_hz / 2)


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

    def __post_init__(self) -> None:
        positive(self, "window_s", "floor")
        not_negative(self, "height")
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

    def __post_init__(self) -> None:
        positive(self, "crop_share")
        share(self, "crop_share")
        not_negative(self, "shift_share")
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
        positive(self, "width", "blocks")
        not_negative(self, "kernels")
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
        positive(self, "target_std", "epsilon", "projector", "iterations", "groups")
        not_negative(self, "invariance", "variance", "covariance", "redundancy", "neighbouring")
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
        positive(self, "epochs", "learning_rate", "checkpoint_every")
        not_negative(self, "weight_decay", "gradient_norm", "seed")
        require(
            self.batch_size >= 2,
            f"training.batch_size is {self.batch_size}, but variances need at least 2 windows in a batch.",
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
        positive(self, "epochs", "batch_size", "encoder_learning_rate", "classifier_learning_rate", "neighbours")
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
        _require_band("spectrogram.band_hz", self.spectrogram.band_hz, below=rate / 2)
        require(
            self.method.tnc == "none" or self.views.crop == "neighbouring",
            f"method.tnc is {self.method.tnc!r}, which tells neighbours from others, but views.crop is 'random'. "
            "Choose crop = 'neighbouring', or tnc = 'none'.",
        )


def _require_band(name: str, band_hz: tuple[float, ...], below: float = float("inf")) -> None:
    listed = "–".join(f"{edge:g}" for edge in band_hz)
    require(len(band_hz) in (0, 2), f"{name} has {len(band_hz)} values, but must have 2 (low and high), or none.")
    require(
        not band_hz or 0 <= band_hz[0] < band_hz[1] <= below,
        f"{name} is {listed} Hz, but must rise from 0 or above"
        + (f" to at most {below:g} Hz." if below < 1e9 else "."),
    )
