"""Parts of the queue: to lease from, and saved under a name."""

from typing import Any

from rest_framework import serializers

from labelapp.api.filters import QueueFilters
from labelapp.api.serializers.fields import SiteField, Strict
from labelapp.review.leasing import LONGEST_POSTPONE
from labelapp.review.models import SavedFilter


class QueueFilterSerializer(Strict):
    """A part of the queue, by the names and values that its list's address takes; null or "" narrows nothing."""

    reason = serializers.CharField(max_length=40, required=False, allow_null=True, allow_blank=True)
    label: serializers.Field = serializers.CharField(  # type: ignore[assignment]  # DRF's word for something else
        max_length=40, required=False, allow_null=True, allow_blank=True
    )
    judged = serializers.CharField(max_length=40, required=False, allow_null=True, allow_blank=True)
    station = serializers.CharField(max_length=40, required=False, allow_null=True, allow_blank=True)
    starttime_after = serializers.CharField(max_length=40, required=False, allow_null=True, allow_blank=True)
    starttime_before = serializers.CharField(max_length=40, required=False, allow_null=True, allow_blank=True)
    probability_min = serializers.FloatField(required=False, allow_null=True)
    probability_max = serializers.FloatField(required=False, allow_null=True)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """The values that narrow something. Raises ValidationError in the words of the list's filters."""
        kept = {name: value for name, value in given.items() if value not in (None, "")}
        found = QueueFilters(kept)
        if not found.is_valid():
            raise serializers.ValidationError({name: [str(e) for e in texts] for name, texts in found.errors.items()})
        return kept


class NextSerializer(Strict):
    """Which site's queue to take from, and which part of it."""

    site = SiteField()
    filter = QueueFilterSerializer(default=dict)


class SkipSerializer(Strict):
    """For how long to put an item off; left out, for as long as the site's policy says."""

    postpone_s = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, max_value=int(LONGEST_POSTPONE.total_seconds())
    )


class SavedFilterSerializer(serializers.ModelSerializer):
    """One of your own saved parts of a queue."""

    query = serializers.DictField()

    class Meta:
        model = SavedFilter
        fields = ["id", "site", "name", "query"]


class NewFilterSerializer(Strict):
    """A part of a site's queue and the name to keep it under; one of that name is replaced."""

    site = SiteField()
    name = serializers.CharField(max_length=80)
    query = QueueFilterSerializer(default=dict)
