"""How far a site's review is, who did what, and how fast."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse

from labelapp.catalogue import roles
from labelapp.catalogue.models import EventClass, Site
from labelapp.pages.drawing import Columns, Part, Series, stacked
from labelapp.pages.site import for_viewers, get_site, site_page
from labelapp.review import progress as figures
from labelapp.review.models import ReviewItem
from labelapp.review.opinions import OPENLY, is_told
from labelapp.review.progress import Decision, Tally
from labelapp.review.selectors import policy_of, queue_counts

KINDS = [
    Series("confirm", "confirmed"),
    Series("correct", "changed"),
    Series("first", "first label"),
    Series("opinion", "opinion"),
    Series("unsure", "could not tell"),
]
# More columns than that are thinner than a finger.
DAYS = 60
SITTINGS = 8


@for_viewers
def progress(request: HttpRequest, site_id: int) -> HttpResponse:
    site = get_site(site_id)
    made, counts = figures.decisions(site), queue_counts(site)
    found = figures.sittings(made)
    pace = figures.pace_per_h(found)
    every = figures.tally(made)
    reviewed, events = figures.reviewed_events(made), site.events.filter(merged_into__isnull=True).count()
    days, experts = figures.by_day(made), figures.by_expert(made)
    return site_page(
        request,
        "progress",
        site,
        counts=counts,
        events=events,
        reviewed=reviewed,
        reviewed_share=reviewed / events if events else 0,
        every=every,
        pace=pace,
        time_left_s=3600 * counts["open"] / pace if pace else None,
        experts=[_expert_row(tally, experts[0].decisions) for tally in experts],
        days=_chart(days),
        earlier_days=bool(days) and days[-1][0] - days[0][0] >= timedelta(days=DAYS),
        changes=_matrix(made, site),
        questions=_questions(made, _left(site, counts, request.user), tells_gold=roles.is_manager(request.user)),
        reasons=figures.common_reasons(made),
        sittings=[_sitting_row(sitting) for sitting in reversed(found[-SITTINGS:])],
        last_sittings=figures.LAST_SITTINGS,
        kinds=KINDS,
    )


def _expert_row(tally: Tally, most: int) -> dict[str, Any]:
    parts = [Part(kind, tally.counts[kind.key]) for kind in KINDS]
    return {"tally": tally, "parts": parts, "share": tally.decisions / (most or 1)}


def _chart(days: list[tuple[date, Tally]]) -> Columns:
    """The last days up to the newest decision; those on which nobody decided are there, and empty."""
    found = {day: tally.counts for day, tally in days}
    if not found:
        return stacked([], KINDS)
    first, last = max(min(found), max(found) - timedelta(days=DAYS - 1)), max(found)
    calendar = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return stacked([(day.isoformat(), found.get(day, Counter())) for day in calendar], KINDS)


def _sitting_row(sitting: figures.Sitting) -> dict[str, Any]:
    return {"sitting": sitting, "pace": figures.pace_per_h([sitting]), "lasted": sitting.end - sitting.begin}


def _matrix(made: list[Decision], site: Site) -> dict[str, Any] | None:
    """Label before ↓, after →; without a label comes first among the rows. None where nobody gave a label."""
    counts = figures.changes(made)
    if not counts:
        return None
    classes = [each for each in site.classes.all() if any(each.code in pair for pair in counts)]
    begins: list[tuple[str, EventClass | None]] = [(each.code, each) for each in classes]
    if any(before == "" for before, _ in counts):
        begins.insert(0, ("", None))
    rows = [_row(code, event_class, classes, counts) for code, event_class in begins]
    changed = sum(n for (before, after), n in counts.items() if before not in ("", after))
    return {"classes": classes, "rows": rows, "total": counts.total(), "changed": changed}


def _row(code: str, event_class: EventClass | None, classes: list[EventClass], counts: Any) -> dict[str, Any]:
    numbers = [counts[code, after.code] for after in classes]
    total = sum(numbers)
    cells = [
        {"count": n, "share": n / (total or 1), "diagonal": code == after.code}
        for n, after in zip(numbers, classes, strict=True)
    ]
    away = sum(cell["count"] for cell in cells if not cell["diagonal"])
    return {
        "event_class": event_class,
        "cells": cells,
        "total": total,
        "changed": away / total if total and code else None,
    }


def _left(site: Site, counts: dict[str, int], user: Any) -> dict[str, int | None]:
    """{reason: items that wait because of it}; None where the user may not be told, see `counts_of` of the API."""
    told = is_told(user, policy_of(site))
    return {code: counts[code] if told or code in OPENLY else None for code in ReviewItem.Reason.values}


def _questions(made: list[Decision], waiting: dict[str, int | None], *, tells_gold: bool) -> list[dict[str, Any]]:
    """For each reason why an event is asked about: decisions, how often the label changed, how many are left.

    Gold checks are told to managers alone: an expert who sees their number grow knows what was one.
    """
    found = figures.by_question(made)
    words = {**dict(ReviewItem.Reason.choices), "": "relabelled on the catalogue list"}
    every = sum(number for number, _ in found.values()) or 1
    rows = []
    if not tells_gold:
        del words[ReviewItem.Reason.GOLD.value]
    for code, text in words.items():
        number, changed = found.get(code, (0, 0))
        left = waiting.get(code, 0)
        if number or left:
            yields = changed / number if number else None
            rows.append({"words": text, "decisions": number, "share": number / every, "changed": changed,
                         "yields": yields, "left": left})  # fmt: skip
    return rows
