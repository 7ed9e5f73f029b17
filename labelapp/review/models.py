"""What experts decided: ReviewItem is the queue, Relabel the ledger."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from labelapp.catalogue.models import Event, EventClass, Prediction, Site


class ReviewItem(models.Model):
    """A question to an expert: look at this event. At most one expert holds it at a time."""

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        # The reason for the question has gone: a newer model agrees with the label.
        WITHDRAWN = "withdrawn"

    class Reason(models.TextChoices):
        DISAGREEMENT = "disagreement", "the model disagrees with the label"
        DOUBT = "doubt", "the model doubts itself"
        DETECTION = "detection", "new detection without a label"
        REQUEST = "request", "asked for by an expert"

    class Basis(models.TextChoices):
        """How far whoever judged the event had seen it in training."""

        OUT_OF_FOLD = "out_of_fold", "out-of-fold"
        HELD_OUT = "held_out", "held out"
        UNSEEN = "unseen", "not in training"
        # A model from before out-of-fold judgements: it remembers the label it is held against.
        LEARNED = "learned", "learned from"

    site = models.ForeignKey(Site, models.PROTECT, related_name="review_items")
    event = models.ForeignKey(Event, models.PROTECT, related_name="review_items")
    # What the expert will be shown.
    prediction = models.ForeignKey(Prediction, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=20, choices=Reason.choices)
    # Larger first: the expected value of a look.
    priority = models.FloatField(default=0)
    # Where that comes from: what was held against the label, by whom, and how suspicious the label is (0 to 1).
    judged_class = models.ForeignKey(EventClass, models.PROTECT, null=True, blank=True, related_name="+")
    judged_probability = models.FloatField(null=True, blank=True)
    basis = models.CharField(max_length=20, choices=Basis.choices, blank=True)
    suspicion = models.FloatField(null=True, blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="held_items"
    )
    held_until = models.DateTimeField(null=True, blank=True)
    # Skipped until then.
    postponed_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-priority", "pk"]
        indexes = [models.Index(fields=["site", "state", "-priority", "id"])]
        constraints = [
            models.UniqueConstraint(fields=["event"], condition=Q(state="open"), name="one_open_item_per_event"),
            models.CheckConstraint(
                condition=Q(holder__isnull=True) | Q(held_until__isnull=False), name="a_held_item_has_an_end"
            ),
        ]

    def __str__(self):
        return f"{self.event}: {self.get_reason_display()}"

    @property
    def standing(self) -> str:
        """Why it stands where it stands in the queue, in one phrase; "" for items from before this was kept."""
        if self.judged_class is None or self.judged_probability is None:
            return ""
        said = f"{self.get_basis_display()}: {self.judged_class.code} {self.judged_probability:.2f}"
        return said if self.suspicion is None else f"{said}, suspicion {self.suspicion:.2f}"

    @property
    def held(self) -> bool:
        """Whether somebody's lease is alive."""
        return self.holder_id is not None and self.held_until is not None and self.held_until > timezone.now()


class Relabel(models.Model):
    """One expert decision. Rows are added, never changed or removed: the database refuses it.

    Rows of a site form a chain: `hash` covers every fact of the row and the `hash` of the row before.
    Facts that could change elsewhere (names, codes) are written down as text as well.
    """

    class Kind(models.TextChoices):
        CONFIRM = "confirm", "confirmed the label"
        CORRECT = "correct", "changed the label"
        FIRST = "first", "gave the first label"

    site = models.ForeignKey(Site, models.PROTECT, related_name="relabels")
    site_name = models.CharField(max_length=80)
    sequence = models.PositiveBigIntegerField()
    event = models.ForeignKey(Event, models.PROTECT, related_name="relabels")
    event_name = models.CharField(max_length=200)
    item = models.ForeignKey(ReviewItem, models.PROTECT, null=True, related_name="relabels")
    expert = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="relabels")
    expert_name = models.CharField(max_length=150)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    from_class = models.ForeignKey(EventClass, models.PROTECT, null=True, related_name="+")
    to_class = models.ForeignKey(EventClass, models.PROTECT, related_name="+")
    from_code = models.CharField(max_length=40, blank=True)
    to_code = models.CharField(max_length=40)
    reason = models.TextField(blank=True)
    # What the expert was shown: a newer prediction may arrive while they think.
    prediction = models.ForeignKey(Prediction, models.PROTECT, null=True, related_name="relabels")
    # Checksums of it: prediction, model, panels.
    shown = models.JSONField(default=dict)
    decided_at = models.DateTimeField()
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["site", "sequence"]
        constraints = [models.UniqueConstraint(fields=["site", "sequence"], name="one_relabel_per_place")]

    def __str__(self):
        return f"{self.event}: {self.from_code or 'unlabelled'} → {self.to_code}"
