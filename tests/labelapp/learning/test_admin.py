"""Managers retrain, promote, cancel and resume in the admin, and see where to watch."""

import pytest
from django.urls import reverse

from labelapp.learning.models import Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def act(client):
    """act("site", site, "retrain", user) chooses an action for a row, and returns the page that follows."""

    def do(kind, row, action, user):
        client.force_login(user)
        room = "learning" if kind == "run" else "catalogue"
        data = {"action": action, "_selected_action": [row.pk]}
        return client.post(reverse(f"admin:{room}_{kind}_changelist"), data, follow=True)

    return do


def test_retrain_starts_a_run_that_also_classifies_and_links_to_its_page(act, site, make_event, manager):
    make_event("quake")
    page = act("site", site, "retrain", manager).content.decode()
    run = Run.objects.get()
    assert (run.kind, run.parameters, run.asked_by) == ("train", {"then_classify": True}, manager)
    assert f'<a href="/runs/{run.pk}/">watch its progress</a>' in page


def test_a_retrain_that_cannot_work_says_why(act, site, manager):
    assert "no labelled event" in act("site", site, "retrain", manager).content.decode()
    assert not Run.objects.exists()


def test_only_managers_have_the_actions(act, site, make_event, expert):
    make_event("quake")
    expert.is_staff = True
    expert.save()
    act("site", site, "retrain", expert)
    assert not Run.objects.exists()


def test_a_model_without_figures_on_unseen_events_is_not_promoted(act, site, make_model, manager):
    model = make_model()
    assert "never tested" in act("modelversion", model, "promote", manager).content.decode()
    model.metrics = {"confusion_matrix": [[3, 1], [0, 4]], "macro_f1": 0.87}
    model.save()
    assert "is the active model now" in act("modelversion", model, "promote", manager).content.decode()
    site.refresh_from_db()
    assert site.active_model == model


def test_runs_are_cancelled_and_resumed_and_never_edited(act, client, site, manager):
    run = Run.objects.create(site=site, kind="train")
    assert "was asked to stop" in act("run", run, "cancel", manager).content.decode()
    assert "is queued" in act("run", run, "resume", manager).content.decode()
    run.refresh_from_db()
    assert run.state == "queued"
    page = client.get(reverse("admin:learning_run_change", args=[run.pk])).content.decode()
    assert '<input type="submit"' not in page
    assert client.post(reverse("admin:learning_run_change", args=[run.pk]), {"state": "done"}).status_code == 403


def test_the_sites_description_may_be_changed_and_nothing_else(client, site, manager):
    client.force_login(manager)
    address = reverse("admin:catalogue_site_change", args=[site.pk])
    client.post(address, {"description": "A clay slope.", "name": "Another", "synthetic": "on"})
    site.refresh_from_db()
    assert (site.description, site.name, site.synthetic) == ("A clay slope.", "Test slope", False)
