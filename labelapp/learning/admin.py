"""Sites, models and runs in the admin. "Retrain" starts a run that can be watched on its page."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from labelapp.catalogue import roles
from labelapp.catalogue.errors import NotAllowed, Refused
from labelapp.catalogue.models import ModelVersion, Site
from labelapp.catalogue.services import promote_model
from labelapp.learning.claims import mark_silent_runs
from labelapp.learning.models import Run
from labelapp.learning.services import cancel_run, resume_run, start_run


class ReadOnly(admin.ModelAdmin):
    """Facts that only services write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_manager_permission(self, request: HttpRequest) -> bool:
        """For actions: Django asks for `has_<permission>_permission`."""
        return roles.is_manager(request.user)

    def for_each(self, request: HttpRequest, rows: Iterable[Model], act: Callable[[Any], Any]) -> None:
        """Do something with each row; tell what came of it, refusals too, and go on."""
        for row in rows:
            try:
                said, level = act(row), messages.SUCCESS
            except Refused as error:
                said, level = str(error), messages.ERROR
            self.message_user(request, said, level)


@admin.register(Site)
class SiteAdmin(ReadOnly):
    """Sites are made by `create_site`; their description may be changed here."""

    list_display = ["name", "synthetic", "active_model", "created_at"]
    readonly_fields = ["name", "synthetic", "recipe", "active_model", "created_at"]
    actions = ["retrain", "classify", "pretrain", "map_pool"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_manager_permission(request)

    @admin.action(description="Retrain, then classify again", permissions=["manager"])
    def retrain(self, request: HttpRequest, queryset: QuerySet[Site]) -> None:
        self.for_each(request, queryset, lambda site: _start(request, site, Run.Kind.TRAIN, then_classify=True))

    @admin.action(description="Classify again", permissions=["manager"])
    def classify(self, request: HttpRequest, queryset: QuerySet[Site]) -> None:
        self.for_each(request, queryset, lambda site: _start(request, site, Run.Kind.CLASSIFY))

    @admin.action(description="Pretrain on the recordings", permissions=["manager"])
    def pretrain(self, request: HttpRequest, queryset: QuerySet[Site]) -> None:
        self.for_each(request, queryset, lambda site: _start(request, site, Run.Kind.PRETRAIN))

    @admin.action(description="Draw the pool map", permissions=["manager"])
    def map_pool(self, request: HttpRequest, queryset: QuerySet[Site]) -> None:
        self.for_each(request, queryset, lambda site: _start(request, site, Run.Kind.MAP))


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnly):
    list_display = ["__str__", "site", "kind", "macro_f1", "balanced_accuracy", "active", "created_at"]
    list_filter = ["site", "kind"]
    actions = ["promote"]

    @admin.display(description="macro-F1 on held-out events")
    def macro_f1(self, model: ModelVersion) -> str:
        return _figure(model, "macro_f1")

    @admin.display
    def balanced_accuracy(self, model: ModelVersion) -> str:
        return _figure(model, "balanced_accuracy")

    @admin.display(boolean=True)
    def active(self, model: ModelVersion) -> bool:
        return model.site.active_model_id == model.pk

    @admin.action(description="Promote: make it its site's active model", permissions=["manager"])
    def promote(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        def act(model: ModelVersion) -> str:
            promote_model(model=model, by=request.user)
            return f"{model} is the active model now."

        self.for_each(request, queryset, act)


@admin.register(Run)
class RunAdmin(ReadOnly):
    list_display = ["__str__", "state", "stage", "percent", "asked_by", "created_at", "page"]
    list_filter = ["state", "kind", "site"]
    actions = ["cancel", "resume"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        mark_silent_runs()
        return super().get_queryset(request).select_related("site", "asked_by")

    @admin.display(description="progress")
    def percent(self, run: Run) -> str:
        return f"{run.progress:.0%}"

    @admin.display(description="watch")
    def page(self, run: Run) -> str:
        return format_html('<a href="{}">progress and log</a>', run.get_absolute_url())

    @admin.action(description="Cancel", permissions=["manager"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        def act(run: Run) -> str:
            return f"{cancel_run(run=run, by=request.user)} was asked to stop."

        self.for_each(request, queryset, act)

    @admin.action(description="Resume", permissions=["manager"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self.for_each(request, queryset, lambda run: _watch(resume_run(run=run, by=request.user)))


def _start(request: HttpRequest, site: Site, kind: str, **parameters: Any) -> str:
    if not roles.is_manager(request.user):
        raise NotAllowed(f"{request.user} is not a manager. Ask a manager to start this.")
    return _watch(start_run(site=site, kind=kind, parameters=parameters, asked_by=request.user))


def _watch(run: Run) -> str:
    return format_html('Run {} is queued: <a href="{}">watch its progress</a>.', run.pk, run.get_absolute_url())


def _figure(model: ModelVersion, name: str) -> str:
    value = (model.metrics or {}).get(name)
    return "–" if value is None else f"{value:.3f}"
