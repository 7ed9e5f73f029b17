"""What may be asked of an event's surroundings and of the continuous record, and what similar events look like."""

from datetime import datetime
from math import isfinite
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labelapp.api.filter_fields import as_utc
from labelapp.api.serializers.catalogue import ModelBriefSerializer
from labelapp.api.serializers.fields import Address, Code, SeedId
from labelapp.catalogue.models import Event
from labelapp.learning.surroundings import LONGEST_RECORD_S, LONGEST_SIDE_S

LOWEST_HZ, HIGHEST_HZ = 0.01, 100_000.0


class Number(serializers.FloatField):
    """A finite number within bounds: "nan" and "inf" are none."""

    def to_internal_value(self, data: Any) -> float:
        number = super().to_internal_value(data)
        if not isfinite(number):
            self.fail("invalid")
        return number


@extend_schema_field({"type": "string", "format": "date-time"})
class Moment(serializers.Field):
    """A time in ISO 8601; without an offset it is UTC."""

    def to_internal_value(self, data: Any) -> datetime:
        text = str(data)[:41]
        try:
            if len(text) > 40:
                raise ValueError
            return as_utc(datetime.fromisoformat(text))
        except (ValueError, OverflowError) as error:
            raise serializers.ValidationError(
                f"{text!r} is no time. Write it as 2026-03-01T06:00:00Z (UTC)."
            ) from error


class BandQuery(serializers.Serializer):
    """Corners of a zero-phase Butterworth filter; without any, waveforms are raw but for their mean."""

    low_hz = Number(required=False, min_value=LOWEST_HZ, max_value=HIGHEST_HZ)
    high_hz = Number(required=False, min_value=LOWEST_HZ, max_value=HIGHEST_HZ)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        low, high = given.get("low_hz"), given.get("high_hz")
        if low is not None and high is not None and low >= high:
            raise serializers.ValidationError({"low_hz": [f"{low:g} Hz must lie below high_hz, which is {high:g} Hz."]})
        return given


class SidesQuery(BandQuery):
    before_s = Number(default=60.0, min_value=0.0, max_value=LONGEST_SIDE_S, help_text="Before the event's start.")
    after_s = Number(default=60.0, min_value=0.0, max_value=LONGEST_SIDE_S, help_text="After the event's end.")


def letters(**options: Any) -> serializers.RegexField:
    return serializers.RegexField(r"^[A-Za-z0-9]{1,8}\Z", **options)


class ContextQuery(SidesQuery):
    stations = serializers.CharField(
        default="", max_length=40, allow_blank=True, help_text="all, or NET.STA.LOC; without it the event's own."
    )
    components = letters(required=False, help_text="Letters, such as ZNE; without them all.")


class ImageQuery(BandQuery):
    station = serializers.CharField(default="", max_length=40, allow_blank=True, help_text="NET.STA.LOC.")
    component = letters(required=False, help_text="A letter; without it the first.")
    window_s = Number(default=1.0, min_value=0.01, max_value=60.0, help_text="Length of a Hann window.")
    overlap = Number(default=0.5, min_value=0.0, max_value=0.95, help_text="Share of a window.")
    max_hz = Number(required=False, min_value=LOWEST_HZ, max_value=HIGHEST_HZ, help_text="Leave out what is above.")


class SpectrogramQuery(ImageQuery, SidesQuery):
    pass


class SpanQuery(BandQuery):
    station = serializers.CharField(max_length=40, help_text="NET.STA.LOC.")
    starttime = Moment()
    endtime = Moment(help_text=f"At most {LONGEST_RECORD_S / 60:g} minutes later.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        given = super().validate(given)
        length_s = (given["endtime"] - given["starttime"]).total_seconds()
        if not 0 < length_s <= LONGEST_RECORD_S:
            raise serializers.ValidationError(
                {
                    "endtime": [
                        f"{length_s:g} s after starttime, but must be above 0 and at most {LONGEST_RECORD_S:g} s."
                    ]
                }
            )
        if not 1900 <= given["starttime"].year < 2200:
            raise serializers.ValidationError({"starttime": ["Must lie between the years 1900 and 2200."]})
        return given


class RecordQuery(SpanQuery):
    components = letters(required=False, help_text="Letters, such as ZNE; without them all.")


class RecordImageQuery(ImageQuery, SpanQuery):
    station = serializers.CharField(max_length=40, help_text="NET.STA.LOC.")


class SimilarEventSerializer(serializers.ModelSerializer):
    """A labelled event and how alike it is, 1 at most."""

    url = Address("api:event-detail")
    station = SeedId()
    label: serializers.Field = Code()  # type: ignore[assignment]  # DRF's word for something else
    similarity = serializers.FloatField()
    panel = serializers.CharField(allow_null=True, help_text="Address of its newest stored panel.")

    class Meta:
        model = Event
        fields = ["id", "event_id", "starttime", "endtime", "station", "label", "similarity", "url", "panel"]


class SimilarEventsSerializer(serializers.Serializer):
    """`model` is the one that was asked; null where none has looked at the event."""

    model = ModelBriefSerializer(allow_null=True)
    neighbours = SimilarEventSerializer(many=True)


class StationQuery(serializers.Serializer):
    station = serializers.CharField(max_length=40, help_text="NET.STA.LOC.")


class RecordedSpanSerializer(serializers.Serializer):
    starttime = serializers.DateTimeField()
    endtime = serializers.DateTimeField()
