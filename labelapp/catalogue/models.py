"""What was recorded (sites, stations, recordings, events), and what the machine said (models, predictions, maps)."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

name_validator = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}\Z", "Use letters, digits, spaces, dots, dashes (80)."
)
code_validator = RegexValidator(r"^[a-z][a-z0-9_]{0,39}\Z", "Use lower-case letters, digits and underscores (40).")
colour_validator = RegexValidator(r"^#[0-9a-fA-F]{6}\Z", "Use a colour such as #1f77b4.")
seed_validator = RegexValidator(r"^[A-Za-z0-9_-]{0,8}\Z", "Use letters, digits, dashes and underscores (8).")
key_validator = RegexValidator(r"^[1-9]\Z", "Use one digit from 1 to 9.")


class Site(models.Model):
    """A watched slope: its stations, its classes, and how its records are prepared for a network."""

    name = models.CharField(max_length=80, unique=True, validators=[name_validator])
    description = models.TextField(blank=True)
    # Shown on every page of the site, so that nobody takes made-up events for real ones.
    synthetic = models.BooleanField(default=False)
    # mlcore's Recipe as JSON; what `train` uses.
    recipe = models.JSONField(default=dict, blank=True)
    active_model = models.ForeignKey("ModelVersion", models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


class EventClass(models.Model):
    """One class of a site's scheme, with its key on the review page and its QuakeML event type."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="classes")
    code = models.CharField(max_length=40, validators=[code_validator])
    name = models.CharField(max_length=80)
    colour = models.CharField(max_length=7, validators=[colour_validator])
    key = models.CharField(max_length=1, validators=[key_validator])
    quakeml_type = models.CharField(max_length=80, default="other event")

    class Meta:
        ordering = ["site", "key"]
        verbose_name_plural = "event classes"
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="one_class_per_code"),
            models.UniqueConstraint(fields=["site", "key"], name="one_class_per_key"),
        ]

    def __str__(self):
        return self.name


class Station(models.Model):
    """One sensor of a site: NET.STA.LOC, whatever channels it records."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="stations")
    network = models.CharField(max_length=8, blank=True, validators=[seed_validator])
    code = models.CharField(max_length=8, validators=[seed_validator])
    location = models.CharField(max_length=8, blank=True, validators=[seed_validator])
    latitude_deg = models.FloatField(null=True, blank=True, validators=[MinValueValidator(-90), MaxValueValidator(90)])
    longitude_deg = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(-180), MaxValueValidator(180)]
    )
    elevation_m = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ["network", "code", "location"]
        constraints = [
            models.UniqueConstraint(fields=["site", "network", "code", "location"], name="one_station_per_seed_id"),
        ]

    def __str__(self):
        return self.seed_id

    @property
    def seed_id(self) -> str:
        """NET.STA.LOC"""
        return f"{self.network}.{self.code}.{self.location}"


class Recording(models.Model):
    """A file of the user's, left where it is and known by its checksum."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="recordings")
    path = models.TextField()
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    format = models.CharField(max_length=20, blank=True)
    problems = models.JSONField(default=list, blank=True)
    ingested_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["site", "sha256"], name="one_recording_per_checksum")]

    def __str__(self):
        return self.path


class Trace(models.Model):
    """One channel's span in a recording, so that waveforms are found by time without opening files."""

    recording = models.ForeignKey(Recording, models.CASCADE, related_name="traces")
    station = models.ForeignKey(Station, models.PROTECT, related_name="traces")
    channel = models.CharField(max_length=8, blank=True)
    starttime = models.DateTimeField()
    # Time of the last sample, as in obspy.
    endtime = models.DateTimeField()
    sampling_rate_hz = models.FloatField(validators=[MinValueValidator(0.0)])
    gaps = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["station", "starttime", "channel"]
        indexes = [models.Index(fields=["station", "starttime", "endtime"])]
        constraints = [
            models.CheckConstraint(condition=Q(endtime__gte=F("starttime")), name="trace_ends_after_it_starts"),
            models.CheckConstraint(condition=Q(sampling_rate_hz__gt=0), name="trace_has_a_rate"),
        ]

    def __str__(self):
        return f"{self.station}.{self.channel} from {self.starttime:%Y-%m-%dT%H:%M:%S}"


class Events(models.QuerySet["Event"]):
    """Rows of events."""

    def current(self) -> "Events":
        """Without those that were merged into others: what lists, counts, exports and training go by."""
        return self.filter(merged_into=None)


class Event(models.Model):
    """Something that happened on the slope, with the label that holds now.

    `catalogue_label` is what was imported and never changes; `label` is what the ledger made of it.
    """

    class Origin(models.TextChoices):
        CATALOGUE = "catalogue", "imported catalogue"
        DETECTION = "detection", "detected by a model"
        EXPERT = "expert", "added by an expert"

    site = models.ForeignKey(Site, models.PROTECT, related_name="events")
    event_id = models.CharField(max_length=200)
    starttime = models.DateTimeField()
    endtime = models.DateTimeField()
    # The station whose waveform is shown first; `observations` has them all.
    station = models.ForeignKey(Station, models.PROTECT, null=True, blank=True, related_name="+")
    origin = models.CharField(max_length=20, choices=Origin.choices)
    # Where the event comes from in words: a file, a model.
    source = models.CharField(max_length=300, blank=True)
    catalogue_label = models.ForeignKey(EventClass, models.PROTECT, null=True, blank=True, related_name="+")
    label = models.ForeignKey(EventClass, models.PROTECT, null=True, blank=True, related_name="events")
    latitude_deg = models.FloatField(null=True, blank=True, validators=[MinValueValidator(-90), MaxValueValidator(90)])
    longitude_deg = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(-180), MaxValueValidator(180)]
    )
    description = models.TextField(blank=True)
    # An expert found that it is the same as that one: it stays for what was decided on it, and is listed no more.
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="merged")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = Events.as_manager()

    class Meta:
        ordering = ["starttime", "pk"]
        indexes = [models.Index(fields=["site", "starttime"])]
        constraints = [
            models.UniqueConstraint(fields=["site", "event_id"], name="one_event_per_id"),
            models.CheckConstraint(condition=Q(endtime__gte=F("starttime")), name="event_ends_after_it_starts"),
            models.CheckConstraint(
                condition=Q(merged_into=None) | ~Q(merged_into=F("pk")), name="no_event_is_merged_into_itself"
            ),
        ]

    def __str__(self):
        return self.event_id

    @property
    def survivor(self) -> "Event":
        """The event that this one was merged into at last; itself where it was not."""
        event = self
        while event.merged_into is not None:
            event = event.merged_into
        return event


class Observation(models.Model):
    """An event at one station."""

    event = models.ForeignKey(Event, models.CASCADE, related_name="observations")
    station = models.ForeignKey(Station, models.PROTECT, related_name="observations")
    starttime = models.DateTimeField()
    endtime = models.DateTimeField()
    snr = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ["event", "station"]
        indexes = [models.Index(fields=["station", "starttime"])]
        constraints = [
            models.UniqueConstraint(fields=["event", "station"], name="one_observation_per_station"),
            models.CheckConstraint(condition=Q(endtime__gte=F("starttime")), name="observation_ends_after_it_starts"),
        ]

    def __str__(self):
        return f"{self.event} at {self.station}"


class ModelVersion(models.Model):
    """A trained network: where its files lie, how it was made, how well it did on events it never saw."""

    class Kind(models.TextChoices):
        CLASSIFIER = "classifier"
        # Pretrained without labels: it has no classes, and a classifier may start from it.
        ENCODER = "encoder"

    site = models.ForeignKey(Site, models.PROTECT, related_name="models")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.CLASSIFIER)
    # The encoder whose weights it began with.
    started_from = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="successors")
    # Of an encoder: which recordings it learned from, {"windows", "stations": {NET.STA.LOC: n}, "starttime", …}.
    pool = models.JSONField(default=dict, blank=True)
    # Folder in storage that holds weights.safetensors and model.json.
    folder = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    classes = models.JSONField()
    recipe = models.JSONField()
    metrics = models.JSONField(default=dict)
    # Figures of each epoch, as the training wrote them down; apart from the metrics, which lists show.
    history = models.JSONField(default=list, blank=True)
    trained_on = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # When it last became the site's active model, and by whose decision.
    promoted_at = models.DateTimeField(null=True, blank=True)
    promoted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["site", "number"], name="one_model_per_number")]

    def __str__(self):
        return f"model {self.number} of {self.site}"


class TrainingExample(models.Model):
    """Which event a model learned from, or was tested on, under which label, and what it said without having seen it.

    A network remembers what it learned, so of these events only members that did not learn from them may judge.
    """

    class Split(models.TextChoices):
        TRAIN = "train"
        VALIDATION = "validation"
        TEST = "test"

    model = models.ForeignKey(ModelVersion, models.CASCADE, related_name="examples")
    event = models.ForeignKey(Event, models.PROTECT, related_name="examples")
    event_class = models.ForeignKey(EventClass, models.PROTECT, related_name="+")
    split = models.CharField(max_length=10, choices=Split.choices)
    # {class code: probability} by the folds that never saw the event; null where nobody judged it so.
    out_of_fold = models.JSONField(null=True, blank=True)
    # How likely the label `event_class` is wrong, 0 to 1: larger is more suspicious.
    suspicion = models.FloatField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["model", "-suspicion", "id"])]
        constraints = [
            models.UniqueConstraint(fields=["model", "event"], name="one_example_per_event"),
            models.CheckConstraint(
                condition=Q(suspicion__gte=0) & Q(suspicion__lte=1), name="suspicion_between_0_and_1"
            ),
        ]

    def __str__(self):
        return f"{self.event} in {self.split}"


class Prediction(models.Model):
    """What one model said of one event. Never changed: a decision may refer to it."""

    event = models.ForeignKey(Event, models.PROTECT, related_name="predictions")
    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="predictions")
    event_class = models.ForeignKey(EventClass, models.PROTECT, related_name="+")
    probability = models.FloatField()
    # {class code: probability}, averaged over the stations.
    probabilities = models.JSONField()
    # {NET.STA.LOC: {class code: probability}}
    by_station = models.JSONField(default=dict)
    # {NET.STA.LOC: why it was left out}
    left_out = models.JSONField(default=dict, blank=True)
    # Of the windows that went in: the same event read again gives the same prediction.
    input_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["event", "model", "input_sha256"], name="one_prediction_per_input"),
            models.CheckConstraint(
                condition=Q(probability__gte=0) & Q(probability__lte=1), name="probability_between_0_and_1"
            ),
        ]

    def __str__(self):
        return f"{self.event_class} ({self.probability:.0%})"


class Explanation(models.Model):
    """The panel of one prediction at one station: waveform, STFT and relevance as stored by the worker."""

    prediction = models.ForeignKey(Prediction, models.PROTECT, related_name="explanations")
    station = models.ForeignKey(Station, models.PROTECT, related_name="+")
    # A safetensors file in storage; mlcore.classify.panels says what is in it.
    panel = models.FileField(upload_to="panels/%Y/%m/", max_length=200)
    sha256 = models.CharField(max_length=64)
    # Per target class: logit, what the map and the biases hold of it, shares per component and band.
    summary = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["prediction", "station"]
        constraints = [
            models.UniqueConstraint(fields=["prediction", "station", "sha256"], name="one_panel_per_content"),
        ]

    def __str__(self):
        return f"{self.prediction} at {self.station}"


class SimilarEvents(models.Model):
    """Which events a model takes for most alike to the one that it predicted: nearest in its feature space.

    Made by the worker once it has classified; labels are looked up when it is shown.
    """

    prediction = models.OneToOneField(Prediction, models.CASCADE, related_name="similar")
    # [[event pk, cosine similarity], …], most alike first.
    neighbours = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "similar events"

    def __str__(self):
        return f"events like {self.prediction}"
