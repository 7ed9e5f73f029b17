"""Settings of a model: how recordings become input, how the network learns, how its output becomes events.

Each section is a frozen dataclass that refuses values which cannot work. A `Recipe` holds one of each; it is read from
TOML, and travels with the model as JSON, so that training, classification and display prepare data identically.
Defaults are those of Jiang et al. 2024, sections 4.2–4.4, unless a comment says otherwise.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from mlcore.errors import BadConfiguration


class Section:
    """What all sections share: to and from plain dictionaries, strictly."""

    def to_dict(self) -> dict[str, Any]:
        """The section as values that JSON and TOML can hold."""
        return _plain(asdict(self))  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The section with `values` over its defaults. Raises BadConfiguration for unknown keys and wrong types."""
        section = _title(cls)
        if not isinstance(values, Mapping):
            raise BadConfiguration(f"{section} is {values!r}, but must be a table of settings.")
        hints = get_type_hints(cls)
        known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        for key in values:
            if key not in known:
                raise BadConfiguration(f"{section} has no setting {key!r}. Known settings: {', '.join(known)}.")
        return cls(**{key: _typed(hints[key], value, f"{section}.{key}") for key, value in values.items()})


@dataclass(frozen=True)
class Preprocessing(Section):
    """From a recording to the network's input. Part of the model: a model only sees data prepared its way."""

    sampling_rate_hz: float = 250.0
    components: tuple[str, ...] = ("Z", "N", "E")
    band_hz: tuple[float, float] = (5.0, 60.0)
    filter_order: int = 4  # Butterworth; not given in the paper
    zero_phase: bool = True  # onsets stay where they are; the filter is run both ways
    window_s: float = 15.0
    step_s: float = 1.0
    stft_length: int = 128  # samples
    stft_hop: int = 40  # samples; overlap 88 gives the paper's 95 frames
    stft_window: Literal["boxcar", "hann", "hamming", "blackman"] = "boxcar"
    normalise: Literal["window", "component"] = "window"  # divide by the peak of all components, or of each
    maximum_gap: float = 0.2  # share of a window that may be missing on every component

    @property
    def window_samples(self) -> int:
        return round(self.window_s * self.sampling_rate_hz)

    @property
    def step_samples(self) -> int:
        return round(self.step_s * self.sampling_rate_hz)

    @property
    def nyquist_hz(self) -> float:
        return self.sampling_rate_hz / 2

    def __post_init__(self) -> None:
        low, high = self.band_hz
        _positive(self, "sampling_rate_hz", "window_s", "step_s", "filter_order", "stft_length", "stft_hop")
        _require(
            0 < low < high < self.nyquist_hz,
            f"preprocessing.band_hz is {low:g}–{high:g} Hz, but must rise, start above 0, and end below the Nyquist "
            f"frequency {self.nyquist_hz:g} Hz of {self.sampling_rate_hz:g} Hz. Narrow the band or raise the rate.",
        )
        _require(
            bool(self.components) and len(set(self.components)) == len(self.components),
            f"preprocessing.components is {list(self.components)}, but must name at least one component, each once.",
        )
        for letter in self.components:
            _require(
                len(letter) == 1 and letter.isascii() and letter.isupper(),
                f"preprocessing.components has {letter!r}, but a component is one capital letter such as Z.",
            )
        _require(self.step_samples >= 1, f"preprocessing.step_s is {self.step_s:g} s, less than one sample.")
        _require(
            self.stft_length <= self.window_samples,
            f"preprocessing.stft_length is {self.stft_length} samples, longer than the window of "
            f"{self.window_samples}. Shorten it or lengthen window_s.",
        )
        _require(
            self.stft_hop <= self.stft_length,
            f"preprocessing.stft_hop is {self.stft_hop} samples, but beyond stft_length ({self.stft_length}) "
            "samples between frames would be ignored.",
        )
        _share(self, "maximum_gap")


@dataclass(frozen=True)
class Network(Section):
    """Size of the STFT-CNN; smaller than Jiang's, so that two cores train it in minutes."""

    width: int = 16  # kernels of the first block; each block doubles them
    blocks: int = 3
    dropout: float = 0.3

    def __post_init__(self) -> None:
        _positive(self, "width", "blocks")
        _share(self, "dropout")


@dataclass(frozen=True)
class Training(Section):
    """How a network learns, and which share of events it never sees."""

    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 7e-4
    plateau_factor: float = 0.9
    plateau_patience: int = 5  # epochs
    early_stopping: int = 5  # epochs without improvement; 0 never stops early
    test_share: float = 0.2  # of events
    validation_share: float = 0.15  # of events
    time_shift_s: float = 2.0  # training windows move by up to this, so that position says nothing about class
    seed: int = 0

    def __post_init__(self) -> None:
        _positive(self, "epochs", "batch_size", "learning_rate", "plateau_factor", "plateau_patience")
        _not_negative(self, "early_stopping", "time_shift_s", "seed")
        _share(self, "plateau_factor", "test_share", "validation_share")
        _require(
            self.test_share + self.validation_share < 1,
            f"training.test_share {self.test_share:g} and validation_share {self.validation_share:g} leave no events "
            "to learn from. Their sum must be below 1.",
        )


@dataclass(frozen=True)
class PostProcessing(Section):
    """From probabilities per step to events: Jiang et al. 2024, section 4.4; noise decision from the authors' script.

    Lengths are in steps of the sliding window.
    """

    threshold: float = 0.5
    median: int = 5
    gaussian_length: int = 15
    gaussian_sigma: float = 5.0
    noise_level: float = 0.18
    noise_before_s: float = 10.0
    noise_after_s: float = 20.0
    noise_class: str = "noise"
    isolation_s: float = 30.0  # detections of one class closer than this are one event

    def __post_init__(self) -> None:
        _share(self, "threshold", "noise_level")
        _positive(self, "median", "gaussian_length", "gaussian_sigma")
        _not_negative(self, "noise_before_s", "noise_after_s", "isolation_s")
        for name in ("median", "gaussian_length"):
            length = getattr(self, name)
            _require(length % 2 == 1, f"post_processing.{name} is {length}, but must be odd to have a centre.")


@dataclass(frozen=True)
class Explanation(Section):
    """How relevance is summed up in words: its share in each of these bands."""

    bands_hz: tuple[tuple[float, float], ...] = ((1.0, 5.0), (5.0, 20.0), (20.0, 40.0), (40.0, 60.0))

    def __post_init__(self) -> None:
        for low, high in self.bands_hz:
            _require(
                0 <= low < high, f"explanation.bands_hz has {low:g}–{high:g} Hz, but a band must rise from 0 or above."
            )


@dataclass(frozen=True)
class Recipe(Section):
    """All settings of one model."""

    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    post_processing: PostProcessing = field(default_factory=PostProcessing)
    explanation: Explanation = field(default_factory=Explanation)

    @classmethod
    def from_toml(cls, path: Path | str) -> Self:
        """The recipe in a TOML file, one table a section. Raises BadConfiguration where it cannot be read."""
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadConfiguration(f"{path} cannot be read as TOML: {error}. Mend or choose another file.") from error
        try:
            return cls.from_dict(values)
        except BadConfiguration as error:
            raise BadConfiguration(f"{path}: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _typed(expected: Any, value: Any, name: str) -> Any:
    """`value` as the type its field declares. A whole number serves as a float; nothing else is converted."""
    origin, arguments = get_origin(expected), get_args(expected)
    if isinstance(expected, type) and issubclass(expected, Section):
        return expected.from_dict(value)
    if origin is Literal:
        _require(value in arguments, f"{name} is {value!r}, but must be one of {', '.join(map(repr, arguments))}.")
        return value
    if origin is tuple:
        return _typed_tuple(arguments, value, name)
    if expected is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e100
        _require(number, f"{name} is {value!r}, but must be a finite number.")
        return float(value)
    right = isinstance(value, expected) and not (expected is int and isinstance(value, bool))
    _require(right, f"{name} is {value!r}, but must be of type {expected.__name__}.")
    return value


def _typed_tuple(arguments: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    _require(isinstance(value, list | tuple), f"{name} is {value!r}, but must be a list.")
    if arguments[-1] is Ellipsis:
        return tuple(_typed(arguments[0], item, name) for item in value)
    _require(len(value) == len(arguments), f"{name} has {len(value)} values, but must have {len(arguments)}.")
    return tuple(_typed(kind, item, name) for kind, item in zip(arguments, value, strict=True))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BadConfiguration(message)


def _positive(section: Section, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        _require(value > 0 and math.isfinite(value), f"{_full(section, name)} is {value!r}, but must be above 0.")


def _not_negative(section: Section, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        _require(value >= 0 and math.isfinite(value), f"{_full(section, name)} is {value!r}, but must not be negative.")


def _share(section: Section, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        _require(0 <= value <= 1, f"{_full(section, name)} is {value!r}, but must lie between 0 and 1.")


def _full(section: Section, name: str) -> str:
    return f"{_title(type(section))}.{name}"


def _title(section: type[Section]) -> str:
    """The section's name as its TOML table writes it: PostProcessing → post_processing."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", section.__name__).lower()
