"""How long what a run goes on from stays on disk, and what is said of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labelapp.learning import checkpoints
from labelapp.learning.models import Run
from labelapp.learning.tracking import Cancelled, tracked

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("labelapp.learning.models.CHECKPOINTS", tmp_path)
    return tmp_path


@pytest.fixture
def make_run(site):
    """make_run(state, days) is a run that ended so many days ago, with a checkpoint of 3 MB."""

    def make(state, days=None):
        ended = days and timezone.now() - timedelta(days=days)
        run = Run.objects.create(site=site, kind="pretrain", state=state, finished_at=ended, worker="w")
        (run.checkpoint_folder / "pool").mkdir(parents=True)
        (run.checkpoint_folder / "pool" / "windows.npy").write_bytes(b"0" * 3_000_000)
        return run

    return make


def test_a_checkpoint_stays_while_a_resume_is_likely_and_not_for_ever(make_run, settings, folder):
    settings.KEEP_CHECKPOINTS_DAYS = 14
    kept = [make_run(state, 13) for state in ("failed", "cancelled", "interrupted")]
    kept += [make_run("queued"), make_run("running"), make_run("running", 15)]
    for state in ("failed", "cancelled", "interrupted"):
        make_run(state, 15)
    make_run("done", 1)
    make_run("failed", 1).delete()  # of a run that is not known any more
    checkpoints.drop_useless()
    assert sorted(folder.iterdir()) == sorted(run.checkpoint_folder for run in kept)


def test_a_run_that_ends_early_says_what_stays_on_disk(make_run, settings):
    settings.KEEP_CHECKPOINTS_DAYS = 14
    run = make_run("running")
    with tracked(run.pk, worker="w"):
        raise Cancelled
    run.refresh_from_db()
    until = run.finished_at + timedelta(days=14)
    assert f"3.0 MB are kept on disk for a resume, until {until:%Y-%m-%d}" in run.log
    assert checkpoints.kept_of(Run(pk=10**6)) == []


def test_a_run_that_is_done_says_nothing_of_a_resume(make_run):
    run = make_run("running")
    with tracked(run.pk, worker="w"):
        pass
    run.refresh_from_db()
    assert run.state == "done"
    assert "resume" not in run.log
