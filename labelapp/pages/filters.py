"""The filters of the catalogue's list: a form of choices. What they mean is said by the API's filters alone."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.db.models import QuerySet

from labelapp.api.filters import STATUSES, EventFilters
from labelapp.catalogue.models import Event, Site


class UTCTime(forms.DateTimeField):
    """ISO 8601; without an offset it is UTC."""

    def __init__(self, label: str) -> None:
        example = forms.TextInput({"placeholder": "2026-03-01T06:00", "size": 20})
        super().__init__(required=False, label=label, widget=example)
        self.error_messages["invalid"] = "Write the time as 2026-03-01T06:00 or 2026-03-01 (UTC)."

    def to_python(self, value: Any) -> datetime | None:
        time = super().to_python(value)
        return time.astimezone(UTC) if time else None


class EventFilterForm(forms.Form):
    """Narrows a site's events. A value that does not fit is said beside its field, and narrows nothing."""

    label = forms.ChoiceField(required=False)
    predicted = forms.ChoiceField(required=False)
    station = forms.ChoiceField(required=False)
    starttime_after = UTCTime("From (UTC)")
    starttime_before = UTCTime("Until (UTC)")
    status = forms.ChoiceField(required=False, choices=[("", "any"), *STATUSES.items()])

    def __init__(self, data: Any, *, site: Site) -> None:
        super().__init__(data)
        classes = [(event_class.code, event_class.name) for event_class in site.classes.all()]
        stations = [(station.seed_id, station.seed_id) for station in site.stations.all()]
        for name, choices in (("label", classes), ("predicted", classes), ("station", stations)):
            self.fields[name] = forms.ChoiceField(
                required=False, label=name.capitalize(), choices=[("", "any"), *choices]
            )

    def apply(self, rows: QuerySet[Event]) -> QuerySet[Event]:
        """The rows that pass; expects the annotations of `catalogue_events`."""
        self.full_clean()
        given = {name: self.data[name] for name, value in self.cleaned_data.items() if value}
        return EventFilters(given, queryset=rows).qs
