"""The queue, decisions, and what an expert is shown."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labelapp.api.filter_fields import BIGGEST_ID
from labelapp.api.serializers.catalogue import (
    EventClassSerializer,
    EventFactsSerializer,
    ObservationSerializer,
    PanelSerializer,
    PredictionSerializer,
    SiteBriefSerializer,
)
from labelapp.api.serializers.fields import Address, Code, SeedId, Strict
from labelapp.catalogue.models import Event
from labelapp.catalogue.selectors import latest_panels
from labelapp.review.models import Relabel, ReviewItem
from labelapp.review.selectors import history, queue_counts


class RelabelSerializer(serializers.ModelSerializer):
    """A row of the ledger, in the words that were written down."""

    event_id = serializers.CharField(source="event_name")
    expert = serializers.CharField(source="expert_name")
    from_class = serializers.SerializerMethodField()
    to_class = serializers.CharField(source="to_code")

    class Meta:
        model = Relabel
        fields = [
            "id",
            "sequence",
            "site",
            "event",
            "event_id",
            "expert",
            "kind",
            "from_class",
            "to_class",
            "reason",
            "prediction",
            "item",
            "shown",
            "decided_at",
            "previous_hash",
            "hash",
        ]

    def get_from_class(self, row: Relabel) -> str | None:
        return row.from_code or None


class CountsSerializer(serializers.Serializer):
    """How many items a site's queue has."""

    open = serializers.IntegerField()
    waiting = serializers.IntegerField()
    held = serializers.IntegerField()
    postponed = serializers.IntegerField()
    done = serializers.IntegerField()
    by_reason = serializers.DictField(child=serializers.IntegerField())


class LeasedSerializer(serializers.ModelSerializer):
    """Base: who holds an item now. A lease that is over is none."""

    url = Address("api:review-item-detail")
    holder = serializers.SerializerMethodField()
    held_until = serializers.SerializerMethodField()

    def get_holder(self, item: ReviewItem) -> str | None:
        return item.holder.get_username() if item.holder and item.held else None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_held_until(self, item: ReviewItem) -> str | None:
        return as_text(item.held_until) if item.held else None


class ItemRowSerializer(LeasedSerializer):
    """An item of the list."""

    event_id = serializers.CharField(source="event.event_id")
    starttime = serializers.DateTimeField(source="event.starttime")
    station = SeedId("event.station.seed_id")
    label: serializers.Field = Code(source="event.label")  # type: ignore[assignment]  # DRF's word for something else
    catalogue_label = Code(source="event.catalogue_label")
    predicted = Code(source="prediction.event_class", default=None)
    probability = serializers.FloatField(source="prediction.probability", allow_null=True, default=None)
    judged = Code(source="judged_class")
    standing = serializers.CharField(help_text="Why it stands where it stands, in one phrase.")

    class Meta:
        model = ReviewItem
        fields = [
            "id",
            "url",
            "site",
            "event",
            "event_id",
            "starttime",
            "station",
            "label",
            "catalogue_label",
            "predicted",
            "probability",
            "reason",
            "state",
            "priority",
            "judged",
            "judged_probability",
            "basis",
            "suspicion",
            "standing",
            "holder",
            "held_until",
            "postponed_until",
            "created_at",
            "closed_at",
        ]


class ReviewEventSerializer(EventFactsSerializer):
    """An event as the review page shows it; the item says which prediction belongs to it."""

    observations = ObservationSerializer(many=True)
    history = serializers.SerializerMethodField()

    class Meta(EventFactsSerializer.Meta):
        fields = [*EventFactsSerializer.Meta.fields, "observations", "history"]

    @extend_schema_field(RelabelSerializer(many=True))
    def get_history(self, event: Event) -> Any:
        return RelabelSerializer(history(event), many=True).data


class ItemSerializer(LeasedSerializer):
    """An item with everything the review page needs but the bytes of the panels."""

    site = SiteBriefSerializer()
    reason_text = serializers.SerializerMethodField()
    held_by_me = serializers.SerializerMethodField()
    event = ReviewEventSerializer()
    prediction = PredictionSerializer(allow_null=True)
    panels = serializers.SerializerMethodField()
    classes = EventClassSerializer(source="site.classes", many=True)
    counts = serializers.SerializerMethodField()
    judged = Code(source="judged_class")
    standing = serializers.CharField(help_text="Why it stands where it stands, in one phrase.")
    out_of_fold = serializers.SerializerMethodField()

    class Meta:
        model = ReviewItem
        fields = [
            "id",
            "url",
            "site",
            "state",
            "reason",
            "reason_text",
            "priority",
            "judged",
            "judged_probability",
            "basis",
            "suspicion",
            "standing",
            "out_of_fold",
            "holder",
            "held_by_me",
            "held_until",
            "postponed_until",
            "created_at",
            "closed_at",
            "event",
            "prediction",
            "panels",
            "classes",
            "counts",
        ]

    def get_reason_text(self, item: ReviewItem) -> str:
        return reason_text(item)

    @extend_schema_field(serializers.DictField(child=serializers.FloatField(), allow_null=True))
    def get_out_of_fold(self, item: ReviewItem) -> dict[str, float] | None:
        """Probabilities by the folds of the model that never saw the event; null where it did not learn from it."""
        if item.prediction is None or item.basis != ReviewItem.Basis.OUT_OF_FOLD:
            return None
        example = item.event.examples.filter(model=item.prediction.model_id)
        return example.values_list("out_of_fold", flat=True).first()

    def get_held_by_me(self, item: ReviewItem) -> bool:
        return item.held and item.holder_id == self.context["request"].user.pk

    @extend_schema_field(PanelSerializer(many=True))
    def get_panels(self, item: ReviewItem) -> Any:
        panels = latest_panels(item.prediction) if item.prediction else []
        return PanelSerializer(panels, many=True).data

    @extend_schema_field(CountsSerializer)
    def get_counts(self, item: ReviewItem) -> dict[str, Any]:
        return self.context.get("counts") or counts_of(item.site)


class DecisionSerializer(Strict):
    """A decision, and what was on the screen when it was made: the prediction, {station: sha256} of its panels."""

    event_class = serializers.CharField(max_length=40)
    reason = serializers.CharField(default="", allow_blank=True)
    prediction = serializers.IntegerField(default=None, allow_null=True, min_value=1, max_value=BIGGEST_ID)
    panels = serializers.DictField(child=serializers.CharField(max_length=64), default=None, allow_null=True)
    next = serializers.BooleanField(default=False, help_text="Whether to lease the next item in the same breath.")


class NextItemSerializer(serializers.Serializer):
    item = ItemSerializer(allow_null=True)
    counts = CountsSerializer()


class DecidedSerializer(serializers.Serializer):
    """What was written; `next` as review-items/next/ gives it, null where it was not asked for."""

    relabel = RelabelSerializer()
    counts = CountsSerializer()
    next = NextItemSerializer(allow_null=True)


class LeaseSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    held_until = serializers.DateTimeField(allow_null=True)


class SkippedSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    postponed_until = serializers.DateTimeField()
    counts = CountsSerializer()


def as_text(time: Any) -> Any:
    return serializers.DateTimeField().to_representation(time)


def counts_of(site: Any, among: Any = None) -> dict[str, Any]:
    """A site's queue, or a part of it, in numbers, the reasons apart."""
    counts = queue_counts(site, among)
    by_reason = {reason: counts.pop(reason) for reason in ReviewItem.Reason.values}
    return {**counts, "by_reason": by_reason}


def reason_text(item: ReviewItem) -> str:
    """Why the item is in the queue, as a sentence."""
    said = item.prediction
    if said is None:
        return f"In the queue: {item.get_reason_display()}."
    model = f"Model {said.model.number} says {said.event_class.name} ({said.probability:.0%})"
    if item.basis == ReviewItem.Basis.OUT_OF_FOLD and item.judged_class:
        folds = f"Folds of model {said.model.number} that never saw this event say"
        model = f"{folds} {item.judged_class.name} ({item.judged_probability:.0%})"
    if item.reason == ReviewItem.Reason.DISAGREEMENT and item.event.label:
        return f"{model}, the label says {item.event.label.name}."
    if item.reason == ReviewItem.Reason.DETECTION:
        return f"{model}; the event was detected and has no label yet."
    if item.reason == ReviewItem.Reason.DOUBT:
        return f"{model}, but doubts itself."
    return f"{model}; {item.get_reason_display()}."
