"""Pool maps, and what their points are."""

from typing import Any

from rest_framework import serializers

from labelapp.api.serializers.catalogue import ModelBriefSerializer
from labelapp.api.serializers.fields import Address, Code, Strict
from labelapp.catalogue.models import Event, ModelVersion
from labelapp.learning.models import PoolMap

MOST_REVIEWED = 500


class MapModelSerializer(ModelBriefSerializer):
    class Meta:
        model = ModelVersion
        fields = [*ModelBriefSerializer.Meta.fields, "kind"]


class PoolMapSerializer(serializers.ModelSerializer):
    """A map; `stations` are what its file names by number, `window_s` is how long its unlabelled windows are."""

    url = Address("api:map-detail")
    model = MapModelSerializer()
    stations = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = PoolMap
        fields = [
            "id", "url", "site", "model", "points", "events", "clusters", "method", "window_s", "stations",
            "created_at",
        ]  # fmt: skip


class MapClassesSerializer(serializers.Serializer):
    """Rows of the map's file by class code, as the catalogue has them now."""

    labels = serializers.DictField(child=serializers.ListField(child=serializers.IntegerField()))
    predictions = serializers.DictField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="By the newest prediction of each event; empty for who may not be told on a blind site.",
    )


class PointEventSerializer(serializers.ModelSerializer):
    """An event of a map; `predicted` is null where the asker may not be told."""

    url = Address("api:event-detail")
    label: serializers.Field = Code()  # type: ignore[assignment]  # DRF's word for something else
    predicted = serializers.CharField(source="predicted_class", allow_null=True)
    probability = serializers.FloatField(source="predicted_probability", allow_null=True)

    class Meta:
        model = Event
        fields = ["id", "event_id", "label", "predicted", "probability", "url"]

    def to_representation(self, event: Event) -> dict[str, Any]:
        said: dict[str, Any] = super().to_representation(event)
        return said if self.context["is_told"] else said | {"predicted": None, "probability": None}


class PointSerializer(serializers.Serializer):
    """A point of a map; `event` is null for a window, and for an event that is in the catalogue no more."""

    kind = serializers.ChoiceField(choices=["event", "window"])
    event = PointEventSerializer(allow_null=True)
    station = serializers.CharField(allow_null=True)
    starttime = serializers.DateTimeField()
    endtime = serializers.DateTimeField()
    cluster = serializers.IntegerField()


class ReviewPointsSerializer(Strict):
    points = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=2**31 - 1),
        min_length=1,
        max_length=MOST_REVIEWED,
        help_text="Rows of the map's file.",
    )


class RefusedPointSerializer(serializers.Serializer):
    row = serializers.IntegerField()
    why = serializers.CharField()


class ReviewedPointsSerializer(serializers.Serializer):
    """What became of the points; `run` classifies what has no panels yet, null where nothing or nobody does."""

    asked = serializers.IntegerField(help_text="Events that wait in the queue now.")
    added = serializers.IntegerField(help_text="Windows that became events, and wait in the queue.")
    already = serializers.IntegerField(help_text="Events that were in the queue before.")
    refused = RefusedPointSerializer(many=True)
    run = serializers.CharField(allow_null=True)
