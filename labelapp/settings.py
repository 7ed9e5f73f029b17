"""Every setting, read from the environment once; a bad value stops the start and names itself.

The embedded default needs no server: SQLite, a broker inside the process, files below SEISLOOP_HOME.
DATABASE_URL and REDIS_URL switch to PostgreSQL and Redis.
"""

import ipaddress
import logging
import os
import re
import secrets
from pathlib import Path

import environ
from csp.constants import NONCE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
HOST_PART = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
env = environ.Env()


def number(name: str, default: int, low: int, high: int) -> int:
    """The whole number in environment variable `name`, refused outside [low, high]."""
    text = os.environ.get(name, "").strip() or str(default)
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise ImproperlyConfigured(f"{name} is {text!r}. Set it to a whole number from {low} to {high}, or unset it.")
    return value


def switch(name: str, default: bool) -> bool:
    """The yes or no in environment variable `name`."""
    text = os.environ.get(name, "").strip().lower() or str(default).lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} is {text!r}. Set it to true or false, or unset it.")


def home_folder() -> Path:
    """The data folder, made for its owner only if it is missing; one that exists keeps its mode."""
    folder = Path(os.environ.get("SEISLOOP_HOME", "").strip() or BASE_DIR / ".seisloop").expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"SEISLOOP_HOME is {folder}, which cannot be made: {error.strerror}.") from error
    return folder


def secret_key(home: Path) -> str:
    """SEISLOOP_SECRET_KEY, else a key made once and kept in the data folder, readable by its owner only."""
    given = os.environ.get("SEISLOOP_SECRET_KEY", "")
    if given:
        if len(given) < 50:
            raise ImproperlyConfigured(f"SEISLOOP_SECRET_KEY has {len(given)} characters. Give it at least 50.")
        return given
    kept = home / "secret_key"
    try:
        with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(64))
    except FileExistsError:
        pass
    return kept.read_text()


def private_file(path: Path) -> Path:
    """The path of a file that is made, empty and for its owner only, where it is missing."""
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        pass
    except OSError as error:
        raise ImproperlyConfigured(
            f"SEISLOOP_HOME is {path.parent}, where {path.name} cannot be made: {error.strerror}."
        ) from error
    return path


def database(home: Path) -> dict:
    """PostgreSQL from DATABASE_URL, else SQLite that several writers can share (WAL and IMMEDIATE)."""
    url = os.environ.get("DATABASE_URL", "").strip()
    if url:
        return {**postgres(url), "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        # SQLite would make it readable by everybody; its -wal and -shm files take the mode of this one.
        "NAME": private_file(home / "seisloop.sqlite3"),
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
        },
    }


def postgres(url: str) -> dict:
    """The server and the database that a URL names. No message repeats the URL: it holds a password."""
    expected = "Expected postgres://USER:PASSWORD@HOST/NAME, or postgres://USER@/NAME?host=FOLDER for a socket."
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(f"DATABASE_URL begins with {url.split(':', 1)[0]!r}. {expected}")
    try:
        parts = env.db_url_config(url)
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read. {expected}") from error
    options = parts.get("OPTIONS", {})
    missing = [
        what
        for what, there in (("host", parts["HOST"] or options.get("host")), ("database name", parts["NAME"]))
        if not there
    ]
    if missing:
        raise ImproperlyConfigured(f"DATABASE_URL has no {' and no '.join(missing)}. {expected}")
    return parts


def redis_url() -> str:
    url = os.environ.get("REDIS_URL", "").strip()
    if url and not url.startswith(("redis://", "rediss://", "redis+socket://")):
        raise ImproperlyConfigured(
            f"REDIS_URL begins with {url.split(':', 1)[0]!r}. Expected redis://HOST:PORT/NUMBER."
        )
    return url


def words(name: str, default: str) -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def hosts() -> list[str]:
    """The names Seisloop answers to: with none it would refuse every request."""
    names = words("SEISLOOP_HOSTS", "localhost,127.0.0.1,[::1]")
    if not names:
        raise ImproperlyConfigured("SEISLOOP_HOSTS names no host. Set it to names with commas between, or unset it.")
    return names


def listening_address() -> str:
    """An IP address or a host name, without port or scheme."""
    text = os.environ.get("SEISLOOP_BIND", "").strip() or "127.0.0.1"
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # A last part of digits alone is an address with a mistake in it, such as 127.0.0.256.
        if len(text) > 253 or not re.fullmatch(rf"({HOST_PART}\.)*(?!\d+$){HOST_PART}", text):
            raise ImproperlyConfigured(
                f"SEISLOOP_BIND is {text!r}. Set it to an IP address or a host name (the port is SEISLOOP_PORT)."
            ) from None
    return text


def log_level() -> str:
    text = os.environ.get("SEISLOOP_LOG_LEVEL", "").strip().upper() or "WARNING"
    levels = logging.getLevelNamesMapping()
    if text not in levels:
        raise ImproperlyConfigured(f"SEISLOOP_LOG_LEVEL is {text!r}. Set it to one of {', '.join(levels)}.")
    return text


HOME = home_folder()
PORT = number("SEISLOOP_PORT", 8000, 1, 65535)
# Where `serve` listens; nobody else's business unless said otherwise.
BIND = listening_address()
SECRET_KEY = secret_key(HOME)
DEBUG = switch("SEISLOOP_DEBUG", False)
# Where the site is reached over HTTPS, cookies must not travel without it.
HTTPS = switch("SEISLOOP_HTTPS", False)
ALLOWED_HOSTS = hosts()
CSRF_TRUSTED_ORIGINS = words("SEISLOOP_ORIGINS", "")

# Recordings are read only below these folders, whoever asks (empty: anywhere the process may read).
RECORDING_ROOTS = [Path(root).expanduser().resolve() for root in words("SEISLOOP_RECORDING_ROOTS", "")]
LARGEST_CATALOGUE_BYTES = number("SEISLOOP_LARGEST_CATALOGUE_MB", 200, 1, 10_000) * 1_000_000
LEASE_S = number("SEISLOOP_LEASE_S", 600, 10, 86_400)
HEARTBEAT_S = number("SEISLOOP_HEARTBEAT_S", 5, 1, 3_600)
# A running job whose worker has been silent this long is taken for dead.
SILENCE_S = number("SEISLOOP_SILENCE_S", 60, 3, 86_400)
# What a failed or cancelled job goes on from is kept this long: the windows of a pretraining are up to 2 GB.
KEEP_CHECKPOINTS_DAYS = number("SEISLOOP_KEEP_CHECKPOINTS_DAYS", 14, 1, 3_650)
# Scans do without bfloat16 also where the CPU has it. It changes no detection; stored figures are float32 in any case.
SCAN_FLOAT32 = switch("SEISLOOP_SCAN_FLOAT32", False)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
    "labelapp.catalogue",
    "labelapp.review",
    "labelapp.learning",
    "labelapp.api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "labelapp.urls"
WSGI_APPLICATION = "labelapp.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "frontend" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
            "libraries": {"seisloop": "labelapp.pages.tags"},
        },
    },
]

DATABASES = {"default": database(HOME)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "sites"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_LOCKOUT_CALLABLE = "labelapp.api.refusals.locked_out"

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = r"Y-m-d\TH:i:s.u\Z"  # as everywhere: UTC, ISO 8601, microseconds

STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "frontend" / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "labelapp.static.PlotlyFinder",
]
MEDIA_ROOT = HOME / "files"
STORAGES = {
    # Panels, weights and exports: a folder today, an object store tomorrow.
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "labelapp.static.ModuleStaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS = 0o640
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = HTTPS
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        # Plotly sizes its drawing by style attributes.
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:", "blob:"],
        "object-src": ["'none'"],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": ["'none'"],
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The first one says how to sign in: so that a stranger gets a 401.
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["labelapp.api.permissions.HasRole"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["labelapp.api.parsers.ShallowJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["labelapp.api.filters.AllowListed"],
    "DEFAULT_PAGINATION_CLASS": "labelapp.api.pagination.Pages",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_THROTTLE_RATES": {"token": "30/min"},
    # Whose X-Forwarded-For is believed where requests are counted: the proxy's that speaks HTTPS, or nobody's.
    "NUM_PROXIES": 1 if HTTPS else 0,
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "labelapp.api.refusals.as_json",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Seisloop",
    "DESCRIPTION": "Event catalogue, review queue and relabel ledger of seismically watched slopes. All times are UTC.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["labelapp.api.permissions.HasRole"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "ItemState": "labelapp.review.models.ReviewItem.State",
        "RunState": "labelapp.learning.models.Run.State",
        "RunKind": "labelapp.learning.models.Run.Kind",
        "RelabelKind": "labelapp.review.models.Relabel.Kind",
        "ModelKind": "labelapp.catalogue.models.ModelVersion.Kind",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "labelapp.api.schema.add_refusals",
    ],
}

REDIS_URL = redis_url()
EMBEDDED = not REDIS_URL
if EMBEDDED:
    # Inside one process: queued runs are rows, which the worker of `manage.py serve` finds by itself.
    CELERY_BROKER_URL = "memory://localhost"
    CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.05}
else:
    CELERY_BROKER_URL = REDIS_URL
    # Longer than the longest job: a shorter one hands a living job out again.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 7 * 86_400}
CELERY_TASK_IGNORE_RESULT = True  # the Run row is the result
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "gpu"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": log_level()},
}
SILENCED_SYSTEM_CHECKS: list[str] = []
