"""Queue and ledger in the admin, to be looked at only; how a site is reviewed, and gold events, to be changed."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from labelapp.catalogue.admin import ReadOnly
from labelapp.catalogue.errors import Refused
from labelapp.catalogue.models import Site
from labelapp.catalogue.text import check_text
from labelapp.review.gold import set_gold, unset_gold
from labelapp.review.models import GoldEvent, Relabel, ReviewItem, ReviewPolicy
from labelapp.review.policies import SETTINGS, clean_presets, clean_reasons


@admin.register(ReviewItem)
class ReviewItemAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["event", "site", "reason", "priority", "state", "holder", "held_until", "created_at"]
    list_filter = ["site", "state", "reason"]
    list_select_related = ["event", "site", "holder"]
    search_fields = ["event__event_id"]


@admin.register(Relabel)
class RelabelAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["sequence", "site_name", "event_name", "from_code", "to_code", "kind", "expert_name", "decided_at"]
    list_filter = ["site", "kind", "to_code", "expert_name"]
    search_fields = ["event_name", "reason", "hash"]
    date_hierarchy = "decided_at"


class Lines(forms.CharField):
    """A list of which each line is one row: to be edited as text. Subclasses say how a row is written and read."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        """Rows as text; text that was refused stays as it was typed."""
        return "\n".join(map(self.as_line, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Text as rows. Raises ValidationError."""
        text = super().clean(value)
        try:
            return self.checked([self.as_row(line.strip()) for line in text.splitlines() if line.strip()])
        except Refused as error:
            raise ValidationError(str(error)) from error

    def as_line(self, row: Any) -> str:
        """A row as its line."""
        raise NotImplementedError

    def as_row(self, line: str) -> Any:
        """A line as its row."""
        raise NotImplementedError

    def checked(self, rows: list[Any]) -> list[Any]:
        """The rows, if they are sound. Raises Refused."""
        raise NotImplementedError


class ReasonLines(Lines):
    def as_line(self, row: Any) -> str:
        return f"{row['key']} {row['text']}"

    def as_row(self, line: str) -> Any:
        key, _, text = line.partition(" ")
        return {"key": key, "text": text}

    def checked(self, rows: list[Any]) -> list[Any]:
        return clean_reasons(rows)


class PassBandLines(Lines):
    def as_line(self, row: Any) -> str:
        return f"{row['low_hz']:g} {row['high_hz']:g}"

    def as_row(self, line: str) -> Any:
        try:
            low, high = map(float, line.split())
        except ValueError as error:
            raise ValidationError(f"“{line}” is no pass band. Write two numbers, such as: 1 10") from error
        return {"low_hz": low, "high_hz": high}

    def checked(self, rows: list[Any]) -> list[Any]:
        return clean_presets(rows)


class PolicyForm(forms.ModelForm):
    reasons = ReasonLines(help_text="Reasons for changing a label, one a line: its key (a letter), a blank, the text.")
    filter_presets = PassBandLines(required=False, help_text="Pass bands, one a line: low and high end in Hz.")

    class Meta:
        model = ReviewPolicy
        fields = ["site", *SETTINGS]
        labels = {"lease_s": "Lease (s)", "postpone_s": "Postponement (s)"}
        help_texts = {
            "blind": "Experts decide first, then see what the machine says, then decide again.",
            "second_opinion_share": "So many of the decisions get a second opinion, 0 to 1, by chance.",
            "second_opinion_classes": "Every decision for one of these classes gets a second opinion.",
            "gold_share": "So many of an expert's items are gold events, 0 to 1, by chance.",
            "lease_s": "How long an item is held for an expert; empty: as the server's settings say.",
            "postpone_s": "How long a skipped item is put off.",
        }
        widgets = {"second_opinion_classes": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_classes(self.fields["second_opinion_classes"], self.instance.site if self.instance.pk else None)

    def clean(self) -> dict[str, Any]:
        """Classes of other sites are no classes here."""
        said = super().clean() or self.cleaned_data
        site = self.instance.site if self.instance.pk else said.get("site")
        if strangers := [c for c in said.get("second_opinion_classes") or [] if site and c.site_id != site.pk]:
            self.add_error("second_opinion_classes", f"{', '.join(map(str, strangers))}: no class of {site}.")
        return said


@admin.register(ReviewPolicy)
class ReviewPolicyAdmin(admin.ModelAdmin):
    """How a site's events are reviewed. A site without one is reviewed by the defaults."""

    form = PolicyForm
    list_display = ["site", "blind", "second_opinion_share", "gold_share", "lease_s", "postpone_s"]

    def get_readonly_fields(self, request: HttpRequest, obj: ReviewPolicy | None = None) -> list[str]:
        return ["site"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: change it instead."""
        return False


def name_classes(field: Any, site: Site | None) -> None:
    """Offer the classes of one site, or of all, each with its site's name."""
    if site is not None:
        field.queryset = field.queryset.filter(site=site)
    else:
        field.queryset = field.queryset.select_related("site")
        field.label_from_instance = lambda event_class: f"{event_class.site}: {event_class}"


class GoldForm(forms.ModelForm):
    class Meta:
        model = GoldEvent
        fields = ["event", "event_class", "note"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name_classes(self.fields["event_class"], self.instance.event.site if self.instance.pk else None)

    def clean(self) -> dict[str, Any]:
        """The class must be one of the event's site."""
        said = super().clean() or self.cleaned_data
        event = self.instance.event if self.instance.pk else said.get("event")
        if event and said.get("event_class") and said["event_class"].site_id != event.site_id:
            self.add_error("event_class", f"{said['event_class']} is no class of {event.site}.")
        if event and event.merged_into_id:
            self.add_error("event", f"{event} was merged into {event.merged_into}. Choose that event.")
        try:
            check_text("The note", said.get("note", ""), 2_000)
        except Refused as error:
            self.add_error("note", str(error))
        return said


@admin.register(GoldEvent)
class GoldEventAdmin(admin.ModelAdmin):
    """Events whose class is beyond doubt, mixed into the queue. Experts must not learn which they are."""

    form = GoldForm
    list_display = ["event", "event_class", "note", "set_by", "set_at"]
    list_select_related = ["event", "event_class", "set_by"]
    list_filter = ["event__site", "event_class"]
    search_fields = ["event__event_id", "note"]
    raw_id_fields = ["event"]

    def get_readonly_fields(self, request: HttpRequest, obj: GoldEvent | None = None) -> list[str]:
        return ["event"] if obj else []

    def save_model(self, request: HttpRequest, obj: GoldEvent, form: Any, change: bool) -> None:
        """By the service, which writes down who said so."""
        obj.pk = set_gold(event=obj.event, by=request.user, event_class=obj.event_class, note=obj.note).pk

    def delete_model(self, request: HttpRequest, obj: GoldEvent) -> None:
        """By the service, which withdraws the questions."""
        unset_gold(event=obj.event, by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[GoldEvent]) -> None:
        """By the service, one by one."""
        for gold in queryset:
            unset_gold(event=gold.event, by=request.user)
