"""One process that is all of Seisloop: it serves, it works, it ends, and it goes on where it was."""

import http.client
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.journeys.home import ROOT, Home
from tests.labelapp.learning.processes import FOR_EVER, is_, learned

pytestmark = [pytest.mark.slow, pytest.mark.once]


def served(home, path):
    connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200, path
    return answer.read().decode()


def test_it_serves_pages_with_their_static_files_and_works_on_what_another_process_asks_for(small_home):
    with small_home.serving():
        styles = re.findall(r'href="(/static/[^"]+\.css)"', served(small_home, "/login/"))
        assert all(served(small_home, path) for path in styles)
        said = small_home.manage("train", "small", "--epochs", 2).stdout
        assert f"The server at {small_home.address}/ takes it." in said
        assert f"{small_home.address}/runs/1/" in said
        small_home.wait_until(1, is_("done"))


def test_a_second_server_on_the_same_home_is_refused_and_so_is_a_busy_port(small_home, tmp_path):
    with small_home.serving():
        second = small_home.manage("serve", ok=False)
        assert second.returncode != 0
        assert "Another server uses" in second.stderr
        assert small_home.address in second.stderr
        elsewhere = Home(tmp_path / "elsewhere")
        elsewhere.env["SEISLOOP_PORT"] = str(small_home.port)
        elsewhere.manage("migrate", "--verbosity", "0")
        refused = elsewhere.manage("serve", ok=False)
        assert refused.returncode != 0
        assert f"Port {small_home.port} of 127.0.0.1 cannot be used" in refused.stderr
        assert "SEISLOOP_PORT" in refused.stderr


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_job_that_the_server_left_goes_on_when_the_server_is_back(small_home, kill):
    with small_home.serving() as server:
        run = small_home.start_training(FOR_EVER)
        small_home.wait_until(run, learned(3))
        server.send_signal(kill)
        returncode = server.wait(30)
        assert returncode == (-signal.SIGKILL if kill == signal.SIGKILL else 0)
        if kill != signal.SIGKILL:
            assert small_home.run(run)["state"] == "interrupted"
            assert "was stopped" in small_home.run(run)["error"]
        server.returncode = 0  # `serving` ends it by Ctrl-C, which needs none now
    with small_home.serving():
        row = small_home.wait_until(run, lambda row: "resumed after epoch" in row["log"])
        assert (row["state"], row["attempt"]) == ("running", 2)


def test_a_job_in_the_foreground_ends_by_ctrl_c_and_can_be_resumed(small_home):
    process = subprocess.Popen(
        [sys.executable, "manage.py", "train", "small", "--epochs", str(FOR_EVER), "--wait"],
        cwd=ROOT,
        env=small_home.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not small_home.query("SELECT count(*) AS n FROM learning_run")["n"]:
        assert process.poll() is None
        time.sleep(0.1)
    small_home.wait_until(1, learned(3))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert small_home.run(1)["state"] == "interrupted"
    assert "is queued" in small_home.manage("resume", 1).stdout


def test_commands_that_cannot_work_say_why_and_exit_with_an_error(small_home):
    for arguments, why in {
        ("train", "nowhere"): "There is no site 'nowhere'. Sites: small",
        ("classify", "small"): "small has no active model",
        ("detect", "small", "--start", "yesterday"): "must be a time such as",
        ("train", "small", "--epochs", "0"): "whole number from 1",
        ("ingest", "small", "/nowhere"): "no such file or folder",
        ("resume", "99"): "There is no run 99",
        ("set_recipe", "small", "/nowhere.toml"): "cannot be read as TOML",
    }.items():
        result = small_home.manage(*arguments, ok=False)
        assert result.returncode != 0, arguments
        assert why in result.stderr, arguments
        assert "Traceback" not in result.stderr


def test_in_the_foreground_the_whole_job_runs_to_a_filled_queue(small_home):
    said = small_home.manage("train", "small", "--epochs", 12, "--seed", 1, "--wait").stdout
    assert "first active model" in said
    assert "epoch 12 of 12" in said
    assert "20 events classified by model 1 of small" in small_home.manage("classify", "small", "--wait").stdout
    assert "new events in" in small_home.manage("detect", "small", "--wait").stdout


def test_without_a_server_a_queued_run_says_that_it_waits(small_home):
    assert "It waits until `manage.py serve` is started" in small_home.manage("train", "small").stdout
