"""Writes to the queue and the ledger, by name: leases, decisions, and the questions that the machine asks."""

from labelapp.review.deciding import decide
from labelapp.review.leasing import ask_for_review, next_item, release, renew_lease, skip_item, take_item
from labelapp.review.questions import fill_queue
from labelapp.review.saving import save_filter

__all__ = [
    "ask_for_review",
    "decide",
    "fill_queue",
    "next_item",
    "release",
    "renew_lease",
    "save_filter",
    "skip_item",
    "take_item",
]
