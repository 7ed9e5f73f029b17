"""The catalogue in the admin. Labels are not edited here: they change by an expert's decision only."""

from typing import Any

from django.contrib import admin

from labelapp.catalogue.models import Event, EventClass, Explanation, Observation, Prediction, Recording, Station


class ReadOnly:
    """For ModelAdmin and inlines: rows that nobody adds, changes or deletes by hand."""

    def has_add_permission(self, *_: Any) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, *_: Any) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, *_: Any) -> bool:
        """Nobody."""
        return False


class NotAddedByHand:
    """For ModelAdmin: rows come by import or detection, and stay."""

    def has_add_permission(self, *_: Any) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, *_: Any) -> bool:
        """Nobody."""
        return False


class ObservationInline(ReadOnly, admin.TabularInline):
    model = Observation
    extra = 0


@admin.register(Event)
class EventAdmin(NotAddedByHand, admin.ModelAdmin):
    list_display = ["event_id", "site", "starttime", "station", "catalogue_label", "label", "origin"]
    list_filter = ["site", "origin", "label__name"]
    list_select_related = ["site", "station", "catalogue_label", "label"]
    search_fields = ["event_id", "description"]
    date_hierarchy = "starttime"
    readonly_fields = [
        "site", "event_id", "starttime", "endtime", "station", "origin", "source", "catalogue_label", "label",
        "merged_into", "created_at",
    ]  # fmt: skip
    inlines = [ObservationInline]


@admin.register(EventClass)
class EventClassAdmin(NotAddedByHand, admin.ModelAdmin):
    """Code and site stay as they are: the ledger has written them down."""

    list_display = ["name", "site", "code", "key", "colour", "quakeml_type"]
    list_filter = ["site"]
    readonly_fields = ["site", "code"]


@admin.register(Station)
class StationAdmin(NotAddedByHand, admin.ModelAdmin):
    list_display = ["seed_id", "site", "latitude_deg", "longitude_deg", "elevation_m"]
    list_filter = ["site"]
    search_fields = ["network", "code"]
    readonly_fields = ["site", "network", "code", "location"]


@admin.register(Recording)
class RecordingAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["path", "site", "format", "size_bytes", "ingested_at"]
    list_filter = ["site", "format"]
    search_fields = ["path", "sha256"]


@admin.register(Prediction)
class PredictionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["event", "model", "event_class", "probability", "created_at"]
    list_filter = ["model__site", "event_class__name"]
    list_select_related = ["event", "model__site", "event_class"]
    search_fields = ["event__event_id"]


@admin.register(Explanation)
class ExplanationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["prediction", "station", "sha256", "created_at"]
    list_select_related = ["prediction__event_class", "station"]
    search_fields = ["prediction__event__event_id", "sha256"]
