"""GET /api/v1/models/ and {id}/promote/."""

MODELS = "/api/v1/models/"


def test_a_model_comes_with_its_figures(as_viewer, model):
    (row,) = as_viewer.get(MODELS).json()["results"]
    assert (row["number"], row["active"], row["metrics"]) == (1, False, {"confusion_matrix": [[3, 1], [0, 4]]})
    assert row["classes"] == ["earthquake", "quake", "rockfall", "noise"]
    assert as_viewer.get(row["url"]).json() == row


def test_a_manager_promotes_a_model_that_was_tested(as_manager, model, site):
    row = as_manager.post(f"{MODELS}{model.pk}/promote/").json()
    assert (row["active"], row["promoted_by"]) == (True, "a manager")
    site.refresh_from_db()
    assert site.active_model == model


def test_a_model_that_was_never_tested_is_not_promoted(as_manager, make_model, site, refused):
    untested = make_model()
    assert "never tested" in refused(as_manager.post(f"{MODELS}{untested.pk}/promote/"), 409, "refused")["detail"]
    site.refresh_from_db()
    assert site.active_model is None


def test_the_active_model_is_found(as_manager, model, make_model):
    other = make_model()
    as_manager.post(f"{MODELS}{model.pk}/promote/")
    assert [m["id"] for m in as_manager.get(MODELS, {"active": "true"}).json()["results"]] == [model.pk]
    assert [m["id"] for m in as_manager.get(MODELS, {"active": "false"}).json()["results"]] == [other.pk]
    in_order = as_manager.get(MODELS, {"site": "Test slope", "ordering": "-number"}).json()["results"]
    assert [m["number"] for m in in_order] == [2, 1]


def test_models_of_a_site_without_an_active_one_are_all_inactive(as_viewer, model):
    assert as_viewer.get(MODELS, {"active": "true"}).json()["count"] == 0
    assert as_viewer.get(MODELS, {"active": "false"}).json()["count"] == 1


def test_a_list_of_models_costs_the_same_few_queries(as_viewer, make_model, django_assert_max_num_queries):
    for _ in range(5):
        make_model()
    with django_assert_max_num_queries(5):
        assert as_viewer.get(MODELS).json()["count"] == 5


def test_an_encoder_is_told_apart_and_never_promoted(as_manager, make_model, site, refused):
    pool = {"windows": 2000, "stations": {"XX.AAA.00": 2000}, "events": 3}
    encoder = make_model(kind="encoder", classes=[], pool=pool)
    classifier = make_model(started_from=encoder, metrics={"confusion_matrix": [[3, 1], [0, 4]]})
    (row,) = as_manager.get(MODELS, {"kind": "encoder"}).json()["results"]
    assert (row["id"], row["kind"], row["pool"], row["started_from"]) == (encoder.pk, "encoder", pool, None)
    (row,) = as_manager.get(MODELS, {"kind": "classifier"}).json()["results"]
    assert (row["id"], row["kind"], row["pool"], row["started_from"]) == (classifier.pk, "classifier", {}, encoder.pk)
    said = refused(as_manager.post(f"{MODELS}{encoder.pk}/promote/"), 409, "refused")["detail"]
    assert said.startswith("model 1 of Test slope is a pretrained encoder, which knows no classes.")
    site.refresh_from_db()
    assert site.active_model is None
    assert as_manager.get(MODELS, {"kind": "network"}).status_code == 400
