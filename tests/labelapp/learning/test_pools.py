"""The pool of a pretraining: which of a site's files are looked at, and what is said of those that cannot serve."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from labelapp.learning.pipeline import pools
from labelapp.learning.pipeline.ingesting import ingest
from labelapp.learning.services import start_run
from labelapp.learning.tracking import tracked
from mlcore.errors import UnreadableRecording
from mlcore.waveform import write_mseed
from tests.labelapp.learning.conftest import START, record

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_pool_of_few_windows_looks_only_at_files_that_hold_one(small_site, tmp_path, monkeypatch):
    for hour in range(8):
        noise = record([], 300, np.random.default_rng(hour), starttime=START + timedelta(hours=hour))
        write_mseed(noise, tmp_path / f"{hour}.mseed")
    assert not ingest(small_site, [tmp_path]).refused
    looked_at = []
    known = pools.require_unchanged
    monkeypatch.setattr(pools, "require_unchanged", lambda each: looked_at.append(Path(each.path).name) or known(each))
    monkeypatch.setattr("labelapp.learning.models.CHECKPOINTS", tmp_path / "checkpoints")
    run = start_run(site=small_site, kind="pretrain", parameters={"windows": 2}, worker="w")
    with tracked(run.pk, worker="w") as job:
        pool, _ = pools.kept_pool(job, 0.5)
    assert len(pool) == 2
    assert job.run.figures == {"windows": 2, "of": 8 * 99}  # of 6 s, every 3 s of 300 s
    assert len(looked_at) <= 2


def test_a_file_that_has_changed_is_left_out_where_it_is_read_and_no_other_is_looked_at(small_site, tmp_path):
    paths = [tmp_path / f"{number}.mseed" for number in range(3)]
    for number, path in enumerate(paths):
        write_mseed(record([], 100, np.random.default_rng(number)), path)
        assert not ingest(small_site, [path]).refused
    archive = pools.archive_of(SimpleNamespace(run=SimpleNamespace(site=small_site)))
    for path in paths[1:]:
        path.write_bytes(path.read_bytes()[:-512])
    assert archive.usable(paths[:2]) == paths[:1]
    assert set(archive.lost) == {paths[1]}
    with pytest.raises(UnreadableRecording, match=r"2.mseed has changed since it was ingested"):
        archive.usable(paths[2:])
