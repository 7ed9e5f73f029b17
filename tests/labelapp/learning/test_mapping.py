"""Pool maps from recordings: which points, what a model makes of them, and what a killed run goes on from."""

import json
from datetime import timedelta

import numpy as np
import pytest
import torch
from django.core.files.storage import default_storage
from django.core.management import call_command
from scipy.spatial import cKDTree

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Event, Observation, Recording, Station
from labelapp.learning import pipeline
from labelapp.learning.maps import microseconds_of, store_map, tensors_of, time_of
from labelapp.learning.models import PoolMap, Run
from labelapp.learning.parameters import default_map_model
from labelapp.learning.pipeline import map_plan, mapping
from labelapp.learning.pipeline.classification import predict
from labelapp.learning.pipeline.ingesting import ingest
from labelapp.learning.pipeline.map_plan import busy_spans, drawn_windows, overlap, readings
from labelapp.learning.pipeline.neighbours import Features
from labelapp.learning.pipeline.representing import sight_of
from labelapp.learning.pipeline.windows import read_event
from labelapp.learning.services import resume_run, start_run
from labelapp.learning.tracking import Cancelled, tracked
from mlcore.pretrain import drawing
from mlcore.pretrain.spectrogram import spectrogram
from mlcore.waveform import write_mseed
from tests.labelapp.learning.conftest import RECIPE, START, record
from tests.labelapp.learning.maps import make_map, untrained_classifier, untrained_encoder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def files_go_to_a_folder_of_the_test(settings, tmp_path, monkeypatch):
    settings.MEDIA_ROOT = tmp_path / "files"
    monkeypatch.setattr("labelapp.learning.models.CHECKPOINTS", tmp_path / "checkpoints")


@pytest.fixture
def heard(recorded_site):
    """The station that recorded."""
    return recorded_site.stations.get()


@pytest.fixture
def encoder(recorded_site):
    return untrained_encoder(recorded_site)


@pytest.fixture
def classifier(recorded_site):
    return untrained_classifier(recorded_site)


def map_of(run):
    assert run.state == "done", run.log
    return PoolMap.objects.get(pk=run.figures["map"])


class TestTheMap:
    def test_holds_every_event_and_windows_that_no_event_overlaps(self, recorded_site, encoder, work_on):
        run = work_on(recorded_site, "map", windows=30)
        made = map_of(run)
        tensors = tensors_of(made)
        events = dict(recorded_site.events.values_list("pk", "starttime"))
        assert (made.points, made.events, made.model) == (70, 40, encoder)
        assert {
            int(pk): time_of(t) for pk, t in zip(tensors["event"], tensors["starttime"], strict=True) if pk >= 0
        } == events
        spans = list(recorded_site.events.values_list("starttime", "endtime"))
        starts = [time_of(t) for pk, t in zip(tensors["event"], tensors["starttime"], strict=True) if pk < 0]
        assert len(set(starts)) == 30
        for start in starts:
            end = start + timedelta(seconds=made.window_s)
            assert not any(begin < end and stop > start for begin, stop in spans)
            assert ((start - START) / timedelta(seconds=made.window_s)).is_integer()
        assert set(tensors["station"].tolist()) == {0}
        assert made.stations == ["XX.AAA.00"]
        assert np.abs(tensors["places"]).max() == pytest.approx(1)
        assert "70 points" in run.figures["verdict"]
        assert not run.checkpoint_folder.exists()

    def test_is_made_by_the_newest_encoder_then_by_the_active_model_and_by_any_that_is_named(
        self, recorded_site, classifier, encoder, work_on
    ):
        assert map_of(work_on(recorded_site, "map", windows=0)).model == encoder
        assert map_of(work_on(recorded_site, "map", windows=0, model=classifier.pk, method="pca")).model == classifier
        encoder.maps.all().delete()
        Run.objects.update(model=None)
        encoder.delete()
        recorded_site.active_model = classifier
        recorded_site.save()
        assert map_of(work_on(recorded_site, "map", windows=0, method="pca")).method == "pca"

    def test_puts_events_of_a_class_nearer_each_other_than_chance_would(self, recorded_site, classifier, work_on):
        made = map_of(work_on(recorded_site, "map", windows=20, model=classifier.pk))
        tensors = tensors_of(made)
        labels = dict(recorded_site.events.values_list("pk", "label__code"))
        rows = np.flatnonzero(tensors["event"] >= 0)
        codes = np.array([labels[int(pk)] for pk in tensors["event"][rows]])
        nearest = cKDTree(tensors["places"][rows]).query(tensors["places"][rows], k=4)[1][:, 1:]

        def same(codes):
            return (codes[nearest] == codes[:, None]).mean()

        draw = np.random.default_rng(0)
        assert same(codes) > max(same(draw.permutation(codes)) for _ in range(500))

    def test_draws_the_same_windows_and_places_each_time(self, recorded_site, encoder, work_on):
        first, second = (map_of(work_on(recorded_site, "map", windows=20, method="pca")) for _ in range(2))
        assert first.sha256 == second.sha256

    def test_says_what_cannot_be_read_and_goes_on(self, recorded_site, encoder, work_on, tmp_path, heard):
        broken = tmp_path / "broken.mseed"
        late = START + timedelta(days=1)
        write_mseed(record([], 300, np.random.default_rng(2), starttime=late), broken)
        ingest(recorded_site, [broken])
        broken.write_bytes(b"\0" * broken.stat().st_size)
        gone = Event.objects.create(
            site=recorded_site, event_id="unheard", station=heard, origin="expert",
            starttime=late - timedelta(days=9), endtime=late - timedelta(days=9) + timedelta(seconds=3),
        )  # fmt: skip
        Observation.objects.create(event=gone, station=heard, starttime=gone.starttime, endtime=gone.endtime)
        run = work_on(recorded_site, "map", windows=1000)
        made = map_of(run)
        assert made.events == 40
        assert max(time_of(t) for t in tensors_of(made)["starttime"]) < late
        assert "has changed since it was ingested" in run.log
        assert "unheard at XX.AAA.00" in run.log
        assert run.figures["left out"] == 1 + 50

    def test_of_a_site_with_nothing_to_see_fails_with_the_reason(self, small_site, work_on):
        untrained_encoder(small_site)
        run = work_on(small_site, "map")
        assert run.state == "failed"
        assert "0 of 0 events and windows can be used, but a map needs 4. Ingest recordings" in run.error

    def test_needs_a_model(self, small_site):
        with pytest.raises(Invalid, match="neither an encoder nor an active model"):
            start_run(site=small_site, kind="map")
        for parameters in ({"windows": 50_001}, {"windows": -1}, {"method": "umap"}, {"model": 77}, {"seed": 1}):
            with pytest.raises(Invalid):
                start_run(site=small_site, kind="map", parameters=parameters)


class TestWhatAModelSees:
    def test_by_an_encoder_is_the_mean_over_channels_and_stations(self, recorded_site, encoder):
        sight, event = sight_of(encoder), recorded_site.events.prefetch_related("observations__station").first()
        (vector,) = sight.see_events([event]).vectors
        by_station, _ = sight.of_event(event)
        rows = []
        for data, recorded, _facts in by_station.values():
            for samples in data[recorded]:
                image = spectrogram(torch.from_numpy(samples)[None], sight.recipe.spectrogram, 50.0)
                rows.append(sight.network.cpu().eval()(image[None]).detach().numpy()[0])
        np.testing.assert_allclose(vector, np.mean(rows, axis=0), rtol=1e-4, atol=1e-5)

    def test_by_a_classifier_is_what_neighbours_are_compared_by(self, recorded_site, classifier):
        sight, found = sight_of(classifier), Features()
        events = list(recorded_site.events.prefetch_related("observations__station")[:3])
        read = [read_event(event, sight.classifier.recipe) for event in events]
        predict(sight.classifier, classifier, read, found)
        seen = sight.see_events(events)
        for event, vector in zip(events, seen.vectors, strict=True):
            np.testing.assert_allclose(vector, found.rows[event.pk], rtol=1e-3, atol=1e-3)

    @pytest.mark.parametrize("kind", ["encoder", "classifier"])
    def test_windows_read_together_are_as_those_read_one_by_one(self, request, recorded_site, kind, heard):
        sight = sight_of(request.getfixturevalue(kind))
        starts = [START + timedelta(seconds=second) for second in (60, 66, 100, 400)]
        together = sight.see_windows(heard, starts)
        alone = [sight.see_windows(heard, [start]) for start in starts]
        assert [time for _, time in together.keys] == starts
        for vector, each in zip(together.vectors, alone, strict=True):
            # Each reading is demeaned and filtered by itself, and its ends are tapered.
            assert np.corrcoef(vector, each.vectors[0])[0, 1] > 0.999


class TestWindowsToChooseFrom:
    def test_are_all_that_no_event_overlaps_where_as_many_are_asked_for(self, recorded_site, heard):
        found = drawn_windows(recorded_site, [heard], 6.0, 10_000)
        spans = list(recorded_site.events.values_list("starttime", "endtime"))
        grid = [START + timedelta(seconds=6 * number) for number in range(820 // 6)]
        free = [s for s in grid if not any(a < s + timedelta(seconds=6) and b > s for a, b in spans)]
        assert [time_of(start) for _, start in found] == free
        note = map_plan.plan_of(recorded_site, [heard], 6.0, 10_000).note
        assert note == f"{len(free)} windows of 6 s that no event overlaps were recorded; 10000 were asked for"

    def test_are_fewer_where_events_leave_a_map_no_room_and_that_is_said(self, recorded_site, heard, monkeypatch):
        monkeypatch.setattr(map_plan, "MOST_POINTS", 45)
        plan = map_plan.plan_of(recorded_site, [heard], 6.0, 10)
        assert plan.points == 45
        assert plan.note == "a map holds 45 points, so 5 windows beside 40 events; 10 were asked for"
        assert map_plan.plan_of(recorded_site, [heard], 6.0, 5).note == ""

    def test_are_drawn_from_the_whole_time_and_never_twice_where_there_are_very_many(
        self, recorded_site, heard, monkeypatch
    ):
        monkeypatch.setattr(drawing, "FEW", 10)
        monkeypatch.setattr(drawing, "DRAWN_TIMES", 3)
        found = drawn_windows(recorded_site, [heard], 1.0, 200)
        assert len(set(found)) == len(found) == 200
        assert found == sorted(found)
        middle = microseconds_of(START + timedelta(seconds=410))
        assert 70 < sum(start < middle for _, start in found) < 130

    def test_overlap_is_what_a_slow_loop_finds(self):
        draw = np.random.default_rng(0)
        for _ in range(50):
            edges = np.sort(draw.choice(60, 8, replace=False)).reshape(-1, 2)
            edges[draw.integers(4)] = edges[0, 0] - 1 if edges[0, 0] else edges[3, 1] + 1  # one that is a moment
            busy = edges[np.argsort(edges[:, 0])]
            start = draw.integers(60, size=30)
            end = start + draw.integers(1, 9, size=30)
            slow = [
                any((a < e and b > s) or (a == b and s <= a < e) for a, b in busy)
                for s, e in zip(start, end, strict=True)
            ]
            assert overlap(start, end, busy).tolist() == slow

    def test_spans_of_events_are_joined_and_merged_events_left_out(self, make_event, site):
        first = make_event()
        make_event(starttime=first.starttime + timedelta(seconds=1), endtime=first.starttime + timedelta(seconds=2))
        last = make_event(starttime=first.endtime, endtime=first.endtime + timedelta(microseconds=1))
        merged = make_event(
            starttime=first.starttime + timedelta(hours=1), endtime=first.starttime + timedelta(hours=2)
        )
        Event.objects.filter(pk=merged.pk).update(merged_into=first)
        assert busy_spans(site).tolist() == [[microseconds_of(first.starttime), microseconds_of(last.endtime)]]

    def test_are_read_together_only_at_one_station_near_each_other_and_for_an_hour_at_most(self):
        part = [(0, 0), (0, 6), (0, 400), (1, 400), *((2, 300 * number) for number in range(13))]
        groups = list(readings([(number, second * 1_000_000) for number, second in part], 6.0))
        found = [(number, [microseconds_of(time) // 1_000_000 for time in starts]) for number, starts in groups]
        assert found[:3] == [(0, [0, 6]), (0, [400]), (1, [400])]
        assert [len(starts) for number, starts in found if number == 2] == [12, 1]


class TestARunThatEndedEarly:
    @pytest.fixture
    def killed(self, recorded_site, encoder, work_on, monkeypatch):
        """Cancelled in its third part."""
        monkeypatch.setattr(map_plan, "PART", 20)
        whole = mapping.Surveying._part

        def part(self, number, *args, **kwargs):
            if number == 2:
                raise Cancelled
            return whole(self, number, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(mapping.Surveying, "_part", part)
            return work_on(recorded_site, "map", windows=40, method="pca")

    def test_goes_on_with_the_same_windows_and_makes_the_map_of_an_uninterrupted_one(
        self, recorded_site, killed, work_on, monkeypatch
    ):
        assert killed.state == "cancelled"
        assert sorted(path.name for path in killed.checkpoint_folder.iterdir()) == [
            "000000.safetensors",
            "000001.safetensors",
            "plan.json",
        ]
        (killed.checkpoint_folder / "000001.safetensors").write_bytes(b"cut short")
        looked_at = []
        see = mapping.Surveying._events
        monkeypatch.setattr(
            mapping.Surveying, "_events", lambda self, pks: looked_at.append(len(pks)) or see(self, pks)
        )
        resume_run(run=killed, worker="me")
        with tracked(killed.pk, worker="me") as job:
            pipeline.map_pool(job)
        killed.refresh_from_db()
        assert looked_at == [20]  # the second part was broken, the first was kept
        assert map_of(killed).sha256 == map_of(work_on(recorded_site, "map", windows=40, method="pca")).sha256

    def test_knows_its_stations_by_name_where_another_came_between(self, recorded_site, killed, heard):
        new = Station.objects.create(site=recorded_site, network="AA", code="NEW", location="00")
        assert recorded_site.stations.first() == new
        resume_run(run=killed, worker="me")
        with tracked(killed.pk, worker="me") as job:
            pipeline.map_pool(job)
        killed.refresh_from_db()
        made = map_of(killed)
        assert made.points == 80
        tensors = tensors_of(made)
        assert {made.stations[number] for number in tensors["station"]} == {heard.seed_id}

    def test_sees_by_the_model_that_it_began_with(self, recorded_site, encoder, killed):
        assert killed.model == encoder
        later = untrained_encoder(recorded_site)
        assert default_map_model(recorded_site) == later
        resume_run(run=killed, worker="me")
        with tracked(killed.pk, worker="me") as job:
            pipeline.map_pool(job)
        killed.refresh_from_db()
        assert map_of(killed).model == encoder

    def test_does_not_draw_again_what_was_kept(self, recorded_site, killed, work_on):
        plan = json.loads((killed.checkpoint_folder / "plan.json").read_text())
        assert sum(map(len, plan[1])) == 40


class TestFiles:
    def test_only_the_newest_three_are_kept(self, site, make_model):
        model = make_model()
        maps = [make_map(site, model, points=5, seed=seed) for seed in range(5)]
        assert list(PoolMap.objects.values_list("pk", flat=True)) == [each.pk for each in reversed(maps[2:])]
        assert [default_storage.exists(each.file) for each in maps] == [False, False, True, True, True]

    def test_stay_where_the_new_map_cannot_be_written_down(self, site, make_model, monkeypatch):
        model = make_model()
        maps = [make_map(site, model, points=5, seed=seed) for seed in range(3)]
        monkeypatch.setattr("labelapp.learning.maps._remove_old", lambda site: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make_map(site, model, points=6)
        assert all(default_storage.exists(each.file) for each in maps)
        assert len(default_storage.listdir(f"maps/{site.pk}")[1]) == 3

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda t: t.update(places=t["places"] * 9),
            lambda t: t.update(places=t["places"] * np.float32("nan")),
            lambda t: t.update(places=t["places"].astype(np.float64)),
            lambda t: t.update(cluster=t["cluster"][1:]),
            lambda t: t.update(station=t["station"] + np.int16(9)),
        ],
    )
    def test_that_are_no_map_are_refused(self, site, make_model, spoil):
        good = make_map(site, make_model(), points=5)
        tensors = dict(tensors_of(good))
        spoil(tensors)
        facts = {"site": site, "model": good.model, "stations": [], "window_s": 1.0, "method": "pca"}
        with pytest.raises(Invalid):
            store_map(tensors=tensors, **facts)


def test_the_command_draws_a_map(recorded_site, encoder, capsys):
    call_command("map_pool", recorded_site.name, "--wait", "--windows", "10", "--method", "pca")
    assert "50 points by" in capsys.readouterr().out


def test_a_site_without_events_has_a_map_of_its_windows(recorded_site, encoder, work_on):
    Observation.objects.all().delete()
    Event.objects.all().delete()
    made = map_of(work_on(recorded_site, "map", windows=25, method="pca"))
    assert (made.points, made.events) == (25, 0)
    assert Recording.objects.count() == 1
    assert RECIPE["preprocessing"]["window_s"] == made.window_s
