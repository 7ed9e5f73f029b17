"""Settings come from the environment; a bad value stops the start and names its setting."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from labelapp import settings
from tests.environment import fresh_home

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEISLOOP_PORT", "eight thousand"),
        ("SEISLOOP_PORT", "70000"),
        ("SEISLOOP_LEASE_S", "0"),
        ("SEISLOOP_HTTPS", "perhaps"),
        ("SEISLOOP_SCAN_FLOAT32", "sometimes"),
        ("SEISLOOP_SECRET_KEY", "short"),
        ("DATABASE_URL", "mysql://user@host/name"),
        ("DATABASE_URL", "postgres://"),
        ("DATABASE_URL", "postgres://ana:secret@db"),
        ("DATABASE_URL", "postgres://ana:secret@/slopes"),
        ("DATABASE_URL", "postgres://ana:secret@db:port/slopes"),
        ("REDIS_URL", "http://host"),
        ("SEISLOOP_BIND", "http://localhost"),
        ("SEISLOOP_BIND", "127.0.0.1:8000"),
        ("SEISLOOP_BIND", "127.0.0.256"),
        ("SEISLOOP_HOSTS", " , "),
        ("SEISLOOP_HOSTS", ""),
        ("SEISLOOP_LOG_LEVEL", "foo"),
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
    assert "secret@" not in result.stderr


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


def test_a_url_may_name_a_socket_for_postgresql(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres:@/postgres?host=/run/x")
    server = settings.database(tmp_path)
    assert (server["NAME"], server["OPTIONS"]["host"]) == ("postgres", "/run/x")


@pytest.mark.parametrize("address", ["192.0.2.7", "::", "::1", "localhost", "slope-7.example.org"])
def test_seisloop_listens_at_an_ip_address_or_a_host_name(address, monkeypatch):
    monkeypatch.setenv("SEISLOOP_BIND", address)
    assert settings.listening_address() == address


def test_a_log_level_may_be_written_in_small_letters(monkeypatch):
    monkeypatch.setenv("SEISLOOP_LOG_LEVEL", "debug")
    assert settings.log_level() == "DEBUG"


def mode(path):
    return path.stat().st_mode & 0o777


def test_a_new_data_folder_and_its_database_are_for_their_owner_only(tmp_path):
    home = tmp_path / "home"
    environment = {**os.environ, "SEISLOOP_HOME": str(home), "DATABASE_URL": ""}
    write = "from django.db import connection as c; x = c.cursor(); x.execute('CREATE TABLE a (b)'); "
    look = (
        "import os, django.conf as s; print(*(oct(f.stat().st_mode)[-3:] for f in s.settings.HOME.glob('*.sqlite3*')))"
    )
    start = [sys.executable, "manage.py", "shell", "--no-imports", "-c", write + look]
    result = subprocess.run(start, env=environment, capture_output=True, text=True, check=True, umask=0o022)
    assert mode(home) == 0o700
    assert result.stdout.split() == ["600"] * 3  # the database, its -wal and its -shm


def test_who_may_read_a_data_folder_that_exists_is_left_as_it_is(tmp_path, monkeypatch):
    tmp_path.chmod(0o750)
    (tmp_path / "seisloop.sqlite3").touch(0o640)
    monkeypatch.setenv("SEISLOOP_HOME", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    settings.database(settings.home_folder())
    assert mode(tmp_path) == 0o750
    assert mode(tmp_path / "seisloop.sqlite3") == 0o640
