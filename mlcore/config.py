"""Settings of a model: how recordings become input, how the network learns, how its output becomes events.

Each section is a frozen dataclass that refuses values which cannot work. A `Recipe` holds one of each; it is read from
TOML, and travels with the model as JSON, so that training, classification and display prepare data identically.
Defaults are those of Jiang et al. 2024, sections 4.2–4.4, unless a comment says otherwise.
"""

from dataclasses import dataclass, field
from typing import Literal

from mlcore.sections import RecipeFile, Section, Table, not_negative, positive, require, share


@dataclass(frozen=True)
class Catalogue(Section):
    """From a catalogue to labelled units: which rows are used, what their classes are called, where noise is cut.

    A unit is what a model is scored on: an event, or the noise before one. Filters name columns of the catalogue.
    """

    classes: Table = field(default_factory=dict)  # {class: catalogue classes}; empty: each class is itself
    only: Table = field(default_factory=dict)  # {column: values}: rows with another value are left out
    without: Table = field(default_factory=dict)  # {column: values}: rows with one of these values are left out
    noise_class: str = ""  # what the noise around events is called; empty: none is cut
    noise_span_s: tuple[float, float] = (3.0, 39.0)  # from the start of a row's span; negative: before it
    noise_only: Table = field(default_factory=dict)  # {column: values}: rows that give noise; empty: every row

    def __post_init__(self) -> None:
        known: dict[str, str] = {}
        for name, members in self.classes.items():
            require(bool(name), "catalogue.classes has a class without a name. Give it one.")
            for member in members:
                require(
                    known.setdefault(member, name) == name,
                    f"catalogue.classes counts {member!r} to both {known[member]!r} and {name!r}. Choose one.",
                )
        for setting in ("classes", "only", "without", "noise_only"):
            for key, values in getattr(self, setting).items():
                require(
                    bool(values), f"catalogue.{setting} has an empty list for {key!r}. Fill it, or leave {key!r} out."
                )
        start, end = self.noise_span_s
        require(start < end, f"catalogue.noise_span_s is {start:g}–{end:g} s, but must rise.")

    @property
    def class_of(self) -> dict[str, str]:
        """The class that each catalogue class counts to; empty where each is itself."""
        return {member: name for name, members in self.classes.items() for member in members}

    def model_class(self, label: str) -> str | None:
        """What a model calls a catalogue's class; None where the recipe counts it to none.

        A class that the table names stands for itself, unless the table counts it to another.
        """
        if not self.classes or (self.noise_class and label == self.noise_class):
            return label
        return self.class_of.get(label, label if label in self.classes else None)


@dataclass(frozen=True)
class Placement(Section):
    """Where an event's window lies in its record.

    span   the window is centred on the event; of a longer event, the part with most energy
    onset  the strongest RMS of `short_s` is the peak; the onset is where the RMS of the `short_s` after exceeds that
           of the `long_s` before by the largest factor, within the `search_s` up to the peak; a peak too early for
           that is taken as the onset; the window starts `before_s` before it. Measured on the first of the recipe's
           components that was recorded
    """

    rule: Literal["span", "onset"] = "span"
    short_s: float = 2.0
    long_s: float = 20.0
    search_s: float = 40.0
    before_s: float = 5.0
    slack_s: float = 0.0  # how far beyond its catalogued span the event may lie; for the rule onset, and for noise
    edge_s: float = 3.0  # of the record at either end, never used: the filter rings there. For the rule onset

    def __post_init__(self) -> None:
        positive(self, "short_s", "long_s", "search_s")
        not_negative(self, "before_s", "slack_s", "edge_s")


@dataclass(frozen=True)
class Preprocessing(Section):
    """From a recording to the network's input. Part of the model: a model only sees data prepared its way."""

    sampling_rate_hz: float = 250.0
    components: tuple[str, ...] = ("Z", "N", "E")
    band_hz: tuple[float, float] = (5.0, 60.0)
    filter_order: int = 4  # Butterworth; not given in the paper
    zero_phase: bool = True  # onsets stay where they are; the filter is run both ways
    detrend: Literal["mean", "linear"] = "mean"  # what is taken from each recorded stretch
    taper: bool = True  # cosine ends of each stretch before it is filtered
    window_s: float = 15.0
    step_s: float = 1.0
    stft_length: int = 128  # samples
    stft_hop: int = 40  # samples; overlap 88 gives the paper's 95 frames
    stft_window: Literal["boxcar", "hann", "hamming", "blackman"] = "boxcar"
    normalise: Literal["window", "component"] = "window"  # divide by the peak of all components, or of each
    maximum_gap: float = 0.2  # share of a window that may be missing on every component
    input: Literal["magnitude", "log"] = "magnitude"  # what of the STFT the network is given

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
        positive(self, "sampling_rate_hz", "window_s", "step_s", "filter_order", "stft_length", "stft_hop")
        require(
            0 < low < high < self.nyquist_hz,
            f"preprocessing.band_hz is {low:g}–{high:g} Hz, but must rise, start above 0, and end below the Nyquist "
            f"frequency {self.nyquist_hz:g} Hz of {self.sampling_rate_hz:g} Hz. Narrow the band or raise the rate.",
        )
        require(
            bool(self.components) and len(set(self.components)) == len(self.components),
            f"preprocessing.components is {list(self.components)}, but must name at least one component, each once.",
        )
        for letter in self.components:
            require(
                len(letter) == 1 and letter.isascii() and letter.isupper(),
                f"preprocessing.components has {letter!r}, but a component is one capital letter such as Z.",
            )
        require(self.step_samples >= 1, f"preprocessing.step_s is {self.step_s:g} s, less than one sample.")
        require(
            self.stft_length <= self.window_samples,
            f"preprocessing.stft_length is {self.stft_length} samples, longer than the window of "
            f"{self.window_samples}. Shorten it or lengthen window_s.",
        )
        require(
            self.stft_hop <= self.stft_length,
            f"preprocessing.stft_hop is {self.stft_hop} samples, but beyond stft_length ({self.stft_length}) "
            "samples between frames would be ignored.",
        )
        share(self, "maximum_gap")


@dataclass(frozen=True)
class Network(Section):
    """Size of the STFT-CNN; smaller than Jiang's, so that two cores train it in minutes."""

    width: int = 16  # kernels of the first block; each block doubles them
    blocks: int = 3
    dropout: float = 0.3
    # A linear part beside the convolutions, for catalogues too small to teach them all; it is learned by itself, then
    # weighed against them on events that neither saw. It is given:
    cells: tuple[tuple[int, int], ...] = ()  # the map, each so many frequencies × frames averaged; on several scales
    attributes: bool = False  # hand-made attributes of the waveform, after Provost et al. 2017
    strength: float = 5.0  # how far its weights may go; smaller is more cautious

    @property
    def has_linear_part(self) -> bool:
        return self.attributes or bool(self.cells)

    def __post_init__(self) -> None:
        positive(self, "width", "blocks", "strength")
        share(self, "dropout")
        for cell in self.cells:
            require(min(cell) > 0, f"network.cells has {list(cell)}, but a cell is at least 1 frequency by 1 frame.")


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
    split: Literal["event", "time"] = "event"  # test events are drawn from each class, or are the last in time
    folds: int = 5  # networks, each of which never sees the events of one fold; 0 or 1: one network of all
    second_stage_epochs: int = 50  # on some new labels, from the weights that were learned: section 5.1
    seed: int = 0
    # What a class's share of events does to the loss: nothing, weights it, or draws its events more or less often.
    class_balance: Literal["weights", "sampling", "none"] = "weights"
    # Not in the paper; 0 is off.
    focal_gamma: float = 0.0  # how much less a window counts that is right already
    label_smoothing: float = 0.0  # share of a label that goes to all classes alike
    weight_decay: float = 0.0
    time_shift_s: float = 2.0  # training windows move by up to this, so that position says nothing about class
    noise_mixing: float = 0.0  # share of training windows that get another window's noise
    channel_drop: float = 0.0  # share of training windows that lose a component
    amplitude: float = 0.0  # a component's gain is drawn from 1 ± this
    time_mask_s: float = 0.0  # longest stretch of the STFT that is blanked
    frequency_mask_hz: float = 0.0  # widest band of the STFT that is blanked
    mixup: float = 0.0  # α of the Beta distribution that two windows are mixed by

    def __post_init__(self) -> None:
        positive(self, "epochs", "batch_size", "learning_rate", "plateau_factor", "plateau_patience")
        not_negative(self, "early_stopping", "time_shift_s", "seed", "folds", "second_stage_epochs", "focal_gamma")
        not_negative(self, "weight_decay", "time_mask_s", "frequency_mask_hz", "mixup")
        share(self, "plateau_factor", "test_share", "validation_share", "noise_mixing", "channel_drop", "amplitude")
        require(
            0 <= self.label_smoothing < 1,
            f"training.label_smoothing is {self.label_smoothing:g}, but must be from 0 to below 1.",
        )
        require(
            self.test_share + self.validation_share < 1,
            f"training.test_share {self.test_share:g} and validation_share {self.validation_share:g} leave no events "
            "to learn from. Their sum must be below 1.",
        )


@dataclass(frozen=True)
class Trigger(Section):
    """What makes a scan ask for a class: Jiang et al. 2024, section 3.2 (sta_lta) and section 4.2 (network).

    network  every step is classified, and section 4.4 makes events of the probabilities
    sta_lta  the mean energy of the last `sta_s`, over that of the last `lta_s`, triggers from `on` down to `off`; the
             network names the triggered spans
    """

    method: Literal["network", "sta_lta"] = "network"
    average: Literal["classic", "recursive"] = "recursive"  # over a moving boxcar, or one that fades exponentially
    sta_s: float = 0.5
    lta_s: float = 30.0
    on: float = 4.0
    off: float = 1.5
    longest_s: float = 120.0  # a trigger is let go after this
    shortest_s: float = 0.5  # shorter triggers are glitches

    def __post_init__(self) -> None:
        positive(self, "sta_s", "lta_s", "on", "off", "longest_s")
        not_negative(self, "shortest_s")
        require(
            self.sta_s < self.lta_s,
            f"trigger.sta_s is {self.sta_s:g} s, but must be shorter than lta_s ({self.lta_s:g} s).",
        )
        require(self.off <= self.on, f"trigger.off is {self.off:g}, but must not exceed on ({self.on:g}).")


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
    isolation_s: float = 30.0  # noise closer than this to an event is dropped: it is that event's flank

    def __post_init__(self) -> None:
        share(self, "threshold", "noise_level")
        positive(self, "median", "gaussian_length", "gaussian_sigma")
        not_negative(self, "noise_before_s", "noise_after_s", "isolation_s")
        for name in ("median", "gaussian_length"):
            length = getattr(self, name)
            require(length % 2 == 1, f"post_processing.{name} is {length}, but must be odd to have a centre.")


@dataclass(frozen=True)
class Explanation(Section):
    """How relevance is summed up in words: its share in each of these bands."""

    bands_hz: tuple[tuple[float, float], ...] = ((1.0, 5.0), (5.0, 20.0), (20.0, 40.0), (40.0, 60.0))

    def __post_init__(self) -> None:
        for low, high in self.bands_hz:
            require(
                0 <= low < high, f"explanation.bands_hz has {low:g}–{high:g} Hz, but a band must rise from 0 or above."
            )


@dataclass(frozen=True)
class Recipe(RecipeFile):
    """All settings of one model."""

    catalogue: Catalogue = field(default_factory=Catalogue)
    placement: Placement = field(default_factory=Placement)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    trigger: Trigger = field(default_factory=Trigger)
    post_processing: PostProcessing = field(default_factory=PostProcessing)
    explanation: Explanation = field(default_factory=Explanation)

    def __post_init__(self) -> None:
        start, end = self.catalogue.noise_span_s
        window_s = self.preprocessing.window_s
        require(
            not self.catalogue.noise_class or end - start >= window_s,
            f"catalogue.noise_span_s is {start:g}–{end:g} s, but must hold a window of {window_s:g} s to be cut as "
            f"{self.catalogue.noise_class}. Lengthen it, or shorten preprocessing.window_s.",
        )
