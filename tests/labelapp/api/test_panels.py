"""GET /api/v1/events/{id}/panels/ and explanations/{id}/panel/."""

import gzip
import hashlib

import pytest

from labelapp.catalogue.models import Explanation, Station


@pytest.fixture
def explained(make_event, make_prediction, explain, model):
    prediction = make_prediction(make_event("quake"), "rockfall", model=model)
    explain(prediction)
    return prediction


def panels(client, event, **query):
    return client.get(f"/api/v1/events/{event.pk}/panels/", query)


def test_the_panels_of_an_event_are_those_of_its_newest_prediction(
    as_viewer, explained, make_model, make_prediction, explain
):
    newest = make_prediction(explained.event, "noise", model=make_model())
    explain(newest)
    (panel,) = panels(as_viewer, explained.event).json()
    assert panel["prediction"] == newest.pk
    assert panel["model"]["number"] == newest.model.number
    assert panel["targets"] == panel["summary"]["targets"] == ["rockfall", "quake"]
    (older,) = panels(as_viewer, explained.event, prediction=explained.pk).json()
    assert older["prediction"] == explained.pk


def test_a_station_that_was_explained_again_has_only_its_newest_panel(as_viewer, explained, explain):
    explain(explained, b"newer")
    (panel,) = panels(as_viewer, explained.event).json()
    assert panel["sha256"] == hashlib.sha256(b"newer").hexdigest()


@pytest.mark.parametrize("prediction", ["0", "x", "9" * 30, "123456", "%d"])
def test_a_prediction_of_something_else_is_refused(as_viewer, explained, refused, prediction):
    said = refused(panels(as_viewer, explained.event, prediction=prediction), 400, "invalid")
    assert "is no prediction of event" in said["detail"]


def test_an_event_without_a_prediction_has_no_panels(as_viewer, make_event):
    assert panels(as_viewer, make_event("quake")).json() == []


def test_the_bytes_are_those_that_were_stored_under_their_checksum(as_viewer, explained):
    (panel,) = panels(as_viewer, explained.event).json()
    answer = as_viewer.get(panel["url"])
    assert answer["Content-Type"] == "application/octet-stream"
    assert hashlib.sha256(answer.content).hexdigest() == panel["sha256"]
    assert answer["ETag"] == f'"{panel["sha256"]}"'
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"


def test_a_browser_that_takes_gzip_gets_the_same_bytes_smaller(as_viewer, explained):
    (panel,) = panels(as_viewer, explained.event).json()
    answer = as_viewer.get(panel["url"], HTTP_ACCEPT_ENCODING="gzip")
    assert answer["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer["Vary"]
    assert panel["sha256"] in answer["ETag"]
    assert hashlib.sha256(gzip.decompress(answer.content)).hexdigest() == panel["sha256"]


@pytest.mark.parametrize("weak", ["", "W/"])
def test_a_panel_that_the_browser_has_is_not_sent_again(as_viewer, explained, weak):
    (panel,) = panels(as_viewer, explained.event).json()
    answer = as_viewer.get(panel["url"], HTTP_IF_NONE_MATCH=f'{weak}"{panel["sha256"]}"')
    assert (answer.status_code, answer.content) == (304, b"")


def test_a_panel_that_is_not_what_was_stored_is_refused(as_viewer, explained, refused):
    explanation = explained.explanations.get()
    with explanation.panel.storage.open(explanation.panel.name, "wb") as file:
        file.write(b"tampered")
    url = f"/api/v1/explanations/{explanation.pk}/panel/"
    assert "not the one that was stored" in refused(as_viewer.get(url), 409, "refused")["detail"]
    explanation.panel.storage.delete(explanation.panel.name)
    assert "Classify the event again" in refused(as_viewer.get(url), 409, "refused")["detail"]


def test_no_words_of_a_request_reach_the_file_system(as_viewer, explained, refused):
    for name in ("..%2F..%2Fetc%2Fpasswd", "%00", "-1", "9" * 400):
        refused(as_viewer.get(f"/api/v1/explanations/{name}/panel/"), 404, "not_found")


def test_panels_of_many_stations_cost_the_same_few_queries(
    as_viewer, explained, explain, site, django_assert_max_num_queries
):
    for number in range(8):
        explain(explained, at=Station.objects.create(site=site, network="XX", code=f"S{number}"))
    assert Explanation.objects.count() == 9
    with django_assert_max_num_queries(6):
        assert len(panels(as_viewer, explained.event).json()) == 9
