"""Questions come to an end without a decision on each: withdrawn, or answered by a relabel of many events."""

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from labelapp.review.models import ReviewItem


def close(items: QuerySet[ReviewItem], state: str, at: datetime | None = None) -> None:
    """Those of the items that are open get a state; nobody holds them any more. `at`: when, by default now."""
    still_open = items.filter(state=ReviewItem.State.OPEN)
    still_open.update(state=state, closed_at=at or timezone.now(), holder=None, held_until=None)
