"""Rows of a ledger as tests want them: any expert, any time, any kind. Their hashes chain nothing."""

from datetime import UTC, datetime, timedelta

MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)


def write(event, expert, kind, after=None, *, at=MORNING, item=None, reason="", prediction=None, **details):
    """A row about `event`; sets its label where the kind does. `after` is an EventClass or None."""
    from labelapp.catalogue.models import Event
    from labelapp.review.models import Relabel

    event.refresh_from_db()
    sequence = Relabel.objects.filter(site=event.site).count() + 1
    row = Relabel.objects.create(
        site=event.site, site_name=event.site.name, sequence=sequence, event=event, event_name=event.event_id,
        item=item, expert=expert, expert_name=expert.get_username(), kind=kind, from_class=event.label,
        to_class=after, from_code=event.label.code if event.label else "", to_code=after.code if after else "",
        reason=reason, details=details, prediction=prediction, decided_at=at, hash=f"{event.site_id}-{sequence}",
    )  # fmt: skip
    if kind in Relabel.SETS_LABEL:
        Event.objects.filter(pk=event.pk).update(label=after)
    return row


def ledger_of(events, experts, classes, generator, rows=60):
    """A ledger drawn at random: first labels, confirmations, corrections, withdrawals, and rows that set no label."""
    from labelapp.review.models import Relabel

    codes, written = sorted(classes), []
    for number in range(rows):
        event, expert = generator.choice(events), generator.choice(experts)
        at = MORNING + timedelta(minutes=number * generator.choice([1, 1, 40]))
        at = max([at, *(row.decided_at for row in written)])
        event.refresh_from_db()
        draw, said = generator.random(), classes[generator.choice(codes)]
        undoable = [
            row for row in written
            if row.event_id == event.pk and row.kind in ("confirm", "correct", "first")
            and not any(w.details.get("withdraws") == row.sequence for w in written)
        ]  # fmt: skip
        if draw < 0.15 and undoable:
            last = undoable[-1]
            row = write(event, expert, "withdraw", last.from_class, at=at, withdraws=last.sequence)
        elif draw < 0.3:
            row = write(event, expert, generator.choice(["blind", "opinion"]), said, at=at, seconds="4.5")
        elif draw < 0.4:
            row = write(event, expert, "unsure", at=at, seconds="30")
        else:
            kind = "first" if event.label is None else "confirm" if event.label == said else "correct"
            row = write(event, expert, kind, said, at=at, seconds=f"{generator.uniform(2, 20):.2f}", reason=said.code)
        written.append(Relabel.objects.get(pk=row.pk))
    return written
