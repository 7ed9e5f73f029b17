"""Parts of the queue that a user keeps under a name."""

from collections.abc import Mapping
from typing import Any

from labelapp.catalogue.models import Site
from labelapp.catalogue.text import check_text
from labelapp.review.leasing import require_expert
from labelapp.review.models import SavedFilter

LONGEST_NAME = 80


def save_filter(*, user: Any, site: Site, name: str, query: Mapping[str, Any]) -> SavedFilter:
    """Keep a part of a site's queue for a user; one of that name is replaced.

    `query` is what the API's QueueFilters have let through. Raises NotAllowed for users who may not decide, Invalid for
    a name that cannot be stored.
    """
    require_expert(user)
    check_text("The name", name, LONGEST_NAME)
    saved, _ = SavedFilter.objects.update_or_create(user=user, site=site, name=name, defaults={"query": dict(query)})
    return saved
