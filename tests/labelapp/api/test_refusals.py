"""Whatever is asked wrongly is refused as JSON that says what to do."""

import json

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from labelapp.review import services

ROWS = ["sites", "events", "relabels", "review-items", "models", "runs"]
IMPOSSIBLE_IDS = ["0", "-1", "x", "1.5", "1e3", "9" * 19, "9" * 30, "9" * 5000, "%00", "%F0%9F%A6%86", "..%2F", "١"]


@pytest.mark.parametrize("rows", ROWS)
def test_an_id_that_no_row_has_is_not_found(as_viewer, db, refused, rows):
    for pk in IMPOSSIBLE_IDS:
        assert "There is no" in refused(as_viewer.get(f"/api/v1/{rows}/{pk}/"), 404, "not_found")["detail"]


@pytest.mark.parametrize(
    "address",
    ["events/{}/panels/", "events/{}/relabels/", "explanations/{}/panel/"],
)
def test_nothing_hangs_on_a_row_that_does_not_exist(as_viewer, db, refused, address):
    for pk in IMPOSSIBLE_IDS:
        refused(as_viewer.get("/api/v1/" + address.format(pk)), 404, "not_found")


@pytest.mark.parametrize(
    "address",
    [
        "review-items/{}/decide/",
        "review-items/{}/take/",
        "review-items/{}/renew/",
        "review-items/{}/release/",
        "review-items/{}/skip/",
        "events/{}/review/",
        "models/{}/promote/",
        "runs/{}/cancel/",
        "runs/{}/resume/",
    ],
)
def test_nothing_is_done_to_a_row_that_does_not_exist(as_manager, db, refused, address):
    for pk in IMPOSSIBLE_IDS:
        refused(as_manager.post("/api/v1/" + address.format(pk), {"event_class": "quake"}), 404, "not_found")


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_an_address_that_does_not_exist_names_the_list_of_those_that_do(as_viewer, db, refused, method):
    said = refused(getattr(as_viewer, method)("/api/v1/nothing/"), 404, "not_found")
    assert "GET /api/v1/" in said["detail"]


def test_a_forgotten_slash_is_pointed_out(as_viewer, db, refused):
    assert "Did you mean /api/v1/events/ " in refused(as_viewer.get("/api/v1/events"), 404, "not_found")["detail"]
    assert "Did you mean" not in refused(as_viewer.get("/api/v1/evens"), 404, "not_found")["detail"]


@pytest.mark.parametrize("method", ["put", "patch", "delete", "post", "options"])
def test_a_method_that_an_address_does_not_have_is_refused(as_manager, db, refused, method):
    refused(getattr(as_manager, method)("/api/v1/relabels/"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "JSON parse error"),
        (b"", "required"),
        (b"null", "No data"),
        (b"NaN", "JSON parse error"),
        (b'{"site": NaN}', "JSON parse error"),
        (b'{"site": Infinity}', "JSON parse error"),
        (b'{"site": 1e400}', "id or name"),
        (b"\xff\xfe", "JSON parse error"),
        (b'{"site": ' + b"9" * 5000 + b"}", "JSON parse error"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"site": "\\ud800"}', "urrogate"),
        (b'{"\\ud800": 1}', "Unknown"),
        (b'{"\\u0000": 1}', "Unknown"),
    ],
    ids=lambda value: str(value[:20]),
)
def test_a_body_that_is_no_usable_json_is_refused(as_expert, db, refused, body, words):
    answer = as_expert.post("/api/v1/review-items/next/", body, content_type="application/json")
    assert words in refused(answer, 400)["detail"]


@pytest.mark.parametrize("charset", ["bz2_codec", "klingon", "rot13"])
def test_a_charset_that_is_none_is_refused(as_expert, db, refused, charset):
    refused(
        as_expert.post("/api/v1/review-items/next/", b"{}", content_type=f"application/json; charset={charset}"), 400
    )


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense"]
)
def test_a_body_that_is_no_json_is_refused(as_expert, db, refused, content_type):
    answer = as_expert.post("/api/v1/review-items/next/", b"site=1", content_type=content_type)
    refused(answer, 415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_refused(as_expert, db, refused, settings):
    body = json.dumps({"site": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE}).encode()
    refused(as_expert.post("/api/v1/review-items/next/", body, content_type="application/json"), 413, "too_large")


def test_a_large_form_is_refused_before_it_is_read(expert, db, refused, settings):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(expert)
    client.get("/")
    body = b"site=" + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    answer = client.post("/api/v1/review-items/next/", body, content_type="application/x-www-form-urlencoded")
    refused(answer, 415, "unsupported_media_type")


def test_thousands_of_parameters_are_refused(as_viewer, db, refused):
    refused(as_viewer.get("/api/v1/events/?" + "label=quake&" * 1001), 400, "parse_error")


def test_a_format_that_the_api_does_not_speak_is_refused(as_viewer, db, refused):
    refused(as_viewer.get("/api/v1/events/", HTTP_ACCEPT="image/png"), 406, "not_acceptable")


def test_a_parameter_where_none_is_read_is_refused(as_viewer, make_event, refused):
    said = refused(as_viewer.get(f"/api/v1/events/{make_event().pk}/?format=xml"), 400, "unknown_parameter")
    assert said["fields"] == {"format": ["Unknown. Allowed here: none."]}


def test_a_database_that_does_not_answer_is_said(as_expert, site, refused, monkeypatch):
    def locked(**_):
        raise OperationalError("database is locked")

    monkeypatch.setattr(services, "next_item", locked)
    refused(as_expert.post("/api/v1/review-items/next/", {"site": site.pk}), 503, "unavailable")


def test_a_session_needs_the_csrf_token_to_write(expert, site, refused):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(expert)
    body = {"site": site.pk}
    assert "X-CSRFToken" in refused(client.post("/api/v1/review-items/next/", body), 403, "csrf_failed")["detail"]
    client.get("/")
    token = client.cookies["csrftoken"].value
    assert client.post("/api/v1/review-items/next/", body, HTTP_X_CSRFTOKEN=token).status_code == 200
    refused(client.post("/api/v1/review-items/next/", body, HTTP_X_CSRFTOKEN="x" * 32), 403, "csrf_failed")
