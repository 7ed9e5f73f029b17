"""The window of an event at a station: one rule for all who need one."""

from dataclasses import replace

from labelapp.catalogue.models import Event, Observation
from labelapp.learning.pipeline.records import read_span
from mlcore.config import Recipe
from mlcore.datasets import LabelledWindow, labelled_windows, reach


def observation_windows(observation: Observation, recipe: Recipe, *, gives_noise: bool = False) -> list[LabelledWindow]:
    """The window that stands for an event at a station, then, on request, those of the noise around it.

    Labels are the model's words. Each window has room around it for training to move it. Training, classification and
    display all come here, so that they see the same samples.
    Raises UnusableWaveform or UnreadableRecording where there is none.
    """
    event = observation.event
    if event.origin == Event.Origin.DETECTION:  # it lies where it was found
        recipe = replace(recipe, placement=replace(recipe.placement, slack_s=0.0))
    before, after = reach(recipe)
    begin, end = observation.starttime - before, observation.endtime + after
    return labelled_windows(
        read_span(observation.station, begin, end, recipe.preprocessing.components),
        event_id=event.event_id,
        label=(event.label and recipe.catalogue.model_class(event.label.code)) or "",
        starttime=observation.starttime,
        endtime=observation.endtime,
        recipe=recipe,
        gives_noise=gives_noise,
    )
