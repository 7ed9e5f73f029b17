"""POST and DELETE /api/v1/token/"""

import pytest
from rest_framework.authtoken.models import Token
from rest_framework.throttling import ScopedRateThrottle

TOKEN = "/api/v1/token/"
PASSWORD = "a long passphrase"


@pytest.fixture(autouse=True)
def quick_password_hashes(settings):
    """What is tested here is not how slow they are."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def three_a_minute(monkeypatch):
    monkeypatch.setattr(ScopedRateThrottle, "THROTTLE_RATES", {"token": "3/min"})


@pytest.fixture
def known(viewer):
    viewer.set_password(PASSWORD)
    viewer.save()
    return viewer


def ask(client, password=PASSWORD, username="a viewer"):
    return client.post(TOKEN, {"username": username, "password": password})


def test_a_token_opens_what_its_owner_may_see(anonymous, known, site):
    token = ask(anonymous).json()["token"]
    anonymous.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert anonymous.get("/api/v1/sites/").json()["count"] == 1
    assert anonymous.post("/api/v1/review-items/next/", {"site": site.pk}).status_code == 403


def test_a_token_needs_no_csrf_token(anonymous, expert, site):
    anonymous.handler.enforce_csrf_checks = True
    anonymous.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=expert).key}")
    assert anonymous.post("/api/v1/review-items/next/", {"site": site.pk}).status_code == 200


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(anonymous, known, refused):
    wrong = refused(ask(anonymous, "wrong"), 400, "invalid")
    assert wrong == refused(ask(anonymous, username="nobody"), 400, "invalid")


def test_an_inactive_user_gets_no_token_and_the_old_one_ends(anonymous, known, refused):
    token = ask(anonymous).json()["token"]
    known.is_active = False
    known.save()
    refused(ask(anonymous), 400, "invalid")
    anonymous.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    refused(anonymous.get("/api/v1/sites/"), 401, "authentication_failed")


@pytest.mark.parametrize("header", ["Token nonsense", "Token", "Token a b", "Token \u00ff", "Token " + "x" * 5000])
def test_a_token_that_is_none_is_refused(anonymous, db, refused, header):
    anonymous.credentials(HTTP_AUTHORIZATION=header)
    refused(anonymous.get("/api/v1/sites/"), 401, "authentication_failed")


def test_a_token_is_given_back(anonymous, known, refused):
    token = ask(anonymous).json()["token"]
    anonymous.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert anonymous.delete(TOKEN).status_code == 204
    refused(anonymous.get("/api/v1/sites/"), 401, "authentication_failed")


def test_only_who_is_signed_in_gives_a_token_back(anonymous, db, refused):
    refused(anonymous.delete(TOKEN), 401, "not_authenticated")
    refused(anonymous.get(TOKEN), 401, "not_authenticated")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "x"},
        {"username": "a\0", "password": "x"},
        {"username": 1, "password": []},
        {"username": "x" * 200, "password": "x"},
    ],
)
def test_a_body_without_name_and_password_is_refused(anonymous, db, refused, body):
    refused(anonymous.post(TOKEN, body), 400, "invalid")


def test_guessing_locks_the_account_also_for_the_right_password(anonymous, known, settings, refused):
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        refused(ask(anonymous, "wrong"), 400, "invalid")
    refused(ask(anonymous, "wrong"), 429, "locked_out")
    assert "quarter of an hour" in refused(ask(anonymous), 429, "locked_out")["detail"]


def test_asking_too_often_is_refused_and_says_how_long_to_wait(anonymous, known, three_a_minute, refused):
    for _ in range(3):
        assert ask(anonymous).status_code == 200
    answer = ask(anonymous)
    refused(answer, 429, "throttled")
    assert int(answer["Retry-After"]) > 0


def test_a_forged_address_does_not_escape_the_limit(anonymous, known, three_a_minute, refused):
    body = {"username": "a viewer", "password": PASSWORD}
    answers = [anonymous.post(TOKEN, body, HTTP_X_FORWARDED_FOR=f"10.0.0.{number}") for number in range(4)]
    refused(answers[-1], 429, "throttled")


def test_the_login_page_says_in_words_that_it_is_locked(client, known, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = client.post("/login/", {"username": "a viewer", "password": "wrong"})
    assert answer.status_code == 429
    assert answer["Content-Type"].startswith("text/")
