"""Bodies and answers of what changes events: bulk relabels, boundaries, missed events, splits, merges."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labelapp.api.filter_fields import BIGGEST_ID
from labelapp.api.filters import EventFilters
from labelapp.api.serializers.catalogue import EventRowSerializer, EventSerializer
from labelapp.api.serializers.fields import SiteField, Strict
from labelapp.catalogue.models import Event
from labelapp.review.bulk import MOST_EVENTS
from labelapp.review.spans import MOST_MERGED

# What chooses events, and not their order or their site.
SELECTING = [name for name in EventFilters.base_filters if name not in {"site", "ordering"}]


class EventId(serializers.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=BIGGEST_ID, **kwargs)


class EventsFilter(serializers.DictField):
    """A part of the catalogue, by the names and values that its list's address takes."""

    child = serializers.CharField(max_length=200, allow_blank=True)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        given = {name: value for name, value in super().to_internal_value(data).items() if value}
        if unknown := sorted(set(given) - set(SELECTING)):
            raise serializers.ValidationError(
                {name[:80]: [f"Unknown. Known: {', '.join(SELECTING)}."] for name in unknown}
            )
        found = EventFilters(given, Event.objects.none())
        if not found.is_valid():
            raise serializers.ValidationError({name: [str(e) for e in texts] for name, texts in found.errors.items()})
        return given


class BulkSerializer(Strict):
    """Which events get which class: those with these ids, or all that the filter finds."""

    site = SiteField()
    events = serializers.ListField(child=EventId(), required=False, max_length=MOST_EVENTS)
    filter = EventsFilter(required=False)
    event_class = serializers.CharField(max_length=40)
    reason = serializers.CharField(default="", allow_blank=True)
    preview = serializers.BooleanField(default=False, help_text="Say what would happen, and change nothing.")
    expected = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text="How many events the preview found, `count` and `held_count`; where they are others now, 409.",
    )

    selection = serializers.CharField(
        required=False, max_length=64, help_text="The preview's `selection`; where the events are others now, 409."
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """Raises ValidationError unless the events are chosen in one way."""
        if ("events" in given) == ("filter" in given):
            raise serializers.ValidationError("Choose by events (ids) or by filter; {} is every event of the site.")
        return given


class BulkAnswerSerializer(serializers.Serializer):
    """A preview (count to held, and selection), or what was done (batch, written, skipped)."""

    count = serializers.IntegerField(required=False)
    changed = serializers.IntegerField(required=False)
    unchanged = serializers.IntegerField(required=False)
    by_class = serializers.DictField(
        child=serializers.IntegerField(), required=False, help_text='By label that holds now; "": none.'
    )
    sample = EventRowSerializer(many=True, required=False)
    held = EventRowSerializer(many=True, required=False, help_text="Left out: other experts look at them now.")
    held_count = serializers.IntegerField(required=False)
    selection = serializers.CharField(required=False, help_text="A checksum of which events these are.")
    batch = serializers.UUIDField(required=False)
    written = serializers.IntegerField(required=False)
    skipped = EventRowSerializer(many=True, required=False, help_text="Left out: other experts looked at them.")
    skipped_count = serializers.IntegerField(required=False)


class UndoneBatchSerializer(serializers.Serializer):
    withdrawn = serializers.IntegerField()
    left = EventRowSerializer(many=True, help_text="Somebody decided on them since, or merged them; 100 at most.")
    left_count = serializers.IntegerField()


class NewEventSerializer(Strict):
    """An event that the detector missed; without a class somebody is asked to look at it."""

    site = SiteField()
    station = serializers.CharField(max_length=40, help_text="NET.STA.LOC, code or id.")
    starttime = serializers.DateTimeField()
    endtime = serializers.DateTimeField()
    event_class = serializers.CharField(max_length=40, default=None, allow_null=True)
    reason = serializers.CharField(default="", allow_blank=True)


class BoundariesSerializer(Strict):
    starttime = serializers.DateTimeField()
    endtime = serializers.DateTimeField()
    reason = serializers.CharField(default="", allow_blank=True)


class SplitSerializer(Strict):
    at = serializers.DateTimeField(help_text="Where the second event begins.")
    reason = serializers.CharField(default="", allow_blank=True)


class MergeSerializer(Strict):
    events = serializers.ListField(child=EventId(), min_length=2, max_length=MOST_MERGED)
    reason = serializers.CharField(default="", allow_blank=True)


class EditedEventSerializer(EventSerializer):
    """The event as it is now, and the address of the run that classifies it anew; null where no model is active."""

    run = serializers.SerializerMethodField()

    class Meta(EventSerializer.Meta):
        fields = [*EventSerializer.Meta.fields, "run"]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_run(self, event: Event) -> str | None:
        return address_of(self.context["run"])


class PartsSerializer(serializers.Serializer):
    """Both parts, the earlier first, and the address of the run that classifies them anew."""

    events = EventSerializer(many=True)
    run = serializers.CharField(allow_null=True)


def address_of(run: Any) -> str | None:
    """A run's page in the API; None for none."""
    return reverse("api:run-detail", args=[run.pk]) if run else None
