"""A Seisloop of its own in a folder: commands, a server, the REST API."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Home:
    """SEISLOOP_HOME in `folder`, with SQLite and the in-process worker, as `make run` has it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = free_port()
        self.env = {
            **{k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}},
            "SEISLOOP_HOME": str(folder),
            "SEISLOOP_PORT": str(self.port),
            "OMP_NUM_THREADS": "2",
        }

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *arguments, ok: bool = True) -> subprocess.CompletedProcess:
        """Run a management command; with `ok` it must succeed."""
        result = subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not ok or result.returncode == 0, f"{arguments}\n{result.stdout}\n{result.stderr}"
        return result

    @contextmanager
    def serving(self, *arguments, patience_s: float = 300):
        """`manage.py serve` until the block ends; then Ctrl-C, which must end it cleanly."""
        log = self.folder / "serve.log"
        with log.open("w") as out:
            server = subprocess.Popen(
                [sys.executable, "manage.py", "serve", *arguments],
                cwd=ROOT,
                env=self.env,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
            try:
                self.wait_until_it_answers(server, log, patience_s)
                yield server
                server.send_signal(signal.SIGINT)
                assert server.wait(30) == 0, log.read_text()
            finally:
                if server.poll() is None:
                    server.kill()
                    server.wait()

    def wait_until_it_answers(self, server, log: Path, patience_s: float):
        for _ in range(int(patience_s * 5)):
            assert server.poll() is None, f"the server ended:\n{log.read_text()}"
            try:
                if requests.get(f"{self.address}/healthz", timeout=2).ok:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"no answer from the server:\n{log.read_text()}")

    def make_user(self, name: str, group: str) -> None:
        """A user of that role, whose password is their name."""
        script = (
            "from django.contrib.auth.models import Group, User\n"
            f"user = User.objects.create_user({name!r}, password={name!r})\n"
            f"user.groups.add(Group.objects.get(name={group!r}))"
        )
        self.manage("shell", "--verbosity", "0", "-c", script)

    def rest(self, path: str, token: str | None = None, body: dict | None = None):
        """GET, or POST where there is a body. JSON in and out; other types come as text."""
        headers = {"Authorization": f"Token {token}"} if token else {}
        method = "GET" if body is None else "POST"
        answer = requests.request(method, f"{self.address}/api/v1/{path}", headers=headers, json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json() if "json" in answer.headers["Content-Type"] else answer.text
