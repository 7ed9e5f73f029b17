"""What an expert sends when they decide or take back, and what they are answered."""

from typing import Any

from rest_framework import serializers

from labelapp.api.filter_fields import BIGGEST_ID
from labelapp.api.serializers.fields import SiteField, Strict
from labelapp.api.serializers.items import ItemSerializer, NextItemSerializer
from labelapp.api.serializers.queue import QueueFilterSerializer
from labelapp.api.serializers.review import CountsSerializer, RelabelSerializer
from labelapp.review.details import CONFIDENCES, LONGEST_COMMENT, LONGEST_LOOK_S, VERDICTS


class BoxSerializer(Strict):
    """A rectangle on a map, round what misleads: seconds from the window's start, and Hz."""

    station = serializers.CharField(max_length=40)
    component = serializers.CharField(max_length=20)
    map = serializers.CharField(max_length=90, help_text="Which map, in the page's words.")
    from_s = serializers.FloatField()
    to_s = serializers.FloatField()
    low_hz = serializers.FloatField(min_value=0)
    high_hz = serializers.FloatField(min_value=0)


class DecisionSerializer(Strict):
    """A decision, and what was on the screen when it was made: the prediction, {station: sha256} of its panels.

    Either a class or `unsure`. `blind`: made before the machine's opinion was shown; without a prediction.
    """

    event_class = serializers.CharField(max_length=40, default=None, allow_null=True)
    unsure = serializers.BooleanField(default=False, help_text="You cannot tell; somebody else will be asked.")
    blind = serializers.BooleanField(default=False)
    reason = serializers.CharField(default="", allow_blank=True)
    comment = serializers.CharField(default="", allow_blank=True, max_length=LONGEST_COMMENT)
    confidence = serializers.ChoiceField(CONFIDENCES, default=None, allow_null=True)
    verdict = serializers.ChoiceField(
        VERDICTS, default=None, allow_null=True, help_text="On the machine's reason: wrong_reason is right otherwise."
    )
    box = BoxSerializer(default=None, allow_null=True)
    seconds = serializers.FloatField(
        default=None, allow_null=True, min_value=0, max_value=LONGEST_LOOK_S, help_text="How long you looked."
    )
    prediction = serializers.IntegerField(default=None, allow_null=True, min_value=1, max_value=BIGGEST_ID)
    panels = serializers.DictField(child=serializers.CharField(max_length=64), default=None, allow_null=True)
    next = serializers.BooleanField(default=False, help_text="Whether to lease the next item in the same breath.")
    filter = QueueFilterSerializer(default=dict, help_text="The part of the queue that the next item is from.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """Either a class, or that the expert cannot tell. Raises ValidationError for both or neither."""
        if given["unsure"] == (given["event_class"] is not None):
            said = "both a class and unsure" if given["unsure"] else "null, and unsure is not set"
            raise serializers.ValidationError({"event_class": [f"It is {said}. Give a class, or unsure: true."]})
        return given


class DecidedSerializer(serializers.Serializer):
    """What was written; `next` as review-items/next/ gives it, null where it was not asked for.

    `item`: after a blind decision the same item with what the machine says, to decide again; else null.
    """

    relabel = RelabelSerializer()
    counts = CountsSerializer()
    next = NextItemSerializer(allow_null=True)
    item = ItemSerializer(allow_null=True)


class UndoSerializer(Strict):
    """At which site to take back your newest decision."""

    site = SiteField()


class PassedOverSerializer(serializers.Serializer):
    """An event that was not gone back to: who decided on it since, and when."""

    event_id = serializers.CharField(source="event_name")
    by = serializers.CharField(source="expert_name")
    decided_at = serializers.DateTimeField()


class UndoneSerializer(serializers.Serializer):
    """The withdrawal, and the item to decide again, leased; null where somebody else holds a newer question.

    `passed_over`: newer decisions of yours that cannot be taken back.
    """

    relabel = RelabelSerializer()
    item = ItemSerializer(allow_null=True)
    counts = CountsSerializer()
    passed_over = PassedOverSerializer(many=True)
