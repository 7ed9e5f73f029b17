"""Settings come from the environment; a bad value stops the start and names its setting."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from labelapp import settings
from tests.environment import fresh_home


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEISLOOP_PORT", "eight thousand"),
        ("SEISLOOP_PORT", "70000"),
        ("SEISLOOP_LEASE_S", "0"),
        ("SEISLOOP_HTTPS", "perhaps"),
        ("SEISLOOP_SECRET_KEY", "short"),
        ("DATABASE_URL", "mysql://user@host/name"),
        ("REDIS_URL", "http://host"),
        ("SEISLOOP_HOME", "/proc/nowhere"),
    ],
)
def test_a_bad_value_stops_the_start_and_names_its_setting(name, value):
    environment = {**os.environ, "SEISLOOP_HOME": fresh_home(), name: value}
    start = [sys.executable, "manage.py", "check"]
    result = subprocess.run(start, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    last_line = result.stderr.strip().splitlines()[-1]
    assert last_line.startswith("django.core.exceptions.ImproperlyConfigured")
    assert name in last_line


def test_a_number_outside_its_range_is_refused_with_the_range(monkeypatch):
    monkeypatch.setenv("SEISLOOP_PORT", "0")
    with pytest.raises(ImproperlyConfigured, match="1 to 65535"):
        settings.number("SEISLOOP_PORT", 8000, 1, 65535)


def test_the_secret_key_is_made_once_and_readable_by_its_owner_only(tmp_path, monkeypatch):
    monkeypatch.delenv("SEISLOOP_SECRET_KEY", raising=False)
    key = settings.secret_key(tmp_path)
    assert len(key) >= 50
    assert settings.secret_key(tmp_path) == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_the_database_is_sqlite_that_several_writers_can_share_unless_a_url_says_postgresql(tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    embedded = settings.database(tmp_path)
    assert embedded["ENGINE"].endswith("sqlite3")
    assert embedded["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "WAL" in embedded["OPTIONS"]["init_command"]
    monkeypatch.setenv("DATABASE_URL", "postgres://ana:secret@db:5433/slopes")
    server = settings.database(tmp_path)
    assert server["ENGINE"].endswith("postgresql")
    assert (server["HOST"], server["PORT"], server["NAME"], server["USER"]) == ("db", 5433, "slopes", "ana")
