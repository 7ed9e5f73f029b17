"""The filters of catalogue and queue: forms of choices. What they mean is said by the API's filters alone."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django_filters import FilterSet

from labelapp.api.filters import REASONS, STATUSES, EventFilters, QueueFilters
from labelapp.catalogue.models import Site


class UTCTime(forms.DateTimeField):
    """ISO 8601; without an offset it is UTC."""

    def __init__(self, label: str) -> None:
        example = forms.TextInput({"placeholder": "2026-03-01T06:00", "size": 20})
        super().__init__(required=False, label=label, widget=example)
        self.error_messages["invalid"] = "Write the time as 2026-03-01T06:00 or 2026-03-01 (UTC)."

    def to_python(self, value: Any) -> datetime | None:
        time = super().to_python(value)
        return time.astimezone(UTC) if time else None


class SiteFilterForm(forms.Form):
    """Narrows a site's rows. A value that does not fit is said beside its field, and narrows nothing."""

    filterset: type[FilterSet]
    # Fields whose choices are the site's own.
    of_classes: tuple[str, ...] = ()

    def __init__(self, data: Any, *, site: Site) -> None:
        super().__init__(data)
        classes = [(event_class.code, event_class.name) for event_class in site.classes.all()]
        stations = [(station.seed_id, station.seed_id) for station in site.stations.all()]
        for name, choices in (*((name, classes) for name in self.of_classes), ("station", stations)):
            label = self.fields[name].label or name.capitalize()
            self.fields[name] = forms.ChoiceField(required=False, label=label, choices=[("", "any"), *choices])

    @property
    def given(self) -> dict[str, str]:
        """The values that narrow something, by name, as the address has them."""
        self.full_clean()
        return {name: self.data[name] for name, value in self.cleaned_data.items() if value not in (None, "")}

    def apply(self, rows: QuerySet[Any], request: HttpRequest | None = None) -> QuerySet[Any]:
        """The rows that pass."""
        return self.filterset(self.given, queryset=rows, request=request).qs


class EventFilterForm(SiteFilterForm):
    """Of events; expects the annotations of `catalogue_events`."""

    filterset, of_classes = EventFilters, ("label", "predicted")

    label = forms.ChoiceField(required=False)
    predicted = forms.ChoiceField(required=False)
    station = forms.ChoiceField(required=False)
    starttime_after = UTCTime("From (UTC)")
    starttime_before = UTCTime("Until (UTC)")
    status = forms.ChoiceField(required=False, choices=[("", "any"), *STATUSES.items()])


def share(label: str) -> forms.FloatField:
    return forms.FloatField(
        required=False,
        label=label,
        min_value=0,
        max_value=1,
        widget=forms.NumberInput({"step": "0.01", "placeholder": "0–1"}),
    )


class QueueFilterForm(SiteFilterForm):
    """Of the queue's items. Who is not told what the machine says is not offered to filter by it."""

    filterset, of_classes = QueueFilters, ("label", "judged")

    # Chosen by the links above the form, which also count.
    reason = forms.ChoiceField(required=False, choices=[("", "any"), *REASONS], widget=forms.HiddenInput)
    label = forms.ChoiceField(required=False)
    judged = forms.ChoiceField(required=False, label="Judged as")
    station = forms.ChoiceField(required=False)
    starttime_after = UTCTime("From (UTC)")
    starttime_before = UTCTime("Until (UTC)")
    probability_min = share("Probability from")
    probability_max = share("Probability up to")

    def __init__(self, data: Any, *, site: Site, is_told: bool) -> None:
        super().__init__(data, site=site)
        if not is_told:
            for name in ("judged", "probability_min", "probability_max"):
                del self.fields[name]
