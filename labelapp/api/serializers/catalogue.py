"""Sites, events, models, and what models said."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labelapp.api.serializers.fields import Address, Code, SeedId, UserName
from labelapp.catalogue.models import (
    Event,
    EventClass,
    Explanation,
    ModelVersion,
    Observation,
    Prediction,
    Site,
    Station,
    TrainingExample,
)
from labelapp.catalogue.selectors import latest_prediction, most_probable


class EventClassSerializer(serializers.ModelSerializer):
    class Meta:
        model = EventClass
        fields = ["code", "name", "colour", "key", "quakeml_type"]


class StationSerializer(serializers.ModelSerializer):
    seed_id = serializers.CharField(read_only=True)

    class Meta:
        model = Station
        fields = ["id", "seed_id", "latitude_deg", "longitude_deg", "elevation_m"]


class SiteBriefSerializer(serializers.ModelSerializer):
    class Meta:
        model = Site
        fields = ["id", "name", "synthetic"]


class SiteSerializer(serializers.ModelSerializer):
    url = Address("api:site-detail")
    classes = EventClassSerializer(many=True)
    stations = StationSerializer(many=True)

    class Meta:
        model = Site
        fields = [
            "id",
            "url",
            "name",
            "description",
            "synthetic",
            "active_model",
            "classes",
            "stations",
            "recipe",
            "created_at",
        ]


class ModelBriefSerializer(serializers.ModelSerializer):
    url = Address("api:model-detail")

    class Meta:
        model = ModelVersion
        fields = ["id", "number", "url"]


class JudgingModelSerializer(ModelBriefSerializer):
    """A model whose maps are shown: whether they depend on its weights, as its training measured it."""

    randomisation = serializers.SerializerMethodField()

    class Meta(ModelBriefSerializer.Meta):
        fields = [*ModelBriefSerializer.Meta.fields, "randomisation"]

    @extend_schema_field(
        {
            "type": "object",
            "nullable": True,
            "properties": {"passed": {"type": "boolean"}, "text": {"type": "string"}},
            "required": ["passed", "text"],
        }
    )
    def get_randomisation(self, model: ModelVersion) -> dict[str, Any] | None:
        found = (model.metrics or {}).get("randomisation")
        if not isinstance(found, dict) or "passed" not in found:
            return None
        return {"passed": bool(found["passed"]), "text": str(found.get("text", ""))}


class ModelSerializer(serializers.ModelSerializer):
    """A classifier, or an encoder: pretrained without labels, it has no classes and `pool` says what it has seen."""

    url = Address("api:model-detail")
    active = serializers.SerializerMethodField()
    classes = serializers.ListField(child=serializers.CharField())
    promoted_by = UserName()
    pool = serializers.DictField()

    class Meta:
        model = ModelVersion
        fields = [
            "id",
            "url",
            "site",
            "number",
            "kind",
            "active",
            "sha256",
            "classes",
            "recipe",
            "metrics",
            "trained_on",
            "started_from",
            "pool",
            "created_at",
            "promoted_at",
            "promoted_by",
        ]

    def get_active(self, model: ModelVersion) -> bool:
        return model.site.active_model_id == model.pk


class ExampleSerializer(serializers.ModelSerializer):
    """What a model learned from or was tested on; `predicted` and `probability` are by folds that never saw it."""

    event_id = serializers.CharField(source="event.event_id")
    label: serializers.Field = Code(source="event_class")  # type: ignore[assignment]  # DRF's word for something else
    label_now = Code(source="event.label")
    predicted = serializers.SerializerMethodField()
    probability = serializers.SerializerMethodField()
    out_of_fold = serializers.DictField(child=serializers.FloatField(), allow_null=True)

    class Meta:
        model = TrainingExample
        fields = [
            "event", "event_id", "split", "label", "label_now", "predicted", "probability", "suspicion", "out_of_fold",
        ]  # fmt: skip

    def get_predicted(self, example: TrainingExample) -> str | None:
        return most_probable(example.out_of_fold)[0]

    def get_probability(self, example: TrainingExample) -> float | None:
        return most_probable(example.out_of_fold)[1]


class LabelErrorSerializer(serializers.Serializer):
    """A row of the export of label errors."""

    event_id = serializers.CharField()
    label: serializers.Field = serializers.CharField()  # type: ignore[assignment]
    predicted = serializers.CharField(allow_null=True)
    probability = serializers.FloatField(allow_null=True)
    suspicion = serializers.FloatField()
    label_now = serializers.CharField(allow_null=True)
    split = serializers.ChoiceField(choices=TrainingExample.Split.choices)


class PredictionSerializer(serializers.ModelSerializer):
    event_class = Code()
    model = JudgingModelSerializer()
    probabilities = serializers.DictField(child=serializers.FloatField())

    class Meta:
        model = Prediction
        fields = [
            "id",
            "event_class",
            "probability",
            "probabilities",
            "by_station",
            "left_out",
            "model",
            "created_at",
        ]


class PanelSerializer(serializers.ModelSerializer):
    """A stored panel; `url` gives its bytes."""

    url = Address("api:explanation-panel")
    station = SeedId()
    model = ModelBriefSerializer(source="prediction.model")
    targets = serializers.SerializerMethodField()

    class Meta:
        model = Explanation
        fields = ["id", "station", "prediction", "model", "targets", "summary", "sha256", "url", "created_at"]

    def get_targets(self, explanation: Explanation) -> list[str]:
        """Codes of the classes that have a map."""
        return list(explanation.summary.get("targets", []))


class ObservationSerializer(serializers.ModelSerializer):
    station = SeedId()

    class Meta:
        model = Observation
        fields = ["station", "starttime", "endtime", "snr"]


class EventFactsSerializer(serializers.ModelSerializer):
    """Base: what is known of an event without asking a model."""

    url = Address("api:event-detail")
    duration_s = serializers.SerializerMethodField()
    station = SeedId()
    catalogue_label = Code()
    label: serializers.Field = Code()  # type: ignore[assignment]  # the word means something else to DRF

    class Meta:
        model = Event
        fields = [
            "id",
            "url",
            "site",
            "event_id",
            "starttime",
            "endtime",
            "duration_s",
            "station",
            "origin",
            "source",
            "catalogue_label",
            "label",
            "latitude_deg",
            "longitude_deg",
            "description",
        ]

    def get_duration_s(self, event: Event) -> float:
        return (event.endtime - event.starttime).total_seconds()


class EventRowSerializer(EventFactsSerializer):
    """An event of the list, with what the newest prediction says."""

    predicted = serializers.CharField(source="predicted_class", read_only=True, allow_null=True)
    probability = serializers.FloatField(source="predicted_probability", read_only=True, allow_null=True)

    class Meta(EventFactsSerializer.Meta):
        fields = [*EventFactsSerializer.Meta.fields, "predicted", "probability"]


class EventSerializer(EventRowSerializer):
    """An event with the stations that observed it, and the newest prediction in full."""

    observations = ObservationSerializer(many=True)
    prediction = serializers.SerializerMethodField()

    class Meta(EventRowSerializer.Meta):
        fields = [*EventRowSerializer.Meta.fields, "observations", "prediction", "created_at"]

    @extend_schema_field(PredictionSerializer(allow_null=True))
    def get_prediction(self, event: Event) -> dict[str, Any] | None:
        newest = latest_prediction(event)
        return PredictionSerializer(newest).data if newest else None
