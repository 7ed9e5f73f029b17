"""Runs, and the request for one."""

from rest_framework import serializers

from labelapp.api.serializers.fields import Address, SiteField, Strict, UserName
from labelapp.learning.models import Run


class RunRowSerializer(serializers.ModelSerializer):
    """A run of the list: everything but its log."""

    url = Address("api:run-detail")
    kind_text = serializers.CharField(source="get_kind_display", read_only=True)
    time_left_s = serializers.FloatField(read_only=True, allow_null=True)
    asked_by = UserName()

    class Meta:
        model = Run
        fields = [
            "id",
            "url",
            "site",
            "kind",
            "kind_text",
            "parameters",
            "state",
            "stage",
            "progress",
            "time_left_s",
            "figures",
            "error",
            "cancel_requested",
            "asked_by",
            "model",
            "attempt",
            "created_at",
            "started_at",
            "heartbeat_at",
            "finished_at",
        ]


class RunSerializer(RunRowSerializer):
    class Meta(RunRowSerializer.Meta):
        fields = [*RunRowSerializer.Meta.fields, "log"]


class StartRunSerializer(Strict):
    """What to do, where, and how.

    `train` takes epochs, seed and start (the id of an encoder); `classify` a model, `detect` starttime and endtime;
    `pretrain` method, encoder, epochs, windows, seed and recipe (tables of settings); `map` a model of either kind,
    windows and method ("tsne" or "pca").
    """

    site = SiteField()
    kind = serializers.CharField(max_length=20)
    parameters = serializers.DictField(default=dict)

    def validate_kind(self, kind: str) -> str:
        if kind not in Run.Kind.values:
            raise serializers.ValidationError(f"{kind!r} is not one of: {', '.join(Run.Kind.values)}.")
        return kind
