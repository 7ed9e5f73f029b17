"""How far experts agree with each other, how the machine moves them, and how often they are right on gold checks."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from labelapp.catalogue import roles
from labelapp.catalogue.models import EventClass, Site
from labelapp.pages.site import for_viewers, get_site, site_page
from labelapp.review import agreement as figures
from labelapp.review import ratings
from labelapp.review.agreement import Estimate, Gold, Moved
from labelapp.review.models import ReviewItem
from labelapp.review.ratings import Round
from labelapp.review.selectors import policy_of

OPEN_SHOWN = 10


@for_viewers
def agreement(request: HttpRequest, site_id: int) -> HttpResponse:
    site = get_site(site_id)
    before_machine = request.GET.get("before_machine") == "yes"
    found = ratings.rounds(site, before_machine=before_machine)
    classes = {each.code: each for each in site.classes.all()}
    kappa = figures.fleiss_kappa(ratings.counted(found))
    return site_page(
        request,
        "agreement",
        site,
        before_machine=before_machine,
        rounds=len(found),
        raters=sorted({expert for ratings_ in found for expert in ratings_}),
        fleiss=_bar(kappa),
        words=figures.in_words(kappa.value),
        pairs=[(names, _bar(found_)) for names, found_ in ratings.kappas(found).items()],
        by_class=_by_class(found, classes),
        confused=_confused(found, classes),
        moved=_moved(ratings.moved(site), classes),
        gold=_gold(ratings.gold(site) if roles.is_manager(request.user) else [], classes),
        policy=policy_of(site),
        **_open(site),
    )


def _bar(found: Estimate) -> dict[str, Any]:
    """An estimate with where it lies between 0 and 1: what is below 0 is drawn there, and said beside it."""
    value, low, high, n = found
    if value is None:
        return {"estimate": found, "n": n}
    ends = (value, value) if low is None or high is None else (low, high)
    at, begin, end = (min(max(each, 0.0), 1.0) for each in (value, *ends))
    return {"estimate": found, "n": n, "at": at, "begin": begin, "wide": end - begin}


def _by_class(found: list[Round], classes: Mapping[str, EventClass]) -> list[dict[str, Any]]:
    rows = figures.class_agreement(ratings.counted(found))
    order = [code for code in classes if code in rows] + [code for code in rows if code not in classes]
    return [
        {"code": code, "event_class": classes.get(code), "specific": _bar(rows[code].specific),
         "kappa": _bar(rows[code].kappa), "ratings": rows[code].ratings}
        for code in order
    ]  # fmt: skip


def _confused(found: list[Round], classes: Mapping[str, EventClass]) -> dict[str, Any] | None:
    """How often two experts said this class and that of one event: whoever said which, so each pair stands once."""
    place = {code: number for number, code in enumerate(classes)}
    counts = Counter(
        tuple(sorted(pair, key=lambda code: place.get(code, len(place))))
        for said in ratings.pairs(found).values() for pair in said
    )  # fmt: skip
    codes = [code for code in classes if any(code in pair for pair in counts)]
    if not codes:
        return None
    most = max(counts.values())
    rows = [
        {
            "event_class": classes[row],
            "cells": [
                {
                    "count": counts[row, column],
                    "share": counts[row, column] / most,
                    "diagonal": row == column,
                    "is_shown": place[row] <= place[column],
                }
                for column in codes
            ],
        }
        for row in codes
    ]
    return {"classes": [classes[code] for code in codes], "rows": rows}


def _moved(rows: list[Moved], classes: Mapping[str, EventClass]) -> dict[str, Any] | None:
    if not rows:
        return None
    every = figures.movement(rows)
    by_class = [(classes.get(code or ""), code, each) for code, each in figures.movement_by_class(rows).items()]
    return {
        "every": every,
        "share": _bar(every.changed),
        "by_expert": figures.movement_by_expert(rows).items(),
        "by_class": by_class,
    }


def _gold(rows: list[Gold], classes: Mapping[str, EventClass]) -> dict[str, Any] | None:
    if not rows:
        return None
    every = figures.accuracy(rows)
    experts = [(name, _bar(each.right), each.unsure) for name, each in figures.accuracy_by_expert(rows).items()]
    by_class = [
        (classes.get(code), code, _bar(each.right), each.unsure)
        for code, each in figures.accuracy_by_class(rows).items()
    ]
    return {"every": _bar(every.right), "unsure": every.unsure, "by_expert": experts, "by_class": by_class}


def _open(site: Site) -> dict[str, Any]:
    """Disagreements that nobody has decided yet, the oldest first, and how many second opinions wait."""
    waiting = site.review_items.filter(state=ReviewItem.State.OPEN)
    disputes = waiting.filter(reason=ReviewItem.Reason.ADJUDICATION)
    shown = disputes.select_related("event", "about__to_class", "against__to_class").order_by("created_at", "pk")
    return {
        "disputes": shown[:OPEN_SHOWN],
        "disputes_count": disputes.count(),
        "second_opinions": waiting.filter(reason=ReviewItem.Reason.SECOND_OPINION).count(),
    }
