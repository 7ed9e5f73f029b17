"""Whatever lies in a folder: good recordings are registered once, bad files are reported, the rest goes on."""

import os

import numpy as np
import pytest

from labelapp.catalogue.models import Recording, Trace
from labelapp.learning.pipeline.ingesting import ingest
from mlcore.waveform import write_mseed
from tests.labelapp.learning.conftest import record

pytestmark = pytest.mark.django_db


def write(path, seed=0, seconds=20):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mseed(record([], seconds, np.random.default_rng(seed)), path)
    return path


def reasons(pairs):
    return " ".join(why for _, why in pairs)


def test_a_file_is_registered_once_however_often_it_is_ingested(site, tmp_path):
    path = write(tmp_path / "a.mseed")
    assert len(ingest(site, [path]).added) == 1
    again = ingest(site, [path, tmp_path, path])
    assert (again.added, len(again.known)) == ([], 1)
    assert Recording.objects.get().path == str(path)
    assert (Trace.objects.get().channel, Trace.objects.get().sampling_rate_hz) == ("HHZ", 50.0)


def test_an_sds_archive_is_read_at_any_depth_and_hidden_files_are_left_alone(site, tmp_path):
    write(tmp_path / "2026/XX/AAA/HHZ.D/XX.AAA.00.HHZ.D.2026.060", seed=1)
    write(tmp_path / "2026/XX/AAA/HHZ.D/XX.AAA.00.HHZ.D.2026.061", seed=2)
    write(tmp_path / "2026/.partial/x", seed=3)
    assert len(ingest(site, [tmp_path]).added) == 2


def test_what_is_no_recording_is_skipped_in_a_folder_and_refused_where_it_was_named(site, tmp_path):
    write(tmp_path / "a.mseed")
    (tmp_path / "notes.txt").write_text("Battery changed at noon.")
    report = ingest(site, [tmp_path])
    assert (len(report.added), len(report.skipped), len(report.refused)) == (1, 1, 0)
    report = ingest(site, [tmp_path / "notes.txt"])
    assert "no recording in a known format" in reasons(report.refused)


def test_broken_files_are_reported_and_the_rest_goes_on(site, tmp_path):
    good = write(tmp_path / "good.mseed")
    content = good.read_bytes()
    (tmp_path / "empty.mseed").write_bytes(b"")
    (tmp_path / "noise.mseed").write_bytes(np.random.default_rng(0).bytes(4096))
    (tmp_path / "header_only.mseed").write_bytes(content[:60])
    (tmp_path / "truncated.mseed").write_bytes(content[: len(content) - 100])
    report = ingest(site, [tmp_path])
    assert str(good) in report.added
    assert "empty.mseed: is empty" in reasons(report.refused)
    assert len(report.added) + len(report.skipped) + len(report.refused) == 5


def test_a_path_that_leads_nowhere_is_refused_and_the_rest_goes_on(site, tmp_path):
    report = ingest(site, [tmp_path / "gone.mseed", write(tmp_path / "a.mseed")])
    assert len(report.added) == 1
    assert "no such file or folder" in reasons(report.refused)


def test_links_in_circles_and_pipes_end_nothing(site, tmp_path):
    write(tmp_path / "a.mseed")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    os.mkfifo(tmp_path / "pipe")
    report = ingest(site, [tmp_path])
    assert len(report.added) == 1
    assert report.refused == []


def test_a_folder_of_great_depth_is_walked(site, tmp_path):
    deep = tmp_path.joinpath(*["d"] * 600)
    write(deep / "a.mseed")
    assert len(ingest(site, [tmp_path]).added) == 1


def test_files_outside_the_recording_roots_are_refused_also_through_links(site, tmp_path, settings):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    write(inside / "a.mseed", seed=1)
    (inside / "way_out.mseed").symlink_to(write(outside / "b.mseed", seed=2))
    settings.RECORDING_ROOTS = [inside.resolve()]
    report = ingest(site, [inside, inside / ".." / "outside" / "b.mseed"])
    assert len(report.added) == 1
    assert reasons(report.refused).count("lies outside of") >= 1
    assert Recording.objects.count() == 1


@pytest.mark.parametrize("name", [b"caf\xe9.mseed", b"new\nline.mseed", b"bell\x07.mseed"])
def test_a_name_that_cannot_be_written_down_is_refused(site, tmp_path, name):
    good = write(tmp_path / "good.mseed")
    os.rename(write(tmp_path / "x.mseed", seed=1), os.path.join(os.fsencode(tmp_path), name))
    report = ingest(site, [tmp_path])
    if b"\n" in name:  # odd, but it can be written down and found again
        assert len(report.added) == 2
    else:
        assert report.added == [str(good)]
        assert "cannot be written down" in reasons(report.refused)


def test_a_known_file_that_has_moved_is_found_at_its_new_place(site, tmp_path):
    old = write(tmp_path / "old.mseed")
    ingest(site, [old])
    new = old.rename(tmp_path / "new.mseed")
    assert len(ingest(site, [new]).known) == 1
    assert Recording.objects.get().path == str(new)


def test_a_file_that_may_not_be_read_is_refused(site, tmp_path, monkeypatch):
    path = write(tmp_path / "a.mseed")
    opened = type(path).open

    def refuse(self, *args, **kwargs):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(type(path), "open", refuse)
    assert "cannot be read: Permission denied" in reasons(ingest(site, [path]).refused)


def test_a_name_that_no_file_can_have_is_refused_and_the_rest_goes_on(site, tmp_path):
    report = ingest(site, [tmp_path / ("a" * 300), write(tmp_path / "a.mseed")])
    assert len(report.added) == 1
    assert "name too long" in reasons(report.refused)
