"""Who may do what: every address, for every role. An address that is not in the table fails the last test."""

import pytest
from django.urls import get_resolver

from tests.labelapp.learning.maps import make_map

READS = [
    "",
    "keymap/",
    "sites/",
    "sites/{site}/",
    "sites/{site}/policy/",
    "events/",
    "events/{event}/",
    "events/{event}/panels/",
    "events/{event}/relabels/",
    "events/{event}/neighbours/",
    "sites/{site}/recorded/?station=XX.AAA.00",
    "explanations/{explanation}/panel/",
    "explanations/{explanation}/waveform-and-stft/",
    "relabels/",
    "relabels/{relabel}/",
    "review-items/",
    "review-items/{item}/",
    "review-items/counts/?site={site}",
    "saved-filters/",
    "models/",
    "models/{model}/",
    "models/{model}/examples/",
    "models/{model}/label-errors.csv",
    "models/{model}/label-errors.json",
    "runs/",
    "runs/{run}/",
    "maps/",
    "maps/{map}/",
    "maps/{map}/points/",
    "maps/{map}/points/{row}/",
    "maps/{map}/classes/",
    "catalogue.csv?site={site}",
    "relabels.csv?site={site}",
    "relabels.jsonl?site={site}",
    "progress.csv?site={site}",
    "agreement.csv?site={site}",
    "comparison.csv?site={site}",
]
SPAN = "station=XX.AAA.00&starttime=2026-03-01T06:00:00Z&endtime=2026-03-01T06:01:00Z"
# The site of these tests recorded nothing: whoever may read is told so.
NOT_RECORDED = [
    "events/{event}/context/",
    "events/{event}/spectrogram/",
    f"sites/{{site}}/record/?{SPAN}",
    f"sites/{{site}}/record-spectrogram/?{SPAN}",
]
# address → (role it needs, body, status that whoever has the role gets)
WRITES = {
    "review-items/next/": ("expert", {"site": "Test slope"}, 200),
    "review-items/{item}/take/": ("expert", {}, 200),
    "review-items/{item}/renew/": ("expert", {}, 200),
    "review-items/{item}/release/": ("expert", {}, 200),
    "review-items/{item}/skip/": ("expert", {}, 200),
    "review-items/{item}/decide/": ("expert", {"event_class": "quake", "prediction": "{prediction}"}, 201),
    # The manager has decided nothing that could be taken back.
    "review-items/undo/": ("expert", {"site": "Test slope"}, {"expert": 200, "manager": 409}),
    "events/{event}/review/": ("expert", {}, 200),
    # What is missing in the bodies below is said to whoever has the role.
    "events/": ("expert", {}, 400),
    "events/{event}/boundaries/": ("expert", {}, 400),
    "events/{event}/split/": ("expert", {}, 400),
    "events/merge/": ("expert", {}, 400),
    "events/relabel/": ("expert", {}, 400),
    "events/relabel/00000000-0000-4000-8000-000000000000/undo/": ("expert", {}, 404),
    "saved-filters/": ("expert", {}, 400),
    "maps/{map}/review/": ("expert", {}, 400),
    "events/{event}/gold/": ("manager", {}, 201),
    "models/{model}/promote/": ("manager", {}, 200),
    "runs/": ("manager", {"site": "Test slope", "kind": "train"}, 201),
    "runs/{run}/cancel/": ("manager", {}, 200),
    "runs/{run}/resume/": ("manager", {}, 409),
}
RANKS = ["anonymous", "roleless", "viewer", "expert", "manager"]


@pytest.fixture
def roleless(django_user_model):
    return django_user_model.objects.create_user(username="a stranger")


@pytest.fixture
def as_roleless(roleless):
    from tests.labelapp.api.conftest import signed_in

    return signed_in(roleless)


@pytest.fixture
def ids(site, ask, decide, model, run):
    decided = decide(ask(), "rockfall")
    item = ask()
    return {
        "site": site.pk,
        "event": item.event_id,
        "explanation": item.prediction.explanations.get().pk,
        "relabel": decided.pk,
        "item": item.pk,
        "prediction": item.prediction_id,
        "model": model.pk,
        "run": run.pk,
        "map": make_map(site, model, points=1).pk,
        "row": 0,
    }


@pytest.fixture(params=RANKS)
def role(request):
    return request.param


@pytest.fixture
def client_of(role, request):
    return request.getfixturevalue(role if role == "anonymous" else f"as_{role}")


def outcome(role, needed, status):
    if role == "anonymous":
        return 401
    status = status.get(role) if isinstance(status, dict) else status
    return status if RANKS.index(role) >= RANKS.index(needed) else 403


def test_reading_needs_the_role_of_a_viewer(client_of, role, ids):
    for address in READS:
        answer = client_of.get(f"/api/v1/{address.format(**ids)}")
        assert answer.status_code == outcome(role, "viewer", 200), (address, answer.content)


def test_reading_records_needs_the_role_of_a_viewer(client_of, role, ids):
    for address in NOT_RECORDED:
        answer = client_of.get(f"/api/v1/{address.format(**ids)}")
        assert answer.status_code == outcome(role, "viewer", 404), (address, answer.content)


@pytest.mark.parametrize("address", WRITES)
def test_writing_needs_the_role_of_the_address(client_of, role, ids, refused, address):
    needed, body, status = WRITES[address]
    body = {name: ids["prediction"] if value == "{prediction}" else value for name, value in body.items()}
    answer = client_of.post(f"/api/v1/{address.format(**ids)}", body)
    assert answer.status_code == outcome(role, needed, status), answer.content
    if answer.status_code in {401, 403}:
        refused(answer, answer.status_code)


def test_changing_how_a_site_is_reviewed_needs_a_manager(client_of, role, ids):
    answer = client_of.patch(f"/api/v1/sites/{ids['site']}/policy/", {"blind": True}, format="json")
    assert answer.status_code == outcome(role, "manager", 200), answer.content


def test_taking_a_gold_check_away_needs_a_manager(client_of, role, ids):
    answer = client_of.delete(f"/api/v1/events/{ids['event']}/gold/")
    assert answer.status_code == outcome(role, "manager", 409), answer.content


def test_removing_a_saved_filter_needs_an_expert(client_of, role, ids):
    answer = client_of.delete("/api/v1/saved-filters/1/")
    assert answer.status_code == outcome(role, "expert", 404), answer.content


def test_who_lacks_the_role_is_told_which(as_viewer, site, refused):
    said = refused(as_viewer.post("/api/v1/review-items/next/", {"site": site.pk}), 403, "permission_denied")
    assert "no expert" in said["detail"]
    assert "Ask whoever runs this server" in said["detail"]


@pytest.mark.parametrize("address", ["/api/schema/", "/api/nowhere/", "/api/v1/nowhere"])
def test_strangers_learn_nothing_of_the_addresses(anonymous, db, refused, address):
    answer = anonymous.get(address)
    refused(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Token"


def test_every_address_stands_in_a_table_above():
    import re

    def plain(pattern):
        named = r"\(\?P<pk>[^)]*\)|\(\?P<row>[^)]*\)|\(\?P<batch>.*\{12\}\)|<int:id>"
        return re.sub(named, "{}", str(pattern)).strip("^$").replace("\\Z", "")

    api = next(p for p in get_resolver().url_patterns if str(p.pattern) == "api/")
    version_1 = next(p for p in api.url_patterns if str(p.pattern) == "v1/")
    given = r"\{\w+\}|[0-9a-f-]{36}"
    stated = {re.sub(given, "{}", address.split("?")[0]) for address in [*READS, *NOT_RECORDED, *WRITES]}
    assert {plain(p.pattern) for p in version_1.url_patterns} - stated == {"token/", "saved-filters/{}/"}
