"""A run tells how far it is and how it ended, whoever is cancelled, killed or delivered twice."""

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from celery.exceptions import Retry
from django.db import OperationalError, connections
from django.utils import timezone

from labelapp.catalogue.errors import Refused
from labelapp.learning import claims, tasks, tracking, worker
from labelapp.learning.claims import AlreadyTaken, claim, mark_silent_runs, worker_name
from labelapp.learning.models import Run
from labelapp.learning.services import cancel_run, resume_run
from labelapp.learning.tracking import Cancelled, tracked

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(site):
    return Run.objects.create(site=site, kind=Run.Kind.CLASSIFY)


@pytest.fixture(autouse=True)
def _told_at_once(monkeypatch):
    monkeypatch.setattr(tracking, "WRITE_EVERY_S", 0.0)
    yield
    tracking.stopping.clear()


def silent_since(run, seconds, **facts):
    heard = timezone.now() - timedelta(seconds=seconds)
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING, heartbeat_at=heard, **facts)


def ended_process():
    """The name of a worker whose process has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{claims._host()}-{process.pid}-0123456789ab"


def test_a_run_says_how_far_it_is_while_it_works_and_that_it_is_done(run):
    with tracked(run.pk) as job:
        job.progress("reading", 0.25, {"events": 3}, "three events")
        run.refresh_from_db()
        assert (run.state, run.stage, run.progress, run.figures) == ("running", "reading", 0.25, {"events": 3})
        assert "three events" in run.log
    run.refresh_from_db()
    assert (run.state, run.progress, run.error) == ("done", 1.0, "")
    assert run.finished_at is not None


def test_time_left_follows_the_pace_since_this_worker_began(run):
    with tracked(run.pk) as job:
        job.progress("training", 0.5)  # a resumed run begins half-way
        run.refresh_from_db()
        assert run.time_left_s is None
        time.sleep(0.05)
        job.progress("training", 0.75)
        run.refresh_from_db()
        assert 0 < run.time_left_s < 10


def test_a_refusal_fails_the_run_with_its_message_alone(run):
    with tracked(run.pk):
        raise Refused("There is nothing to learn from.")
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "There is nothing to learn from.")
    assert "Traceback" not in run.log


def test_a_bug_fails_the_run_with_type_message_and_traceback_in_the_log(run):
    with tracked(run.pk):
        raise ZeroDivisionError("by zero")
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "ZeroDivisionError: by zero")
    assert "Traceback" in run.log


def test_a_run_that_is_delivered_twice_is_worked_on_once(run):
    with tracked(run.pk), pytest.raises(AlreadyTaken), tracked(run.pk):
        pytest.fail("worked on twice")
    with pytest.raises(AlreadyTaken), tracked(run.pk):
        pytest.fail("worked on after its end")


def test_of_many_workers_that_claim_a_run_at_once_one_gets_it(run):
    start, got = threading.Barrier(8), []

    def try_to_claim():
        start.wait()
        try:
            got.append(claim(run.pk, worker_name()))
        except AlreadyTaken:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=try_to_claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_cancelling_a_running_run_stops_the_work_at_its_next_question(run):
    with tracked(run.pk) as job:
        assert not job.should_stop()
        cancel_run(run=run)
        assert job.should_stop()
        raise Cancelled
    run.refresh_from_db()
    assert run.state == Run.State.CANCELLED


def test_cancelling_a_queued_run_ends_it_at_once_and_no_worker_takes_it(run):
    cancel_run(run=run)
    with pytest.raises(AlreadyTaken):
        claim(run.pk, worker_name())
    with pytest.raises(Refused, match="ended already"):
        cancel_run(run=run)


def test_the_work_asks_the_database_at_most_once_a_second(run, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(tracking, "WRITE_EVERY_S", 1.0)
    with tracked(run.pk) as job:
        job.should_stop()
        with django_assert_num_queries(0):
            assert not any(job.should_stop() for _ in range(100))


def test_a_silent_worker_is_said_when_anybody_looks_and_the_run_can_go_on(run, settings):
    silent_since(run, settings.SILENCE_S + 1, worker="elsewhere-1-0")
    assert mark_silent_runs() == 1
    run.refresh_from_db()
    assert run.state == Run.State.INTERRUPTED
    assert "silent since" in run.error
    resume_run(run=run)
    assert claim(run.pk, worker_name()).attempt == 1


def test_a_worker_that_was_heard_lately_is_left_alone(run, settings):
    silent_since(run, settings.SILENCE_S - 5, worker="elsewhere-1-0")
    assert mark_silent_runs() == 0
    with pytest.raises(AlreadyTaken):
        claim(run.pk, worker_name())


def test_a_run_that_had_been_cancelled_when_its_worker_died_is_cancelled(run, settings):
    silent_since(run, settings.SILENCE_S + 1, cancel_requested=True)
    mark_silent_runs()
    run.refresh_from_db()
    assert run.state == Run.State.CANCELLED


def test_a_worker_process_of_this_host_that_ended_is_taken_over_without_waiting_for_silence(run):
    silent_since(run, 0, worker=ended_process(), attempt=1)
    with tracked(run.pk) as job:
        assert job.run.attempt == 2


def test_a_run_that_is_marked_silent_between_a_claims_reading_and_its_writing_is_taken_all_the_same(
    run, settings, monkeypatch
):
    silent_since(run, settings.SILENCE_S + 1, worker="elsewhere-1-0", attempt=1)
    claimable = claims._claimable

    def marked_meanwhile(before, worker):
        mark_silent_runs()
        return claimable(before, worker)

    monkeypatch.setattr(claims, "_claimable", marked_meanwhile)
    assert claim(run.pk, worker_name()).attempt == 2


def test_a_job_that_came_while_the_database_was_away_comes_again(run, monkeypatch):
    def away(run_id, worker):
        raise OperationalError("the database is away")

    monkeypatch.setattr(tracking, "claim", away)
    with pytest.raises(Retry):
        tasks.classify.run(run.pk)


def test_a_job_that_took_three_workers_down_is_not_tried_again_by_itself(run):
    silent_since(run, 0, worker=ended_process(), attempt=claims.MAX_ATTEMPTS)
    with pytest.raises(AlreadyTaken):
        claim(run.pk, worker_name())
    run.refresh_from_db()
    assert run.state == Run.State.INTERRUPTED
    assert "lost 3 times" in run.error


def test_a_worker_that_lost_its_run_stops_and_writes_nothing(run):
    with tracked(run.pk) as job:
        Run.objects.filter(pk=run.pk).update(worker="another")
        job.progress("too late", 0.9)
        assert job.should_stop()
        raise Cancelled
    run.refresh_from_db()
    assert (run.state, run.worker, run.stage) == ("running", "another", "")


def test_the_heartbeat_goes_on_while_one_step_takes_long(run, settings):
    settings.HEARTBEAT_S = 0.02
    with tracked(run.pk):
        run.refresh_from_db()
        first, deadline = run.heartbeat_at, time.monotonic() + 10
        while run.heartbeat_at == first and time.monotonic() < deadline:
            time.sleep(0.02)
            run.refresh_from_db()
        assert run.heartbeat_at > first


def test_a_worker_that_must_go_leaves_its_run_interrupted(run):
    with tracked(run.pk) as job:
        tracking.stopping.set()
        assert job.should_stop()
        raise Cancelled
    run.refresh_from_db()
    assert run.state == Run.State.INTERRUPTED
    assert "was stopped" in run.error


def test_ctrl_c_in_the_foreground_interrupts_the_run(run):
    with pytest.raises(KeyboardInterrupt), tracked(run.pk):
        raise KeyboardInterrupt
    run.refresh_from_db()
    assert run.state == Run.State.INTERRUPTED


def test_the_next_server_resumes_what_a_lost_worker_left_but_not_what_a_person_stopped_at_the_terminal(run):
    from labelapp.learning.worker import resume_leftovers

    with pytest.raises(KeyboardInterrupt), tracked(run.pk):
        raise KeyboardInterrupt
    assert resume_leftovers() == 0
    run.refresh_from_db()
    assert run.state == Run.State.INTERRUPTED
    assert "Resume it, or start again" in run.error
    Run.objects.filter(pk=run.pk).update(error="Its worker ended without finishing it.")
    assert resume_leftovers() == 1


def test_a_log_that_grows_too_long_keeps_its_end():
    log = claims.appended("", [f"line {n}" for n in range(50_000)])
    assert len(log) <= claims.LONGEST_LOG + 100
    assert log.startswith("(earlier lines were dropped)\nline ")
    assert log.endswith("line 49999\n")


def test_no_child_is_forked_while_a_thread_looks_into_the_database():
    looks, over = threading.Event(), []

    def look():
        looks.set()
        time.sleep(0.2)
        over.append(True)
        tracking.stopping.set()

    threading.Thread(target=worker._repeat, args=(look, 0)).start()
    looks.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if over else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
