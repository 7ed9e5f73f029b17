"""When the machine works: a Run is one long job, from the asking to its end."""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from labelapp.catalogue.models import ModelVersion, Site

CHECKPOINTS = settings.HOME / "checkpoints"


class Run(models.Model):
    """A long job: what was asked, how far it is, how it ended."""

    class Kind(models.TextChoices):
        TRAIN = "train", "training"
        CLASSIFY = "classify", "classification"
        DETECT = "detect", "detection"
        PRETRAIN = "pretrain", "pretraining"
        MAP = "map", "pool map"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        # Its worker died; it can be resumed.
        INTERRUPTED = "interrupted"

    ENDED = [State.DONE, State.FAILED, State.CANCELLED, State.INTERRUPTED]

    site = models.ForeignKey(Site, models.PROTECT, related_name="runs")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    parameters = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.QUEUED)
    stage = models.CharField(max_length=200, blank=True)
    progress = models.FloatField(default=0)
    # The newest figures: losses, counts. Shown live.
    figures = models.JSONField(default=dict, blank=True)
    log = models.TextField(blank=True)
    error = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    model = models.ForeignKey(ModelVersion, models.PROTECT, null=True, blank=True, related_name="runs")
    # Whoever works on it now; a second delivery finds it taken.
    worker = models.CharField(max_length=64, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    # At the pace so far.
    ends_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(progress__gte=0) & Q(progress__lte=1), name="progress_between_0_and_1"),
        ]

    def __str__(self):
        return f"run {self.pk} ({self.get_kind_display()}, {self.site})"

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @property
    def checkpoint_folder(self) -> Path:
        """What a killed run goes on from; on the worker's disk."""
        return CHECKPOINTS / f"run-{self.pk}"

    @property
    def can_be_cancelled(self) -> bool:
        """Whether there is work to stop, or work that would go on."""
        return self.state in {self.State.QUEUED, self.State.RUNNING, self.State.INTERRUPTED}

    @property
    def can_be_resumed(self) -> bool:
        """Whether it ended before its work did."""
        return self.state in {self.State.INTERRUPTED, self.State.FAILED, self.State.CANCELLED}

    @property
    def time_left_s(self) -> float | None:
        """Seconds until the end at the pace so far; None where that cannot be said."""
        if self.state != self.State.RUNNING or self.ends_at is None:
            return None
        return max(0.0, (self.ends_at - timezone.now()).total_seconds())

    @property
    def took_s(self) -> float | None:
        """Seconds from start to end; None where it has not ended, or rested between two attempts."""
        if self.started_at is None or self.finished_at is None or self.attempt != 1:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class PoolMap(models.Model):
    """A picture of what a model sees in a site's events and unlabelled windows: those that are alike lie close."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="maps")
    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="maps")
    # File in storage: places, clusters, and which event or window each point is.
    file = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    points = models.PositiveIntegerField()
    events = models.PositiveIntegerField()
    clusters = models.PositiveIntegerField()
    # What the file names by number: NET.STA.LOC of the windows.
    stations = models.JSONField(default=list)
    window_s = models.FloatField()
    method = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self):
        return f"map {self.pk} of {self.site}"

    def get_absolute_url(self) -> str:
        return reverse("pool_map", args=[self.pk])
