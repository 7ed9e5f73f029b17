"""What an expert is told who asks to look at an event."""

from django.urls import reverse
from rest_framework import serializers

from labelapp.api.serializers.items import ItemSerializer
from labelapp.review.models import ReviewItem


class RequestedItemSerializer(ItemSerializer):
    """The item, and the address of the run that is making its maps: ask for the item again when it is done."""

    run = serializers.SerializerMethodField()

    class Meta(ItemSerializer.Meta):
        fields = [*ItemSerializer.Meta.fields, "run"]

    def get_run(self, item: ReviewItem) -> str | None:
        run = self.context["run"]
        return reverse("api:run-detail", args=[run.pk]) if run else None
