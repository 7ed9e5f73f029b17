"""What `manage.py serve` needs before it serves: a home to itself, a free port, collected static files."""

import fcntl
import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from labelapp.catalogue.errors import Conflict

LOCK = settings.HOME / "serve.lock"
# Plotly's wheel carries megabytes that no page asks for; what begins with a point is being written.
NOT_SERVED = [".*", "datasets", "templates", "widgetbundle.js", "*.gz", "LICENSE*"]


@contextmanager
def sole_server(address: str) -> Iterator[None]:
    """Hold SEISLOOP_HOME while serving. Raises Conflict, naming the other server, where there is one."""
    with _open_lock() as file:
        if not _locked(file):
            raise Conflict(
                f"Another server uses {settings.HOME}: {_said_in(file) or 'it is just starting'}. "
                "Use that one, stop it, or set SEISLOOP_HOME to another folder."
            )
        file.truncate(0)
        file.write(address)
        file.flush()
        yield


def served_at() -> str | None:
    """The address of the server that uses SEISLOOP_HOME now, None if there is none."""
    if not LOCK.exists():
        return None
    with _open_lock() as file:
        return None if _locked(file) else _said_in(file)


def _open_lock() -> TextIO:
    return os.fdopen(os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600), "r+")


def _locked(file: TextIO) -> bool:
    """Whether the lock is ours now. It ends with the process, however that ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _said_in(file: TextIO) -> str:
    """The address of the server that holds the lock; empty while it is just starting."""
    file.seek(0)
    return file.read().strip()


def require_free_port(host: str, port: int) -> None:
    """Raises Conflict where something listens already, or the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise Conflict(
                f"Port {port} of {host} cannot be used: {error.strerror}. "
                "Stop what uses it, or set SEISLOOP_PORT to a free one."
            ) from error


def collect_static_files() -> bool:
    """Bring STATIC_ROOT up to date; returns whether there was anything to do."""
    kept, found = Path(settings.STATIC_ROOT) / "collected.txt", _fingerprint()
    if kept.exists() and kept.read_text() == found:
        return False
    call_command("collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=NOT_SERVED)
    kept.write_text(found)
    return True


def _fingerprint() -> str:
    """Name, size and age of every file that would be collected."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(NOT_SERVED):
            facts = os.stat(storage.path(name))
            digest.update(f"{name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()
