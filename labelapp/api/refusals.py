"""Every refusal is JSON: {"detail": what to do, "code": for programs, "fields": {name: [what is wrong]}?}.

Where somebody else decided first, `theirs` is their decision.
"""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from axes.helpers import get_lockout_message
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from labelapp.api.serializers.review import RelabelSerializer
from labelapp.catalogue.errors import Conflict, Invalid, NotAllowed, Refused
from labelapp.review.standing import DecidedMeanwhile

log = logging.getLogger(__name__)

# A refusal of the domain that is none of these is a conflict with how things stand.
STATUSES = {Invalid: HTTPStatus.BAD_REQUEST, NotAllowed: HTTPStatus.FORBIDDEN, Conflict: HTTPStatus.CONFLICT}


class UnknownParameter(exceptions.ValidationError):
    """A query parameter that nothing reads: a typing error must not pass for a filter."""

    code = "unknown_parameter"


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = f"The body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes. Send less at once."


class Unavailable(exceptions.APIException):
    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = "The database did not answer in time. Nothing was changed; try again."


def as_json(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None for what is no refusal but a fault, which Django reports."""
    theirs = {"theirs": RelabelSerializer(error.theirs).data} if isinstance(error, DecidedMeanwhile) else {}
    error = _as_api_error(error)
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return None
    response.data = {**_body(error), **theirs}
    return response


def locked_out(request: HttpRequest, original: HttpResponse | None = None, credentials: Any = None) -> HttpResponse:
    """axes' answer to password guessing: JSON below /api/, words elsewhere."""
    status = HTTPStatus.TOO_MANY_REQUESTS
    if not request.path.startswith("/api/"):
        return HttpResponse(get_lockout_message(), status=status, content_type="text/plain; charset=utf-8")
    detail = "Too many wrong passwords. Wait a quarter of an hour, or ask a manager to unlock the account."
    return JsonResponse({"detail": detail, "code": "locked_out"}, status=status)


def _as_api_error(error: Exception) -> Exception:
    if isinstance(error, Refused):
        refusal = exceptions.APIException(str(error), code=error.code)
        refusal.status_code = next((s for kind, s in STATUSES.items() if isinstance(error, kind)), HTTPStatus.CONFLICT)
        return refusal
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, SuspiciousOperation):  # such as thousands of parameters
        return exceptions.ParseError("The request cannot be read. Send fewer parameters.")
    if isinstance(error, OperationalError):
        log.exception("The database failed")
        return Unavailable()
    return error


def _body(error: exceptions.APIException) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        fields = _fields(error.detail)
        return {"detail": _sentence(fields), "code": getattr(error, "code", "invalid"), "fields": fields}
    detail = _writable(str(error.detail))
    if detail.startswith("CSRF Failed"):
        return {"detail": f"{detail} Send the csrftoken cookie's value as X-CSRFToken.", "code": "csrf_failed"}
    return {"detail": detail, "code": getattr(error.detail, "code", error.default_code)}


def _fields(detail: Any) -> dict[str, list[str]]:
    """Flat {field: [texts]}, whatever the nesting of DRF's detail."""
    fields: dict[str, list[str]] = {}
    for name, text in _flat(detail):
        fields.setdefault(name or "request", []).append(text)
    return fields


def _flat(detail: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(detail, dict):
        for key, inner in detail.items():
            here = "" if key in {"non_field_errors", "__all__"} else str(key)
            yield from _flat(inner, ".".join(filter(None, [name, here])))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _flat(inner, name)
    else:
        yield _writable(name), _writable(str(detail))


def _writable(text: str) -> str:
    """Text that UTF-8 can hold: JSON may bring half characters, and a refusal repeats them."""
    return text.encode(errors="replace").decode()


def _sentence(fields: dict[str, list[str]]) -> str:
    return " ".join(
        " ".join(texts) if name == "request" else f"{name}: {' '.join(texts)}" for name, texts in fields.items()
    )
