"""What the pages of progress, agreement and comparison count, as files."""

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from labelapp.api.views.base import StrictParameters
from labelapp.api.views.exports import SITE, as_file, asked_site
from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Site
from labelapp.catalogue.roles import is_manager
from labelapp.review.comparing import IMPORTED, JUDGING, NOW, UNSEEN, Opinion, opinion
from labelapp.review.reporting import agreement_csv, comparison_csv, progress_csv

DEFAULTS = {"before": IMPORTED, "after": NOW, "against": ""}
WHAT = "“imported”, “now”, a time (the catalogue then, UTC), or “model-3”"


class ProgressCSV(StrictParameters):
    """Who decided how much on which day, and how fast."""

    query_parameters = ("site",)

    @extend_schema(operation_id="progress_csv", parameters=[SITE], responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request) -> StreamingHttpResponse:
        """One line a day (UTC) and expert. Decisions that were taken back count in `withdrawn` alone."""
        site = asked_site(request)
        return as_file(progress_csv(site), site, "progress.csv")


class AgreementCSV(StrictParameters):
    """How far experts agree, how the machine moves them, and how often they are right on gold checks."""

    query_parameters = ("site", "before_machine")

    @extend_schema(
        operation_id="agreement_csv",
        parameters=[
            SITE,
            OpenApiParameter("before_machine", bool, description="Agreement before the machine’s opinion was shown."),
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """One line a figure, with its 95 % interval and the number of events; gold checks for managers alone."""
        site, asked = asked_site(request), request.query_params.get("before_machine", "false")
        if asked not in ("true", "false"):
            raise ValidationError({"before_machine": [f"{asked[:40]!r} is not one of: true, false."]})
        lines = agreement_csv(site, before_machine=asked == "true", tells_gold=is_manager(request.user))
        return as_file(lines, site, "agreement.csv")


class ComparisonCSV(StrictParameters):
    """What two opinions, or three, say of the same events: the catalogue at a moment, or a model."""

    query_parameters = ("site", *DEFAULTS, "judging")

    @extend_schema(
        operation_id="comparison_csv",
        parameters=[
            SITE,
            OpenApiParameter("before", str, description=f"{WHAT}; “{IMPORTED}” by default."),
            OpenApiParameter("after", str, description=f"The same; “{NOW}” by default."),
            OpenApiParameter("against", str, description="The same: what both are held against."),
            OpenApiParameter("judging", str, enum=[*JUDGING], description="How models are asked."),
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """One line an event that all of them know."""
        site = asked_site(request)
        opinions = [said for name in DEFAULTS if (said := _opinion(site, name, request))]
        return as_file(comparison_csv(opinions), site, "comparison.csv")


def _opinion(site: Site, name: str, request: Request) -> Opinion | None:
    """The opinion that a parameter names. Raises ValidationError where it names none."""
    judging = request.query_params.get("judging") or UNSEEN
    if judging not in JUDGING:
        raise ValidationError({"judging": [f"{judging[:40]!r} is not one of: {', '.join(JUDGING)}."]})
    text = request.query_params.get(name) or DEFAULTS[name]
    try:
        return opinion(site, text, judging) if text else None
    except Invalid as error:
        raise ValidationError({name: [str(error)]}) from error
