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
    event, other = make_event("quake"), make_event("quake")
    client.force_login(manager)
    url = reverse("admin:catalogue_event_change", args=[event.pk])
    facts = {
        "description": "seen by a hiker", "latitude_deg": "46.1", "longitude_deg": "7.1",
        "label": classes["noise"].pk, "catalogue_label": classes["noise"].pk, "event_id": "x",
        "merged_into": other.pk, "observations-TOTAL_FORMS": 0, "observations-INITIAL_FORMS": 0,
    }  # fmt: skip
    assert client.post(url, facts).status_code == 302
    event.refresh_from_db()
    assert event.description == "seen by a hiker"
    assert (event.label.code, event.catalogue_label.code, event.event_id) == ("quake", "quake", "event 0")
    assert event.merged_into is None


POLICY = {
    "reasons": "w waveform shape\n\n s  seen by a camera \n",
    "filter_presets": "1 10\n0.5 4.5",
    "second_opinion_share": "0.25",
    "gold_share": "0",
    "postpone_s": "60",
    "lease_s": "",
}


@pytest.fixture
def as_manager(client, manager):
    client.force_login(manager)
    return client


def test_a_manager_edits_how_a_site_is_reviewed_line_by_line(as_manager, site, classes):
    chosen = {"site": site.pk, "blind": "on", "second_opinion_classes": [classes["rockfall"].pk]}
    url = reverse("admin:review_reviewpolicy_add")
    assert as_manager.post(url, {**POLICY, **chosen}).status_code == 302
    policy = site.review_policy
    assert policy.reasons == [{"key": "w", "text": "waveform shape"}, {"key": "s", "text": "seen by a camera"}]
    assert policy.filter_presets == [{"low_hz": 1.0, "high_hz": 10.0}, {"low_hz": 0.5, "high_hz": 4.5}]
    assert (policy.blind, policy.lease_s, policy.postpone_s) == (True, None, 60)
    assert [c.code for c in policy.second_opinion_classes.all()] == ["rockfall"]
    page = as_manager.get(reverse("admin:review_reviewpolicy_change", args=[policy.pk])).content.decode()
    assert "w waveform shape\ns seen by a camera</textarea>" in page
    assert "1 10\n0.5 4.5</textarea>" in page
    assert page.count("Test slope: ") == 0
    assert as_manager.get(url).content.decode().count("Test slope: ") == len(classes)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"reasons": ""}, "This field is required"),
        ({"reasons": "waveform shape"}, "Use one letter from a to z"),
        ({"reasons": "w one\nw two"}, "stands more than once"),
        ({"reasons": "w"}, "the text of w is missing"),
        ({"filter_presets": "ten"}, "Write two numbers"),
        ({"filter_presets": "10 1"}, "The low end comes first"),
        ({"gold_share": "2"}, "less than or equal to 1"),
        ({"lease_s": "1"}, "greater than or equal to 10"),
    ],
)
def test_what_cannot_be_a_policy_is_said_beside_its_field(as_manager, site, facts, words):
    page = as_manager.post(reverse("admin:review_reviewpolicy_add"), {**POLICY, "site": site.pk, **facts})
    assert page.status_code == 200
    assert words in page.content.decode()
    assert not hasattr(site, "review_policy")


def test_classes_of_another_site_are_refused_for_policies_and_gold(as_manager, site, make_event):
    from labelapp.catalogue.services import create_site

    other = create_site(name="Another slope").classes.first()
    chosen = {"site": site.pk, "second_opinion_classes": [other.pk]}
    page = as_manager.post(reverse("admin:review_reviewpolicy_add"), {**POLICY, **chosen})
    assert "no class of Test slope" in page.content.decode()
    event = make_event("quake")
    page = as_manager.post(reverse("admin:review_goldevent_add"), {"event": event.pk, "event_class": other.pk})
    assert "is no class of Test slope" in page.content.decode()


def test_a_manager_names_gold_events_and_takes_them_away(as_manager, manager, make_event, classes):
    from labelapp.review.models import GoldEvent

    event = make_event("quake")
    facts = {"event": event.pk, "event_class": classes["quake"].pk, "note": "two guides saw it"}
    assert as_manager.post(reverse("admin:review_goldevent_add"), facts).status_code == 302
    gold = GoldEvent.objects.get()
    assert (gold.set_by, gold.note) == (manager, "two guides saw it")
    url = reverse("admin:review_goldevent_change", args=[gold.pk])
    assert as_manager.post(url, {"event_class": classes["noise"].pk, "note": ""}).status_code == 302
    assert GoldEvent.objects.get().event_class == classes["noise"]
    chosen = {"action": "delete_selected", "_selected_action": [gold.pk], "post": "yes"}
    as_manager.post(reverse("admin:review_goldevent_changelist"), chosen)
    assert not GoldEvent.objects.exists()


def test_an_expert_changes_no_policy_and_names_no_gold(client, expert):
    client.force_login(expert)
    for table in ("review_reviewpolicy", "review_goldevent"):
        assert client.get(reverse(f"admin:{table}_add")).status_code == 302
