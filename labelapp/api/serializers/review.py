"""Rows of the ledger and of the queue, leases, counts."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labelapp.api.serializers.fields import Address, Code, SeedId
from labelapp.review.models import Relabel, ReviewItem, ReviewPolicy
from labelapp.review.opinions import OPENLY, is_asked_blindly, is_independent, is_told
from labelapp.review.selectors import policy_of, queue_counts

# The reason of an item that may not be told: it would say what the machine, or another expert, thinks.
QUESTION = "question"
# What an item says of the machine's opinion, and what it says instead to whoever must decide before they know it.
MACHINE = {"judged": None, "judged_probability": None, "basis": "", "suspicion": None, "standing": "", "priority": 0.0}


class RelabelSerializer(serializers.ModelSerializer):
    """A row of the ledger, in the words that were written down. Exports have it whole, for auditors."""

    event_id = serializers.CharField(source="event_name")
    expert = serializers.CharField(source="expert_name")
    kind_text = serializers.CharField(source="get_kind_display", read_only=True, help_text="The kind in words.")
    from_class = serializers.SerializerMethodField()
    to_class = serializers.SerializerMethodField()
    details = serializers.SerializerMethodField()

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
            "kind_text",
            "from_class",
            "to_class",
            "reason",
            "details",
            "prediction",
            "item",
            "shown",
            "decided_at",
            "previous_hash",
            "hash",
        ]

    def get_from_class(self, row: Relabel) -> str | None:
        return row.from_code or None

    def get_to_class(self, row: Relabel) -> str | None:
        """Null: the expert could not tell, or the event is without a label again."""
        return row.to_code or None

    def get_details(self, row: Relabel) -> dict[str, Any]:
        """What else was said; not whether it was a gold check, which experts must not learn to tell."""
        return {name: value for name, value in row.details.items() if name not in {"gold", "asked"}}


class CountsSerializer(serializers.Serializer):
    """How many items a site's queue has."""

    open = serializers.IntegerField()
    waiting = serializers.IntegerField()
    held = serializers.IntegerField()
    postponed = serializers.IntegerField()
    done = serializers.IntegerField()
    by_reason = serializers.DictField(child=serializers.IntegerField())


class LeasedSerializer(serializers.ModelSerializer):
    """Base: what is held against an item's label, and who holds the item now. A lease that is over is none."""

    url = Address("api:review-item-detail")
    judged = Code(source="judged_class")
    standing = serializers.CharField(help_text="Why it stands where it stands, in one phrase.")
    holder = serializers.SerializerMethodField()
    held_until = serializers.SerializerMethodField()

    def get_holder(self, item: ReviewItem) -> str | None:
        return item.holder.get_username() if item.holder and item.held else None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_held_until(self, item: ReviewItem) -> str | None:
        return as_text(item.held_until) if item.held else None


class ItemRowSerializer(LeasedSerializer):
    """An item of the list, without what its answer must not depend on."""

    event_id = serializers.CharField(source="event.event_id")
    starttime = serializers.DateTimeField(source="event.starttime")
    station = SeedId("event.station.seed_id")
    label: serializers.Field = Code(source="event.label")  # type: ignore[assignment]  # DRF's word for something else
    catalogue_label = Code(source="event.catalogue_label")
    predicted = Code(source="prediction.event_class", default=None)
    probability = serializers.FloatField(source="prediction.probability", allow_null=True, default=None)
    reason = serializers.CharField(help_text="Why it is in the queue; `question` where that may not be told.")

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

    def to_representation(self, item: ReviewItem) -> dict[str, Any]:
        said = super().to_representation(item)
        if is_independent(item):
            said |= dict.fromkeys(["label", "catalogue_label"])
        if is_asked_blindly(item, getattr(item.site, "review_policy", None)):
            said |= {**MACHINE, "reason": QUESTION, "predicted": None, "probability": None}
        return said


class LeaseSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    held_until = serializers.DateTimeField(allow_null=True)


class SkippedSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    postponed_until = serializers.DateTimeField()
    counts = CountsSerializer()


def as_text(time: Any) -> Any:
    return serializers.DateTimeField().to_representation(time)


def counts_of(site: Any, user: Any, among: Any = None, policy: ReviewPolicy | None = None) -> dict[str, Any]:
    """A site's queue, or a part of it, in numbers, the reasons apart, as the user may know them.

    Who is not told gets those that may not be told as one number, `question`: a part can be a single item, and one
    that goes or comes tells its reason by what the numbers were before. `policy`: the site's, where it is known.
    """
    counts = queue_counts(site, among)
    by_reason = {reason: counts.pop(reason) for reason in ReviewItem.Reason.values}
    if not is_told(user, policy or policy_of(site)):
        openly = {reason.value: by_reason.pop(reason.value) for reason in OPENLY}
        by_reason = openly | {QUESTION: sum(by_reason.values())}
    return {**counts, "by_reason": by_reason}
