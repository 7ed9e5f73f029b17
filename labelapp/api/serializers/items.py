"""An item as the review page shows it, and what is kept back from whoever must decide without it."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labelapp.api.serializers.catalogue import (
    EventClassSerializer,
    EventFactsSerializer,
    ObservationSerializer,
    PanelSerializer,
    PredictionSerializer,
    SiteBriefSerializer,
)
from labelapp.api.serializers.fields import Address
from labelapp.api.serializers.review import (
    MACHINE,
    QUESTION,
    CountsSerializer,
    LeasedSerializer,
    RelabelSerializer,
    counts_of,
)
from labelapp.catalogue.models import Event
from labelapp.catalogue.roles import is_manager
from labelapp.catalogue.selectors import latest_panels
from labelapp.review.models import Relabel, ReviewItem, ReviewPolicy
from labelapp.review.opinions import blind_row, is_blind, is_compared, is_independent
from labelapp.review.selectors import history, policy_of

# Of earlier decisions they learn these details.
HARMLESS = ("confidence", "comment", "seconds", "withdraws", "span", "into", "parts", "from_event")


class ReviewEventSerializer(EventFactsSerializer):
    """An event as the review page shows it; the item says which prediction belongs to it."""

    observations = ObservationSerializer(many=True)
    history = serializers.SerializerMethodField()

    class Meta(EventFactsSerializer.Meta):
        fields = [*EventFactsSerializer.Meta.fields, "observations", "history"]

    @extend_schema_field(RelabelSerializer(many=True))
    def get_history(self, event: Event) -> Any:
        return RelabelSerializer(history(event), many=True).data


class BlindPanelSerializer(PanelSerializer):
    """A panel as one who must not know the machine's opinion sees it: `url` gives waveform and STFT only."""

    url = Address("api:explanation-waveform-and-stft")

    def to_representation(self, instance: Any) -> Any:
        return {**super().to_representation(instance), "targets": [], "summary": {}}


class ReasonForChangeSerializer(serializers.Serializer):
    key = serializers.CharField()
    text = serializers.CharField()


class PassBandSerializer(serializers.Serializer):
    low_hz = serializers.FloatField()
    high_hz = serializers.FloatField()


class ItemPolicySerializer(serializers.Serializer):
    """How the site's items are reviewed, as far as the page must know."""

    reasons = ReasonForChangeSerializer(many=True)
    filter_presets = PassBandSerializer(many=True)
    lease_s = serializers.SerializerMethodField()
    postpone_s = serializers.IntegerField()

    def get_lease_s(self, policy: ReviewPolicy) -> int:
        return int(policy.lease.total_seconds())


class ItemSerializer(LeasedSerializer):
    """An item with everything the review page needs but the bytes of the panels.

    `blind`: you must decide before you are told what the machine says, and are not told yet. `independent`: label and
    history are kept back as well, because your opinion is compared with another.
    """

    site = SiteBriefSerializer()
    reason = serializers.SerializerMethodField()
    reason_text = serializers.SerializerMethodField()
    blind = serializers.SerializerMethodField()
    independent = serializers.SerializerMethodField()
    held_by_me = serializers.SerializerMethodField()
    event = ReviewEventSerializer()
    prediction = PredictionSerializer(allow_null=True)
    panels = serializers.SerializerMethodField()
    classes = EventClassSerializer(source="site.classes", many=True)
    counts = serializers.SerializerMethodField()
    out_of_fold = serializers.SerializerMethodField()
    policy = serializers.SerializerMethodField()
    opinions = serializers.SerializerMethodField()
    mine = serializers.SerializerMethodField()

    class Meta:
        model = ReviewItem
        fields = [
            "id",
            "url",
            "site",
            "state",
            "reason",
            "reason_text",
            "blind",
            "independent",
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
            "policy",
            "opinions",
            "mine",
        ]

    def to_representation(self, item: ReviewItem) -> dict[str, Any]:
        self.site_policy = getattr(item.site, "review_policy", None) or policy_of(item.site)
        self.is_blind = is_blind(item, self.context["request"].user, self.site_policy)
        said = super().to_representation(item)
        if said["independent"]:
            said["event"] |= {"label": None, "catalogue_label": None, "history": []}
        if self.is_blind:
            said |= {**MACHINE, "out_of_fold": None, "prediction": None}
            earlier = [row for row in said["event"]["history"] if row["kind"] != Relabel.Kind.BLIND]
            said["event"] |= {"history": [_without_machine(row) for row in earlier]}
            if item.event.origin == Event.Origin.DETECTION:
                said["event"]["description"] = ""  # it says what the detector took it for
        return said

    def get_reason(self, item: ReviewItem) -> str:
        """Why it is in the queue; `question` where that would tell what others think, or that it was a gold check."""
        return QUESTION if self.is_blind or is_independent(item) or self.is_secret(item) else item.reason

    def get_reason_text(self, item: ReviewItem) -> str:
        if is_independent(item):
            return "An independent opinion is asked for: label and history are kept back."
        if self.is_secret(item):
            return "A question."
        return "Say what you see; then you are told what the machine says." if self.is_blind else reason_text(item)

    def is_secret(self, item: ReviewItem) -> bool:
        """Whether experts must not learn, not even afterwards, if it is a gold check or a second opinion."""
        is_check = item.reason == ReviewItem.Reason.GOLD or is_compared(item)
        return is_check and not is_manager(self.context["request"].user)

    def get_blind(self, item: ReviewItem) -> bool:
        return self.is_blind

    def get_independent(self, item: ReviewItem) -> bool:
        return is_independent(item)

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
        return (BlindPanelSerializer if self.is_blind else PanelSerializer)(panels, many=True).data

    @extend_schema_field(CountsSerializer)
    def get_counts(self, item: ReviewItem) -> dict[str, Any]:
        user = self.context["request"].user
        return self.context.get("counts") or counts_of(item.site, user, policy=self.site_policy)

    @extend_schema_field(ItemPolicySerializer)
    def get_policy(self, item: ReviewItem) -> Any:
        return ItemPolicySerializer(self.site_policy).data

    @extend_schema_field(RelabelSerializer(many=True))
    def get_opinions(self, item: ReviewItem) -> Any:
        """The two decisions that an adjudication weighs."""
        if item.reason != ReviewItem.Reason.ADJUDICATION:
            return []
        return RelabelSerializer([row for row in (item.about, item.against) if row], many=True).data

    @extend_schema_field(RelabelSerializer(allow_null=True))
    def get_mine(self, item: ReviewItem) -> Any:
        """What you said before you were told what the machine says."""
        row = blind_row(item, self.context["request"].user) if self.site_policy.blind or item.blind_id else None
        return RelabelSerializer(row).data if row else None


class NextItemSerializer(serializers.Serializer):
    item = ItemSerializer(allow_null=True)
    counts = CountsSerializer()


def _without_machine(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the history without what the machine said, which somebody was shown."""
    details = {name: value for name, value in row["details"].items() if name in HARMLESS}
    return {**row, "shown": {}, "prediction": None, "details": details}


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
        return f"{model}, but not clearly."
    if item.reason == ReviewItem.Reason.SECOND_OPINION and item.about and item.about.kind == Relabel.Kind.UNSURE:
        return f"{model}; somebody could not tell what it is."
    return f"{model}; {item.get_reason_display()}."
