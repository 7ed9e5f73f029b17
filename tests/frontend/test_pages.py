"""Every page renders for whoever may see it, says what to do where nothing is there, and escapes what it shows."""

import pytest
from django.urls import reverse

from labelapp.catalogue.models import TrainingExample
from labelapp.learning.models import Run
from labelapp.review.models import ReviewItem
from labelapp.review.services import decide

HOSTILE = "<script>alert('x')</script>\"'&\u202eكمين"


@pytest.fixture
def furnished(site, classes, make_event, make_model, make_prediction, expert):
    """A site with something on each of its pages."""
    metrics = {
        "classes": ["quake", "rockfall"],
        "confusion_matrix": [[8, 2], [1, 9]],
        "per_class": {c: {"precision": 0.8, "recall": 0.9, "f1": 0.85, "support": 10} for c in ("quake", "rockfall")},
        "macro_f1": 0.85,
        "balanced_accuracy": 0.85,
        "accuracy": 0.85,
        "undefined": ["recall of noise: no event is labelled so"],
    }
    model, event, decided = make_model(metrics=metrics), make_event("quake"), make_event("quake")
    site.active_model = model
    site.save()
    for row in (event, decided):
        prediction = make_prediction(row, "rockfall", model=model)
        item = ReviewItem.objects.create(site=site, event=row, prediction=prediction, reason="disagreement")
    decide(item=item, expert=expert, event_class=classes["rockfall"], reason="impacts", prediction=prediction)
    TrainingExample.objects.create(model=model, event=event, event_class=classes["quake"], split="test")
    run = Run.objects.create(
        site=site, kind="train", state="running", progress=0.25, stage="epoch 3 of 12", log="loss 1.2\n"
    )
    return {"model": model, "event": event, "decided": decided, "run": run}


SITE_PAGES = ("queue", "review", "events", "models", "runs", "progress", "matrices", "agreement", "site_map")


def addresses(site, furnished=None):
    own = [reverse(name, args=[site.pk]) for name in SITE_PAGES]
    if furnished:
        own += [reverse(name, args=[furnished[name].pk]) for name in ("event", "model", "run")]
        own.append(reverse("event", args=[furnished["decided"].pk]))
    return [reverse("sites"), *own]


@pytest.mark.parametrize("role", ["viewer", "expert", "manager"])
def test_every_page_renders_for_every_role(client, role, request, site, furnished):
    client.force_login(request.getfixturevalue(role))
    for address in addresses(site, furnished):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "UTC" in answer.text, address
        assert site.name in answer.text, address


def test_every_page_renders_for_an_empty_site(client, manager, site):
    client.force_login(manager)
    assert all(client.get(address).status_code == 200 for address in addresses(site))


def test_empty_pages_say_which_command_fills_them(client, manager, site):
    client.force_login(manager)
    expected = {
        "queue": "manage.py train",
        "events": "manage.py import_catalogue",
        "models": "manage.py train",
        "runs": "train",
    }
    for name, command in expected.items():
        assert command in client.get(reverse(name, args=[site.pk])).text


def test_without_any_site_the_first_page_names_the_demo(client, viewer):
    client.force_login(viewer)
    assert "manage.py demo" in client.get("/").text


def test_without_login_every_page_leads_to_the_login(client, site, furnished):
    for address in addresses(site, furnished):
        answer = client.get(address)
        assert answer.status_code == 302
        assert answer.url.startswith("/login/")


def test_the_login_page_is_the_only_page_without_login(client, db):
    answer = client.get("/login/")
    assert answer.status_code == 200
    assert "Password" in answer.text


def test_healthz_answers_without_login(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_an_account_without_a_role_is_told_whom_to_ask(client, django_user_model, site):
    client.force_login(django_user_model.objects.create_user("newcomer"))
    answer = client.get(reverse("queue", args=[site.pk]))
    assert answer.status_code == 403
    assert "Ask whoever runs this server" in answer.text


def test_what_is_not_there_is_a_page_too(client, viewer):
    client.force_login(viewer)
    for address in ("/sites/77/queue/", "/events/77/", "/models/77/", "/runs/77/", "/nowhere/"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "nothing at this address" in answer.text


def test_a_viewer_finds_no_way_to_decide_or_to_start_work(client, viewer, site, furnished):
    client.force_login(viewer)
    assert "review.js" not in client.get(reverse("review", args=[site.pk])).text
    for name in ("runs", "models"):
        assert "data-post" not in client.get(reverse(name, args=[site.pk])).text
    assert "data-post" not in client.get(reverse("run", args=[furnished["run"].pk])).text


def test_a_synthetic_site_says_so_on_each_of_its_pages(client, viewer, site, furnished):
    site.synthetic = True
    site.save()
    client.force_login(viewer)
    for address in addresses(site, furnished)[1:]:
        assert "Synthetic site." in client.get(address).text, address
    assert "synthetic</span>" in client.get("/").text


def test_hostile_names_are_text_on_every_page(client, manager, site, classes, furnished):
    event, model = furnished["event"], furnished["model"]
    type(site).objects.update(name=HOSTILE, description=HOSTILE)
    type(event).objects.filter(pk=event.pk).update(event_id=HOSTILE, description=HOSTILE, source=HOSTILE)
    type(classes["quake"]).objects.filter(code="quake").update(name=HOSTILE)
    Run.objects.update(
        log=HOSTILE, error=HOSTILE, stage=HOSTILE, figures={HOSTILE: HOSTILE}, parameters={HOSTILE: HOSTILE}
    )
    type(model).objects.update(trained_on=HOSTILE, recipe={HOSTILE: HOSTILE})
    client.force_login(manager)
    for address in addresses(site, furnished):
        text = client.get(address).text
        assert "<script>alert" not in text, address
        assert "alert(" in text, address


def test_the_event_page_shows_its_history(client, viewer, furnished):
    client.force_login(viewer)
    text = client.get(reverse("event", args=[furnished["decided"].pk])).text
    row = furnished["decided"].relabels.get()
    assert f'id="relabel-{row.sequence}"' in text
    assert "impacts" in text
    assert row.hash in text


def test_times_are_iso_8601_with_microseconds_and_z(client, viewer, make_event):
    event = make_event()
    client.force_login(viewer)
    text = client.get(reverse("event", args=[event.pk])).text
    assert f'datetime="{event.starttime:%Y-%m-%dT%H:%M:%S.%f}Z"' in text


class TestTheCatalogueList:
    @pytest.fixture
    def listed(self, client, viewer, site, furnished):
        """listed("label=quake") → the ids of the events in the list"""
        client.force_login(viewer)

        def ask(query=""):
            answer = client.get(reverse("events", args=[site.pk]) + "?" + query)
            return [row["event"].event_id for row in answer.context["rows"]]

        return ask

    def test_filters_by_label(self, listed):
        assert listed("label=quake") == ["event 0"]

    def test_filters_by_prediction(self, listed):
        assert listed("predicted=rockfall") == ["event 0", "event 1"]
        assert listed("predicted=quake") == []

    def test_filters_by_status(self, listed, make_event):
        make_event(None)
        assert listed("status=waiting") == ["event 0"]
        assert listed("status=reviewed") == ["event 1"]
        assert listed("status=changed") == ["event 1"]
        assert listed("status=unlabelled") == ["event 2"]

    def test_filters_by_station(self, listed, site, station, make_event):
        other = site.stations.create(network="XX", code="BBB", location="")
        make_event().observations.update(station=other)
        assert listed(f"station={station.seed_id}") == ["event 0", "event 1"]
        assert listed(f"station={other.seed_id}") == ["event 2"]

    def test_filters_by_time_in_utc(self, listed):
        assert listed("starttime_after=2026-03-01T06:01") == ["event 1"]
        assert listed("starttime_before=2026-03-01T06:01:00Z") == ["event 0"]

    def test_a_value_that_does_not_fit_is_said_and_narrows_nothing(self, client, site, listed):
        assert len(listed("label=nonsense&starttime_after=yesterday")) == 2
        text = client.get(reverse("events", args=[site.pk]) + "?starttime_after=yesterday").text
        assert "Write the time as" in text

    def test_is_cut_into_pages_that_keep_the_filters(self, client, site, listed, make_event):
        for _ in range(120):
            make_event("noise")
        answer = client.get(reverse("events", args=[site.pk]) + "?label=noise")
        assert len(answer.context["rows"]) == 100
        assert "?label=noise&amp;page=2" in answer.text
        assert len(listed("label=noise&page=2")) == 20
