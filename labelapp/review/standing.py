"""Which decisions hold: neither withdrawals, nor withdrawn. And the refusal where somebody's does."""

from django.db.models import BigIntegerField, Exists, OuterRef, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from labelapp.catalogue.errors import Conflict
from labelapp.catalogue.models import Event
from labelapp.catalogue.text import iso
from labelapp.review.models import Relabel, ReviewItem

Kind = Relabel.Kind
# Kinds that make the label.
LABELLING = (Kind.CONFIRM, Kind.CORRECT, Kind.FIRST)
# Kinds by which an expert has answered a question.
ANSWERS = (*LABELLING, Kind.OPINION, Kind.UNSURE)
# Kinds by which an expert says what the event is, or that they cannot tell: a blind one is half an answer.
DECISIONS = (*ANSWERS, Kind.BLIND)


def standing(rows: QuerySet[Relabel]) -> QuerySet[Relabel]:
    """Of these rows those that hold: withdrawals are left out, and what they take back."""
    withdrawals = Relabel.objects.filter(event=OuterRef("event"), kind=Kind.WITHDRAW).annotate(
        withdrawn=Cast(KeyTextTransform("withdraws", "details"), BigIntegerField())
    )
    return rows.exclude(kind=Kind.WITHDRAW).exclude(Exists(withdrawals.filter(withdrawn=OuterRef("sequence"))))


def decisions_on(event: Event) -> QuerySet[Relabel]:
    """What experts say of an event and have not taken back, oldest first."""
    return standing(event.relabels.filter(kind__in=DECISIONS)).order_by("sequence")


class DecidedMeanwhile(Conflict):
    """Somebody decided on the event before; `theirs` is their row."""

    def __init__(self, theirs: Relabel, advice: str = "") -> None:
        self.theirs = theirs
        advice = advice or "Nothing was changed. Take the next item, or ask for another review of the event."
        super().__init__(f"{theirs.expert_name} {in_words(theirs)} at {iso(theirs.decided_at)}. {advice}")


def refuse_decided(item: ReviewItem) -> None:
    """Raises DecidedMeanwhile for a closed item, with the decision that closed it."""
    rows = standing(item.relabels.exclude(kind=Kind.BLIND)).order_by("-sequence")
    theirs = rows.first() or decisions_on(item.event).last()
    if theirs is None:
        raise Conflict(f"{item.event} was closed without a decision. Take the next item.")
    raise DecidedMeanwhile(theirs)


def in_words(row: Relabel) -> str:
    """What an expert did, to stand after their name."""
    if row.to_code == "":
        return f"could not tell what {row.event_name} is"
    verb = "labelled" if row.kind in LABELLING else "in a second opinion called"
    return f"{verb} {row.event_name} {row.to_code}"
