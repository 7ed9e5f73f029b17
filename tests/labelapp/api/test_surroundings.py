"""GET events/{id}/context|spectrogram|neighbours/ and sites/{id}/record|record-spectrogram|recorded/."""

import gzip
import json

import pytest
from safetensors.numpy import load

from labelapp.catalogue.models import SimilarEvents
from labelapp.learning.pipeline import decoded
from tests.recorded import event_times, record_site


@pytest.fixture(autouse=True)
def nothing_is_kept_from_the_test_before():
    decoded.KEPT.clear()


@pytest.fixture
def event(site, station, tmp_path, make_event):
    folder = tmp_path / "recordings"
    folder.mkdir()
    record_site(site, folder)
    return make_event("rockfall", **event_times())


def ask(client, event, kind="context", **query):
    return client.get(f"/api/v1/events/{event.pk}/{kind}/", query)


def of_site(client, event, kind="record", **query):
    given = {"station": "XX.AAA.00", "starttime": "2026-03-01T06:01:00Z", "endtime": "2026-03-01T06:02:00Z", **query}
    return client.get(f"/api/v1/sites/{event.site_id}/{kind}/", given)


def header(content, key):
    length = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"][key])


class TestContext:
    def test_is_a_minute_before_and_after_at_the_events_own_station(self, as_viewer, event):
        answer = ask(as_viewer, event)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/octet-stream")
        facts = header(answer.content, "context")
        assert (facts["starttime"], facts["endtime"]) == ("2026-03-01T06:04:00.000000Z", "2026-03-01T06:06:06.000000Z")
        assert [s["station"] for s in facts["stations"]] == ["XX.AAA.00"]
        assert load(answer.content)["0.waveform"].shape == (3, 12600)

    def test_of_all_stations_says_who_did_not_record(self, as_viewer, event):
        facts = header(ask(as_viewer, event, stations="all", components="z").content, "context")
        assert {s["station"]: s["components"] for s in facts["stations"]} == {
            "XX.AAA.00": ["Z"],
            "XX.BBB.00": ["Z"],
            "XX.CCC.00": [],
        }

    def test_comes_smaller_to_a_browser_that_takes_gzip_and_not_again_to_one_that_has_it(self, as_viewer, event):
        plain = ask(as_viewer, event)
        packed = as_viewer.get(f"/api/v1/events/{event.pk}/context/", HTTP_ACCEPT_ENCODING="gzip")
        assert packed["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.content) == plain.content
        assert len(packed.content) <= 200_000
        assert plain["Cache-Control"] == "private, max-age=60"
        again = as_viewer.get(f"/api/v1/events/{event.pk}/context/", HTTP_IF_NONE_MATCH=plain["ETag"])
        assert (again.status_code, again.content) == (304, b"")

    def test_where_nothing_was_recorded_it_says_so(self, as_viewer, event, make_event, refused):
        said = refused(ask(as_viewer, event, stations="XX.CCC.00"), 404, "not_found")
        assert "XX.CCC.00 has no record from" in said["detail"]
        later = make_event(
            "quake", starttime=event.starttime.replace(year=2027), endtime=event.endtime.replace(year=2027)
        )
        refused(ask(as_viewer, later), 404, "not_found")

    def test_of_a_station_of_nowhere_is_not_found(self, as_viewer, event, refused):
        assert "no station XX.ZZZ." in refused(ask(as_viewer, event, stations="XX.ZZZ."), 404)["detail"]

    def test_a_file_that_is_gone_is_said_and_the_others_are_shown(self, as_viewer, event, tmp_path, refused):
        (tmp_path / "recordings/AAA.mseed").unlink()
        assert "cannot be found now" in refused(ask(as_viewer, event), 404)["detail"]
        facts = header(ask(as_viewer, event, stations="all").content, "context")
        assert "cannot be found now" in facts["stations"][0]["problems"][0]
        assert facts["stations"][1]["components"] == ["Z"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *(("before_s", value) for value in ("-1", "901", "nan", "inf", "-inf", "1e400", "x", "", "1;2")),
            ("after_s", "900.1"),
            *(("low_hz", value) for value in ("0", "-3", "nan", "1e9", "five")),
            ("high_hz", "0"),
            *(("components", value) for value in ("Z,N", "../", "ZNEZNEZNE", "é")),
            ("stations", "x" * 41),
        ],
    )
    def test_a_value_that_cannot_be_used_is_refused_by_its_name(self, as_viewer, event, refused, name, value):
        assert name in refused(ask(as_viewer, event, **{name: value}), 400)["fields"]

    def test_corners_in_the_wrong_order_and_unknown_parameters_are_refused(self, as_viewer, event, refused):
        said = refused(ask(as_viewer, event, low_hz=10, high_hz=10), 400)
        assert "must lie below high_hz" in said["fields"]["low_hz"][0]
        assert "lowhz" in refused(ask(as_viewer, event, lowhz=1), 400, "unknown_parameter")["fields"]

    @pytest.mark.parametrize("wanted", ["../../etc/passwd", "%00", "\x00", "' OR 1=1 --", "XX.AAA.00/..", "alle"])
    def test_no_words_of_a_request_reach_a_file(self, as_viewer, event, refused, wanted):
        answer = ask(as_viewer, event, stations=wanted)
        assert answer.status_code in {400, 404}
        refused(answer, answer.status_code)

    def test_asks_the_database_a_few_times_for_each_station(self, as_viewer, event, django_assert_max_num_queries):
        with django_assert_max_num_queries(20):
            assert ask(as_viewer, event, stations="all").status_code == 200


class TestSpectrogram:
    def test_is_an_image_with_its_axes_and_range(self, as_viewer, event):
        answer = ask(as_viewer, event, "spectrogram", window_s=1, overlap=0.5, max_hz=20, component="n")
        facts, tensors = header(answer.content, "spectrogram"), load(answer.content)
        assert tensors["image"].shape == (len(tensors["frequencies_hz"]), len(tensors["times_s"]))
        assert tensors["frequencies_hz"][-1] == 20
        assert (facts["component"], facts["unit"]) == ("N", "dB of counts²/Hz")
        assert facts["floor_db"] < facts["peak_db"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("window_s", "0"),
            ("window_s", "61"),
            ("overlap", "0.96"),
            ("overlap", "-1"),
            ("max_hz", "nan"),
            ("component", ""),
        ],
    )
    def test_settings_out_of_bounds_are_refused(self, as_viewer, event, refused, name, value):
        assert name in refused(ask(as_viewer, event, "spectrogram", **{name: value}), 400)["fields"]

    def test_of_a_component_that_was_not_recorded_says_which_there_are(self, as_viewer, event, refused):
        said = refused(ask(as_viewer, event, "spectrogram", component="Q"), 404)
        assert "has components Z, N, E" in said["detail"]

    def test_stays_small_however_long_and_fine(self, as_viewer, event):
        query = {"before_s": 300, "after_s": 290, "window_s": 0.05, "overlap": 0.95}
        answer = as_viewer.get(f"/api/v1/events/{event.pk}/spectrogram/", query, HTTP_ACCEPT_ENCODING="gzip")
        assert len(answer.content) <= 200_000


class TestRecord:
    def test_is_any_time_of_a_station_as_the_context_gives_it(self, as_viewer, event):
        answer = of_site(as_viewer, event, low_hz=5, high_hz=10)
        facts = header(answer.content, "context")
        assert (facts["event_start"], facts["filter"]["low_hz"]) == (None, 5.0)
        assert load(answer.content)["0.waveform"].shape == (3, 6000)

    def test_has_a_spectrogram_of_its_own(self, as_viewer, event):
        answer = of_site(as_viewer, event, "record-spectrogram", component="Z")
        assert header(answer.content, "spectrogram")["station"] == "XX.AAA.00"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("endtime", "2026-03-01T06:01:00Z"),
            ("endtime", "2026-03-01T07:01:01Z"),
            ("starttime", "yesterday"),
            ("starttime", "0001-01-01T00:00:00+14:00"),
            ("endtime", "9999-12-31T23:59:59-14:00"),
            ("starttime", "2026-03-01T06:01:00.0000000000000000000000000Z"),
        ],
    )
    def test_a_time_that_cannot_be_used_is_refused(self, as_viewer, event, refused, name, value):
        assert refused(of_site(as_viewer, event, **{name: value}), 400)["fields"]

    def test_before_there_were_recordings_is_refused_and_where_there_are_none_not_found(
        self, as_viewer, event, refused
    ):
        old = {"starttime": "1800-01-01T00:00:00Z", "endtime": "1800-01-01T00:10:00Z"}
        refused(of_site(as_viewer, event, **old), 400)
        said = refused(of_site(as_viewer, event, starttime="2020-01-01T00:00:00Z", endtime="2020-01-01T00:01:00Z"), 404)
        assert "has no record from 2020-01-01" in said["detail"]

    def test_of_a_station_of_another_site_is_not_found(self, as_viewer, event, refused):
        from labelapp.catalogue.services import create_site

        other = create_site(name="Elsewhere")
        query = {"station": "XX.AAA.00", "starttime": "2026-03-01T06:01:00Z", "endtime": "2026-03-01T06:02:00Z"}
        said = refused(as_viewer.get(f"/api/v1/sites/{other.pk}/record/", query), 404)
        assert "Stations: none" in said["detail"]

    def test_says_when_a_station_recorded(self, as_viewer, event, refused):
        address = f"/api/v1/sites/{event.site_id}/recorded/"
        (span,) = as_viewer.get(address, {"station": "XX.AAA.00"}).json()
        assert span == {"starttime": "2026-03-01T06:00:00.000000Z", "endtime": "2026-03-01T06:09:59.990000Z"}
        assert as_viewer.get(address, {"station": "XX.CCC.00"}).json() == []
        refused(as_viewer.get(address, {"station": "nowhere"}), 404)
        refused(as_viewer.get(address), 400)


class TestNeighbours:
    def test_are_the_five_most_alike_that_are_labelled_now(
        self, as_viewer, make_event, make_prediction, model, explain
    ):
        event, *others = (make_event("quake") for _ in range(9))
        for number, other in enumerate(others):
            explain(make_prediction(other, "quake", model=model), f"panel {number}".encode())
        others[0].label = None
        others[0].save()
        others[1].merged_into = event
        others[1].save()
        pairs = [[other.pk, 0.9 - 0.1 * number] for number, other in enumerate(others)]
        prediction = make_prediction(event, "quake", model=model)
        SimilarEvents.objects.create(prediction=prediction, neighbours=[[event.pk, 1.0], *pairs])
        said = ask(as_viewer, event, "neighbours").json()
        assert said["model"] == {"id": model.pk, "number": model.number, "url": f"/api/v1/models/{model.pk}/"}
        assert [n["id"] for n in said["neighbours"]] == [other.pk for other in others[2:7]]
        first = said["neighbours"][0]
        assert (first["label"], first["station"], first["similarity"]) == ("quake", "XX.AAA.00", pytest.approx(0.7))
        assert first["url"] == f"/api/v1/events/{others[2].pk}/"
        assert as_viewer.get(first["panel"]).content == b"panel 2"

    def test_of_an_event_that_no_model_has_seen_are_none(self, as_viewer, make_event):
        assert ask(as_viewer, make_event("quake"), "neighbours").json() == {"model": None, "neighbours": []}
