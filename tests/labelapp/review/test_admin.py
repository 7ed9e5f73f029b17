"""In the admin, queue and ledger are looked at and nothing more."""

import pytest
from django.urls import reverse

from labelapp.review.models import Relabel

TABLES = ["review_relabel", "review_reviewitem", "catalogue_prediction", "catalogue_explanation", "catalogue_recording"]


@pytest.mark.parametrize("table", TABLES)
def test_not_even_a_superuser_adds_rows(admin_client, table):
    assert admin_client.get(reverse(f"admin:{table}_changelist")).status_code == 200
    assert admin_client.get(reverse(f"admin:{table}_add")).status_code == 403


def test_a_relabel_can_be_seen_and_not_changed_or_deleted(admin_client, ask, decide):
    row = decide(ask(), "rockfall", reason="<script>alert(1)</script>")
    page = admin_client.get(reverse("admin:review_relabel_change", args=[row.pk]))
    assert b"<script>alert(1)" not in page.content
    assert b"&lt;script&gt;alert(1)" in page.content
    for action in ("change", "delete"):
        url = reverse(f"admin:review_relabel_{action}", args=[row.pk])
        assert admin_client.post(url, {"reason": "x", "post": "yes"}).status_code == 403
    listed = reverse("admin:review_relabel_changelist")
    admin_client.post(listed, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert Relabel.objects.get().reason == "<script>alert(1)</script>"


def test_a_manager_sees_the_ledger_and_an_expert_does_not_enter_the_admin(client, manager, expert):
    client.force_login(manager)
    assert client.get(reverse("admin:review_relabel_changelist")).status_code == 200
    client.force_login(expert)
    assert client.get(reverse("admin:review_relabel_changelist")).status_code == 302


def test_a_manager_edits_the_words_of_an_event_and_not_its_label(client, manager, make_event, classes):
    event = make_event("quake")
    client.force_login(manager)
    url = reverse("admin:catalogue_event_change", args=[event.pk])
    facts = {
        "description": "seen by a hiker", "latitude_deg": "46.1", "longitude_deg": "7.1",
        "label": classes["noise"].pk, "catalogue_label": classes["noise"].pk, "event_id": "x",
        "observations-TOTAL_FORMS": 0, "observations-INITIAL_FORMS": 0,
    }  # fmt: skip
    assert client.post(url, facts).status_code == 302
    event.refresh_from_db()
    assert event.description == "seen by a hiker"
    assert (event.label.code, event.catalogue_label.code, event.event_id) == ("quake", "quake", "event 0")
