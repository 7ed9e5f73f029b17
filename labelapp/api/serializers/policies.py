"""How a site is reviewed, and which events are gold."""

from typing import Any

from rest_framework import serializers

from labelapp.api.serializers.fields import Code, Strict, UserName
from labelapp.api.serializers.items import PassBandSerializer, ReasonForChangeSerializer
from labelapp.review.models import GoldEvent, ReviewPolicy
from labelapp.review.policies import SETTINGS

LONGEST_S = 2**31 - 1


class PolicySerializer(serializers.ModelSerializer):
    """How a site's events are reviewed; the defaults where nobody changed anything."""

    reasons = ReasonForChangeSerializer(many=True)
    filter_presets = PassBandSerializer(many=True)
    second_opinion_classes = serializers.SerializerMethodField()

    class Meta:
        model = ReviewPolicy
        fields = ["site", *SETTINGS]

    def get_second_opinion_classes(self, policy: ReviewPolicy) -> list[str]:
        """Codes of the classes whose every decision gets a second opinion."""
        return list(policy.second_opinion_classes.values_list("code", flat=True)) if policy.pk else []


class PolicyChangeSerializer(Strict):
    """What is to be otherwise; what is left out stays."""

    reasons = serializers.ListField(child=serializers.DictField(), required=False)
    filter_presets = serializers.ListField(child=serializers.DictField(), required=False)
    blind = serializers.BooleanField(required=False)
    second_opinion_share = serializers.FloatField(min_value=0, max_value=1, required=False)
    second_opinion_classes = serializers.ListField(child=serializers.CharField(max_length=40), required=False)
    gold_share = serializers.FloatField(min_value=0, max_value=1, required=False)
    lease_s = serializers.IntegerField(min_value=10, max_value=LONGEST_S, allow_null=True, required=False)
    postpone_s = serializers.IntegerField(min_value=1, max_value=LONGEST_S, required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """Codes as classes of the site. Raises ValidationError, naming the classes there are."""
        if "second_opinion_classes" in given:
            classes = {event_class.code: event_class for event_class in self.context["site"].classes.all()}
            if unknown := sorted(set(given["second_opinion_classes"]) - set(classes)):
                said = f"There is no class {', '.join(unknown)}. Classes: {', '.join(classes)}."
                raise serializers.ValidationError({"second_opinion_classes": [said]})
            given["second_opinion_classes"] = [classes[code] for code in given["second_opinion_classes"]]
        return given


class GoldSerializer(serializers.ModelSerializer):
    """An event whose class is beyond doubt."""

    event_class = Code()
    set_by = UserName()

    class Meta:
        model = GoldEvent
        fields = ["event", "event_class", "note", "set_by", "set_at"]


class NewGoldSerializer(Strict):
    """Which class is beyond doubt: that of the label where it is left out."""

    event_class = serializers.CharField(max_length=40, default=None, allow_null=True)
    note = serializers.CharField(default="", allow_blank=True, max_length=2_000)
