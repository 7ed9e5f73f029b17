"""Windows of a prepared record at places that somebody names, each as windows of a pool are."""

from dataclasses import replace
from datetime import datetime

from mlcore.config import Placement, Preprocessing, Recipe
from mlcore.errors import UnusableWaveform
from mlcore.placement import event_place
from mlcore.pretrain.config import Pool as Section
from mlcore.pretrain.pool import Facts, Piece, normalised, recorded_channels
from mlcore.traces import Waveform, iso


def piece_at(prepared: Waveform, start: int, section: Section) -> Piece:
    """The window that begins at sample `start` of a record that `pool.prepare` gave.

    Raises UnusableWaveform where the record does not hold it, or where no channel was recorded as it must be.
    """
    end = start + section.window_samples
    if not 0 <= start <= end <= prepared.samples:
        raise UnusableWaveform(
            f"{prepared.station_id} is recorded {iso(prepared.starttime)} to {iso(prepared.endtime)}, which does not "
            f"hold the {section.window_s:g} s from {iso(prepared.time_of(start))}. Choose a time inside the record."
        )
    data, mask = prepared.data[:, start:end], prepared.mask[:, start:end]
    recorded = recorded_channels(mask, section)
    if not recorded.any():
        raise UnusableWaveform(
            f"{prepared.station_id}: more than {section.maximum_gap:.0%} of the {section.window_s:g} s from "
            f"{iso(prepared.time_of(start))} is missing or dead on every channel. Choose another time, or raise "
            "maximum_gap."
        )
    window = normalised(data, mask & recorded[:, None], section)
    return window, recorded, Facts(prepared.station_id, prepared.time_of(start))


def event_piece(
    prepared: Waveform, starttime: datetime, endtime: datetime, section: Section, placement: Placement
) -> Piece:
    """The window that stands for the event from `starttime` to `endtime`, where `placement` says that it lies.

    Raises UnusableWaveform as `piece_at` does, and where the record does not reach the event.
    """
    place = event_place(prepared, starttime, endtime, placing(section, prepared.components), placement)
    return piece_at(prepared, place.start, section)


def placing(section: Section, components: tuple[str, ...]) -> Preprocessing:
    """What placing needs of a classifier's settings: rate, window and step."""
    low, high = section.band_hz or (0.01 * section.sampling_rate_hz, 0.4 * section.sampling_rate_hz)
    return Preprocessing(
        sampling_rate_hz=section.sampling_rate_hz,
        components=components or ("Z",),
        band_hz=(low, high),
        window_s=section.window_s,
        step_s=section.step_s,
        stft_length=1,
        stft_hop=1,
    )


def cutting_recipe(section: Section, placement: Placement) -> Recipe:
    """A classifier's recipe whose events' windows lie as those of `event_piece`: for how much record to read."""
    whole = Recipe()
    training = replace(whole.training, time_shift_s=0.0)
    return replace(whole, preprocessing=placing(section, section.components), placement=placement, training=training)
