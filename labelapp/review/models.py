"""What experts decided: ReviewItem is the queue, Relabel the ledger; and how a site reviews: ReviewPolicy."""

from datetime import timedelta

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
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
        LABEL_ERROR = "label_error", "the label is likely wrong"
        DOUBT = "doubt", "the model doubts itself"
        DETECTION = "detection", "new detection without a label"
        SECOND_OPINION = "second_opinion", "second opinion"
        ADJUDICATION = "adjudication", "experts disagree"
        GOLD = "gold", "gold check"
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
    # Whose lease ran out before somebody else took the item: what they decide still counts, if they are first.
    former_holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # When the holder was first given it: from then on they look.
    taken_at = models.DateTimeField(null=True, blank=True)
    # Only this expert is asked: a gold check.
    reserved_for = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="reserved_items"
    )
    # The decision that a second opinion is about, or the first of the two that an adjudication weighs; its expert is
    # not asked for the second opinion.
    about = models.ForeignKey("Relabel", models.PROTECT, null=True, blank=True, related_name="+")
    # The other of the two that an adjudication weighs.
    against = models.ForeignKey("Relabel", models.PROTECT, null=True, blank=True, related_name="+")
    # What the holder decided before they saw prediction and relevance (blind mode).
    blind = models.ForeignKey("Relabel", models.PROTECT, null=True, blank=True, related_name="+")
    # Skipped until then.
    postponed_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-priority", "pk"]
        indexes = [models.Index(fields=["site", "state", "-priority", "id"])]
        constraints = [
            models.UniqueConstraint(
                fields=["event"],
                condition=Q(state="open", reserved_for__isnull=True),
                name="one_open_item_per_event",
            ),
            models.UniqueConstraint(
                fields=["event", "reserved_for"], condition=Q(state="open"), name="one_open_item_per_event_and_expert"
            ),
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
        # Takes back an earlier row: the label is again what it was before that.
        WITHDRAW = "withdraw", "withdrew a decision"
        # Rows below leave the label as it is.
        BLIND = "blind", "decided before seeing the machine's opinion"
        OPINION = "opinion", "gave a second opinion"
        UNSURE = "unsure", "could not tell"
        SPAN = "span", "moved the event's boundaries"
        MERGE = "merge", "merged the event into another"

    SETS_LABEL = [Kind.CONFIRM, Kind.CORRECT, Kind.FIRST, Kind.WITHDRAW]

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
    # None: the expert could not tell, or the event is without a label again.
    to_class = models.ForeignKey(EventClass, models.PROTECT, null=True, related_name="+")
    from_code = models.CharField(max_length=40, blank=True)
    to_code = models.CharField(max_length=40, blank=True)
    reason = models.TextField(blank=True)
    # What else the expert said or did; `labelapp.review.details` says what may be in it. Covered by the hash where it
    # is not empty. Numbers as text.
    details = models.JSONField(default=dict, blank=True)
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
        return f"{self.event}: {self.from_code or 'unlabelled'} → {self.to_code or 'unlabelled'}"


def common_reasons() -> list[dict[str, str]]:
    """Why experts change a label, most often; a key for each."""
    return [
        {"key": "w", "text": "waveform shape"},
        {"key": "f", "text": "frequency content"},
        {"key": "d", "text": "duration"},
        {"key": "p", "text": "no P and S arrivals"},
        {"key": "o", "text": "other stations show it"},
        {"key": "c", "text": "catalogue was wrong"},
        {"key": "n", "text": "nothing in this record"},
    ]


def common_filters() -> list[dict[str, float]]:
    """Pass bands that experts look through, Hz."""
    return [{"low_hz": 1.0, "high_hz": 10.0}, {"low_hz": 5.0, "high_hz": 20.0}, {"low_hz": 10.0, "high_hz": 40.0}]


class ReviewPolicy(models.Model):
    """How a site's events are reviewed. A site without a row is reviewed by these defaults."""

    site = models.OneToOneField(Site, models.CASCADE, related_name="review_policy")
    # [{"key": "w", "text": "waveform shape"}]: offered where a label changes.
    reasons = models.JSONField(default=common_reasons)
    # [{"low_hz": 1.0, "high_hz": 10.0}]: pass bands of the surroundings' waveforms.
    filter_presets = models.JSONField(default=common_filters)
    # Experts decide first, then see what the machine says, then decide again.
    blind = models.BooleanField(default=False)
    # Of the decisions, so many get a second opinion; those of the classes named here all do.
    second_opinion_share = models.FloatField(default=0.0, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)])
    second_opinion_classes = models.ManyToManyField(EventClass, blank=True, related_name="+")
    # Of the items that an expert is given, so many are events whose class is known (GoldEvent).
    gold_share = models.FloatField(default=0.0, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)])
    # How long an item is held (empty: SEISLOOP_LEASE_S), and postponed by a skip.
    lease_s = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(10)])
    postpone_s = models.PositiveIntegerField(default=3_600, validators=[MinValueValidator(1)])

    class Meta:
        verbose_name_plural = "review policies"
        constraints = [
            models.CheckConstraint(
                condition=Q(second_opinion_share__gte=0) & Q(second_opinion_share__lte=1),
                name="second_opinion_share_between_0_and_1",
            ),
            models.CheckConstraint(
                condition=Q(gold_share__gte=0) & Q(gold_share__lte=1), name="gold_share_between_0_and_1"
            ),
        ]

    def __str__(self):
        return f"review policy of {self.site}"

    @property
    def lease(self) -> timedelta:
        """How long an item is held."""
        return timedelta(seconds=self.lease_s or settings.LEASE_S)


class GoldEvent(models.Model):
    """An event whose class is beyond doubt: mixed into the queue, it shows how reliable decisions are."""

    event = models.OneToOneField(Event, models.CASCADE, related_name="gold")
    event_class = models.ForeignKey(EventClass, models.PROTECT, related_name="+")
    note = models.TextField(blank=True)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    set_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.event} is {self.event_class}"


class SavedFilter(models.Model):
    """A selection of the queue that a user comes back to."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_filters")
    site = models.ForeignKey(Site, models.CASCADE, related_name="saved_filters")
    name = models.CharField(max_length=80)
    # Names and values as the queue's address has them.
    query = models.JSONField(default=dict)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "site", "name"], name="one_saved_filter_per_name")]

    def __str__(self):
        return self.name


class Keymap(models.Model):
    """The keys that a user moved: {action: key}. Actions that are not in it keep their own."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="keymap")
    keys = models.JSONField(default=dict, blank=True)

    def __str__(self):
        return f"keys of {self.user}"
