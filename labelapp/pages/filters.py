"""The filters of the catalogue's list."""

from datetime import UTC

from django import forms
from django.db.models import F, QuerySet

from labelapp.catalogue.models import Event, EventClass, Site, Station

STATUSES = {
    "waiting": ("waiting for review", {"is_waiting": True}),
    "reviewed": ("reviewed", {"is_reviewed": True}),
    "changed": ("label differs from the catalogue", {}),
    "unlabelled": ("without a label", {"label__isnull": True}),
}


class UTCDateTime(forms.DateTimeField):
    """ISO 8601; without an offset it is UTC."""

    def __init__(self) -> None:
        attributes = {"placeholder": "2026-03-01T06:00", "size": 20}
        super().__init__(required=False, widget=forms.TextInput(attributes))
        self.error_messages["invalid"] = "Write the time as 2026-03-01T06:00 or 2026-03-01 (UTC)."

    def to_python(self, value: str | None):
        time = super().to_python(value)
        return time and time.astimezone(UTC)


class EventFilters(forms.Form):
    """Narrows a site's events. A value that does not fit is said beside its field, and narrows nothing."""

    label = forms.ModelChoiceField(EventClass.objects.none(), required=False, to_field_name="code", empty_label="any")
    predicted = forms.ModelChoiceField(
        EventClass.objects.none(), required=False, to_field_name="code", empty_label="any"
    )
    station = forms.ModelChoiceField(Station.objects.none(), required=False, empty_label="any")
    starttime_after = UTCDateTime()
    starttime_before = UTCDateTime()
    status = forms.ChoiceField(
        required=False, choices=[("", "any"), *((code, words) for code, (words, _) in STATUSES.items())]
    )

    def __init__(self, data, *, site: Site) -> None:
        super().__init__(data)
        self.fields["label"].queryset = self.fields["predicted"].queryset = site.classes.all()  # type: ignore[attr-defined]
        self.fields["station"].queryset = site.stations.all()  # type: ignore[attr-defined]
        self.fields["label"].label = "Label"
        self.fields["starttime_after"].label = "From (UTC)"
        self.fields["starttime_before"].label = "Until (UTC)"

    def apply(self, rows: QuerySet[Event]) -> QuerySet[Event]:
        """The rows that pass; expects the annotations of `listed_events`."""
        self.full_clean()
        given = {name: value for name, value in self.cleaned_data.items() if value}
        lookups = {
            "label": "label",
            "predicted": "predicted_class",
            "station": "observations__station",
            "starttime_after": "starttime__gte",
            "starttime_before": "starttime__lt",
        }
        if "predicted" in given:
            given["predicted"] = given["predicted"].code
        rows = rows.filter(**{lookups[name]: value for name, value in given.items() if name in lookups})
        status = given.get("status")
        if status == "changed":
            return rows.filter(catalogue_label__isnull=False).exclude(label=F("catalogue_label"))
        return rows.filter(**STATUSES[status][1]) if status else rows
