"""What each list can be narrowed and ordered by. Nothing else is read from a query."""

from typing import Any

from django.core.validators import EMPTY_VALUES
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from labelapp.api.filter_fields import (
    ChoiceFilter,
    ClassFilter,
    IdFilter,
    Ordering,
    ShareFilter,
    SiteFilter,
    StationFilter,
    TimeFilter,
    YesNoFilter,
)
from labelapp.catalogue.models import Event, ModelVersion, Observation, Site, TrainingExample
from labelapp.catalogue.roles import is_manager
from labelapp.catalogue.selectors import newest_prediction
from labelapp.catalogue.vocabulary import agreement
from labelapp.learning.models import PoolMap, Run
from labelapp.review.models import Relabel, ReviewItem, SavedFilter
from labelapp.review.opinions import ASKED_BLINDLY
from labelapp.review.selectors import SHOWN, allowed_for, waiting
from labelapp.review.standing import LABELLING, standing

STATUSES = {
    "waiting": "in the review queue",
    "reviewed": "decided by an expert",
    "changed": "label differs from the imported catalogue",
    "unlabelled": "without a label",
}


class AllowListed(filters.DjangoFilterBackend):
    """Applies a view's FilterSet; what it cannot use is refused in its own words."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> QuerySet:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            raise ValidationError({name: [str(text) for text in texts] for name, texts in filterset.errors.items()})
        return filterset.qs


class SiteRows(filters.FilterSet):
    """Base of the filters of whatever belongs to a site."""

    site = SiteFilter("site", label="Name or id of a site.")


class SiteFilters(filters.FilterSet):
    name = filters.CharFilter("name", "icontains", label="Part of the name.")
    ordering = Ordering(fields=["name", "created_at"])

    class Meta:
        model = Site
        fields: list[str] = []


class EventFilters(SiteRows):
    """Expects `predicted_class` on the events, as `catalogue_events` gives it."""

    event_id = filters.CharFilter("event_id", label="The catalogue's own id.")
    label = ClassFilter("label__code", label="Class of the label that holds now.")
    catalogue_label = ClassFilter("catalogue_label__code", label="Class in the imported catalogue.")
    predicted = ClassFilter("predicted_class", label="Class of the newest prediction.")
    event_class = ClassFilter(method="of_class", label="Class of the label or, without one, of the newest prediction.")
    disagreement = YesNoFilter(method="disagreeing", label="Whether the newest prediction differs from the label.")
    station = StationFilter(method="at_station", label="NET.STA.LOC, code or id of a station that observed the event.")
    starttime_after = TimeFilter("starttime", "gte", label="Events that start then or later (UTC).")
    starttime_before = TimeFilter("starttime", "lt", label="Events that start earlier (UTC).")
    status = ChoiceFilter(method="with_status", choices=list(STATUSES.items()), label="Where the review stands.")
    origin = ChoiceFilter("origin", choices=Event.Origin.choices, label="Where the event comes from.")
    ordering = Ordering(
        fields={
            "starttime": "starttime",
            "event_id": "event_id",
            "label__code": "label",
            "predicted_probability": "probability",
        }
    )

    class Meta:
        model = Event
        fields: list[str] = []

    def of_class(self, events: QuerySet, name: str, value: str) -> QuerySet:
        return events.alias(counts_as=Coalesce("label__code", "predicted_class")).filter(counts_as=value)

    def disagreeing(self, events: QuerySet, name: str, value: str) -> QuerySet:
        compared = events.alias(judge=newest_prediction("model_id")).filter(label__isnull=False, judge__isnull=False)
        same, known = agreement(label="label__code", predicted="predicted_class", model="judge")
        return compared.filter(known).exclude(same) if value == "true" else compared.filter(same)

    def at_station(self, events: QuerySet, name: str, value: QuerySet) -> QuerySet:
        return events.filter(Exists(Observation.objects.filter(event=OuterRef("pk"), station__in=value)))

    def with_status(self, events: QuerySet, name: str, value: str) -> QuerySet:
        waiting = ReviewItem.objects.filter(SHOWN, event=OuterRef("pk"), state=ReviewItem.State.OPEN)
        decided = standing(Relabel.objects.filter(event=OuterRef("pk"), kind__in=LABELLING))
        conditions: dict[str, Any] = {
            "waiting": Exists(waiting),
            "reviewed": Exists(decided),
            "changed": Q(catalogue_label__isnull=False) & ~Q(label=F("catalogue_label")),
            "unlabelled": Q(label__isnull=True),
        }
        return events.filter(conditions[value])


class RelabelFilters(SiteRows):
    event = IdFilter("event_id", label="Id of an event.")
    expert = filters.CharFilter("expert_name", label="User name of the expert.")
    kind = ChoiceFilter("kind", choices=Relabel.Kind.choices)
    from_class = ClassFilter("from_code", label="Class before the decision.")
    to_class = ClassFilter("to_code", label="Class after the decision.")
    decided_after = TimeFilter("decided_at", "gte", label="Decisions made then or later (UTC).")
    decided_before = TimeFilter("decided_at", "lt", label="Decisions made earlier (UTC).")
    ordering = Ordering(fields=["sequence", "decided_at"])

    class Meta:
        model = Relabel
        fields: list[str] = []


# Gold checks are asked by nobody: an expert must take them for questions like any other.
REASONS = [(code, words) for code, words in ReviewItem.Reason.choices if code != ReviewItem.Reason.GOLD]


class QueueFilters(filters.FilterSet):
    """A part of the queue: for lists, for leases, and to be saved under a name.

    Items of blind sites do not answer the filters in TELLING: who tries them would learn what is kept back. Managers
    are told.
    """

    TELLING = ("reason", "judged", "probability_min", "probability_max", "predicted")

    reason = ChoiceFilter("reason", choices=REASONS, label="Why an expert should look.")
    label = ClassFilter("event__label__code", label="Class of the event's label.")
    judged = ClassFilter("judged_class__code", label="Class that is held against the label.")
    station = StationFilter(method="at_station", label="NET.STA.LOC, code or id of a station that observed the event.")
    starttime_after = TimeFilter("event__starttime", "gte", label="Events that start then or later (UTC).")
    starttime_before = TimeFilter("event__starttime", "lt", label="Events that start earlier (UTC).")
    probability_min = ShareFilter("judged_probability", "gte", label="Judged at least so probable, 0 to 1.")
    probability_max = ShareFilter("judged_probability", "lte", label="Judged at most so probable, 0 to 1.")

    class Meta:
        model = ReviewItem
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        found = super().filter_queryset(queryset)
        tried = any(self.form.cleaned_data.get(name) not in EMPTY_VALUES for name in self.TELLING)
        if not tried or (self.request is not None and is_manager(self.request.user)):
            return found
        return found.exclude(ASKED_BLINDLY)

    def at_station(self, items: QuerySet, name: str, value: QuerySet) -> QuerySet:
        return items.filter(Exists(Observation.objects.filter(event=OuterRef("event"), station__in=value)))


class CountFilters(QueueFilters, SiteRows):
    """Of the counts of a queue, or of a part of it."""


class ReviewItemFilters(QueueFilters, SiteRows):
    event = IdFilter("event_id", label="Id of an event.")
    state = ChoiceFilter("state", choices=ReviewItem.State.choices)
    holder = filters.CharFilter("holder__username", label="User name of the expert who last took the item.")
    predicted = ClassFilter("prediction__event_class__code", label="Class that the item's prediction gives.")
    waiting = YesNoFilter(method="to_be_had", label="Whether you could be given the item now.")
    ordering = Ordering(fields={"priority": "priority", "event__starttime": "starttime", "closed_at": "closed_at"})

    class Meta:
        model = ReviewItem
        fields: list[str] = []

    def to_be_had(self, items: QuerySet, name: str, value: str) -> QuerySet:
        mine = waiting() & allowed_for(self.request.user)
        return items.filter(mine) if value == "true" else items.exclude(mine)


class ModelFilters(SiteRows):
    kind = ChoiceFilter("kind", choices=ModelVersion.Kind.choices, label="What it is: a classifier or an encoder.")
    active = YesNoFilter(method="in_use", label="Whether the model is its site's active one.")
    ordering = Ordering(fields=["number", "created_at"])

    def in_use(self, models: QuerySet, name: str, value: str) -> QuerySet:
        active = Q(site__active_model=F("pk"))
        return models.filter(active) if value == "true" else models.exclude(active)


class LabelErrorFilters(filters.FilterSet):
    """Of the export of one model's label errors, which has its own order."""

    event = IdFilter("event_id", label="Id of an event.")
    split = ChoiceFilter("split", choices=TrainingExample.Split.choices, label="What the event was used for.")
    label = ClassFilter("event_class__code", label="Class that the model learned for it.")
    label_now = ClassFilter("event__label__code", label="Class of the label that holds now.")
    changed = YesNoFilter(method="since_changed", label="Whether the label has changed since the training.")
    suspicion_min = ShareFilter("suspicion", "gte", label="Labels that are at least so suspicious, 0 to 1.")

    class Meta:
        model = TrainingExample
        fields: list[str] = []

    def since_changed(self, examples: QuerySet, name: str, value: str) -> QuerySet:
        same = Q(event__label=F("event_class"))
        return examples.exclude(same) if value == "true" else examples.filter(same)


class ExampleFilters(LabelErrorFilters):
    """Of one model's examples."""

    ordering = Ordering(fields={"suspicion": "suspicion", "event__starttime": "starttime"})


class SavedFilterFilters(SiteRows):
    class Meta:
        model = SavedFilter
        fields: list[str] = []


class MapFilters(SiteRows):
    ordering = Ordering(fields=["created_at", "points"])

    class Meta:
        model = PoolMap
        fields: list[str] = []


class RunFilters(SiteRows):
    kind = ChoiceFilter("kind", choices=Run.Kind.choices)
    state = ChoiceFilter("state", choices=Run.State.choices)
    created_after = TimeFilter("created_at", "gte", label="Runs asked for then or later (UTC).")
    created_before = TimeFilter("created_at", "lt", label="Runs asked for earlier (UTC).")
    ordering = Ordering(fields=["created_at", "finished_at", "progress"])
