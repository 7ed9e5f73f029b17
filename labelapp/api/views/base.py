"""What every view of the API shares."""

from typing import Any

from django.db.models import Model
from django.http import Http404
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from labelapp.api.refusals import UnknownParameter
from labelapp.catalogue.models import EventClass, Site

PAGER = ("page", "page_size")


class StrictParameters(APIView):
    """Refuses query parameters that the view does not read, and such that are given twice."""

    query_parameters: tuple[str, ...] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        given, allowed = request.query_params, self.allowed_parameters()
        wrong = {
            name[:80]: [f"Unknown. Allowed here: {', '.join(sorted(allowed)) or 'none'}."]
            for name in given
            if name not in allowed
        }
        twice = {name: ["Given more than once."] for name in given if len(given.getlist(name)) > 1}
        if wrong or twice:
            raise UnknownParameter({**twice, **wrong})

    def allowed_parameters(self) -> tuple[str, ...]:
        """Names that the query may hold."""
        return self.query_parameters


class Actions(StrictParameters, GenericViewSet):
    """Base of the viewsets: finds rows, reads bodies."""

    filterset_class: Any = None

    def get_object(self) -> Any:
        """The row of the address. Raises NotFound, naming what is missing."""
        try:
            return super().get_object()
        except Http404 as error:
            kind = self.get_queryset().model._meta.verbose_name
            raise NotFound(f"There is no {kind} {self.kwargs['pk'][:40]}.") from error

    def body(self, kind: type[Serializer]) -> dict[str, Any]:
        """The request's body as `kind` understands it. Raises ValidationError."""
        serializer = kind(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def shown(self, row: Model | dict[str, Any], kind: type[Serializer], **context: Any) -> Any:
        """A row as JSON; `context` is what a serializer need not find out again."""
        return kind(row, context={**self.get_serializer_context(), **context}).data


class Rows(ReadOnlyModelViewSet, Actions):
    """Base of the viewsets that also show: a filtered, paged list, and single rows."""

    def allowed_parameters(self) -> tuple[str, ...]:
        if self.action != "list" or not self.filterset_class:
            return self.query_parameters
        return (*self.filterset_class.base_filters, *PAGER)


def class_of(site: Site, code: str) -> EventClass:
    """The site's class of that code. Raises ValidationError, naming those there are."""
    classes = {event_class.code: event_class for event_class in site.classes.all()}
    if code not in classes:
        raise ValidationError({"event_class": [f"{site} has no class {code!r}. Classes: {', '.join(classes)}."]})
    return classes[code]
