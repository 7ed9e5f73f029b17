"""Writes to the queue and the ledger, by name: leases, decisions, and the questions that the machine asks."""

from labelapp.review.asking import ask_for_events
from labelapp.review.bulk import preview_relabel, relabel_events, undo_batch
from labelapp.review.deciding import decide
from labelapp.review.gold import next_gold, set_gold, unset_gold
from labelapp.review.leasing import ask_for_review, next_item, release, renew_lease, skip_item, take_item
from labelapp.review.policies import change_policy
from labelapp.review.questions import fill_queue
from labelapp.review.saving import save_filter
from labelapp.review.spans import add_event, add_events, merge_events, move_boundaries, split_event
from labelapp.review.undoing import undo, withdraw

__all__ = [
    "add_event",
    "add_events",
    "ask_for_events",
    "ask_for_review",
    "change_policy",
    "decide",
    "fill_queue",
    "merge_events",
    "move_boundaries",
    "next_gold",
    "next_item",
    "preview_relabel",
    "relabel_events",
    "release",
    "renew_lease",
    "save_filter",
    "set_gold",
    "skip_item",
    "split_event",
    "take_item",
    "undo",
    "undo_batch",
    "unset_gold",
    "withdraw",
]
