"""GET /api/v1/models/{id}/examples/, label-errors.csv, label-errors.json; and what an item says of where it stands."""

import csv
import io
import json

import pytest

from labelapp.catalogue.services import create_site
from labelapp.review.services import fill_queue

ITEMS = "/api/v1/review-items/"


@pytest.fixture
def learned(model, classes, make_event):
    """Four events that a model learned from or was tested on; {event id: example}"""
    rows = [
        ("sure", "quake", "quake", 0.9, 0.05, "train"),
        ("suspicious", "quake", "rockfall", 0.91, 0.97, "train"),
        ("perhaps", "noise", "quake", 0.5, 0.6, "validation"),
        ("held out", "quake", None, None, None, "test"),
    ]
    made = {}
    for name, label, predicted, probability, suspicion, split in rows:
        rest = dict.fromkeys(classes, (1 - (probability or 0)) / 3)
        made[name] = model.examples.create(
            event=make_event(label, event_id=name),
            event_class=classes[label],
            split=split,
            out_of_fold={**rest, predicted: probability} if predicted else None,
            suspicion=suspicion,
        )
    return made


@pytest.fixture
def address(model):
    return f"/api/v1/models/{model.pk}"


def names(rows):
    return [row["event_id"] for row in rows]


def lines(answer):
    assert answer.status_code == 200, answer.content
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_the_most_suspicious_label_comes_first_with_what_the_folds_say(as_viewer, learned, address):
    rows = as_viewer.get(f"{address}/examples/").json()["results"]
    assert names(rows) == ["suspicious", "perhaps", "sure", "held out"]
    first = {name: rows[0][name] for name in ("label", "label_now", "predicted", "probability", "suspicion", "split")}
    assert first == {
        "label": "quake", "label_now": "quake", "predicted": "rockfall", "probability": 0.91, "suspicion": 0.97,
        "split": "train",
    }  # fmt: skip
    assert sum(rows[0]["out_of_fold"].values()) == pytest.approx(1)
    assert (rows[3]["predicted"], rows[3]["suspicion"], rows[3]["out_of_fold"]) == (None, None, None)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"split": "train"}, ["suspicious", "sure"]),
        ({"label": "noise"}, ["perhaps"]),
        ({"suspicion_min": "0.6"}, ["suspicious", "perhaps"]),
        ({"changed": "true"}, ["sure"]),
        ({"changed": "false", "split": "train"}, ["suspicious"]),
        ({"label_now": "rockfall"}, ["sure"]),
        ({"ordering": "starttime"}, ["sure", "suspicious", "perhaps", "held out"]),
    ],
)
def test_examples_are_narrowed_and_ordered(as_viewer, learned, classes, address, filters, expected):
    event = learned["sure"].event
    type(event).objects.filter(pk=event.pk).update(label=classes["rockfall"])
    assert names(as_viewer.get(f"{address}/examples/", filters).json()["results"]) == expected


@pytest.mark.parametrize("of", ["examples/", "label-errors.csv", "label-errors.json"])
@pytest.mark.parametrize(
    ("filters", "words"),
    [({"event_class": "quake"}, "Allowed here"), ({"split": "all"}, "is not one of"), ({"suspicion_min": "2"}, "1")],
)
def test_a_filter_that_is_none_is_refused(as_viewer, learned, refused, address, of, filters, words):
    assert words in json.dumps(refused(as_viewer.get(f"{address}/{of}", filters), 400))


def test_examples_come_in_pages_with_as_many_queries_as_one(as_viewer, learned, address, django_assert_max_num_queries):
    with django_assert_max_num_queries(6):
        page = as_viewer.get(f"{address}/examples/", {"page_size": 1}).json()
    assert (page["count"], len(page["results"])) == (4, 1)


def test_the_export_has_every_suspected_label_the_most_suspicious_first(as_viewer, learned, address):
    answer = as_viewer.get(f"{address}/label-errors.csv")
    assert answer["Content-Disposition"] == 'attachment; filename="test-slope-model-1-label-errors.csv"'
    rows = lines(answer)
    assert names(rows) == ["suspicious", "perhaps", "sure"]
    assert rows[0] == {
        "event_id": "suspicious", "label": "quake", "predicted": "rockfall", "probability": "0.91",
        "suspicion": "0.97", "label_now": "quake", "split": "train",
    }  # fmt: skip


def test_the_export_as_json_says_the_same(as_viewer, learned, address):
    answer = as_viewer.get(f"{address}/label-errors.json")
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    rows = json.loads(b"".join(answer.streaming_content))
    assert names(rows) == ["suspicious", "perhaps", "sure"]
    as_text = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert as_text == lines(as_viewer.get(f"{address}/label-errors.csv"))


def test_the_export_of_a_model_that_suspects_nothing_is_empty(as_viewer, address):
    assert lines(as_viewer.get(f"{address}/label-errors.csv")) == []
    assert json.loads(b"".join(as_viewer.get(f"{address}/label-errors.json").streaming_content)) == []


def test_the_export_is_narrowed_by_the_examples_filters(as_viewer, learned, address):
    assert names(lines(as_viewer.get(f"{address}/label-errors.csv", {"split": "validation"}))) == ["perhaps"]


def test_a_formula_in_an_events_name_is_disarmed(as_viewer, learned, address):
    event = learned["sure"].event
    type(event).objects.filter(pk=event.pk).update(event_id="=1+1")
    assert "'=1+1" in names(lines(as_viewer.get(f"{address}/label-errors.csv")))


@pytest.mark.parametrize("of", ["examples/", "label-errors.csv", "label-errors.json"])
def test_a_model_that_is_not_there_is_not_found(as_viewer, db, refused, of):
    assert "no model version 77" in refused(as_viewer.get(f"/api/v1/models/77/{of}"), 404)["detail"]
    refused(as_viewer.get(f"/api/v1/models/99999999999999999999/{of}"), 404)


def test_another_models_examples_stay_out(as_viewer, learned, make_model):
    create_site(name="Other slope")
    assert as_viewer.get(f"/api/v1/models/{make_model().pk}/examples/").json()["results"] == []


class TestAnItem:
    @pytest.fixture
    def item(self, site, learned, model, make_prediction):
        event = learned["suspicious"].event
        fill_queue(site=site, predictions=[make_prediction(event, "quake", 0.99, model=model)])
        return event.review_items.get()

    def test_of_the_list_says_why_it_stands_where_it_stands(self, as_viewer, item):
        (row,) = as_viewer.get(ITEMS).json()["results"]
        assert row["standing"] == "out-of-fold: rockfall 0.91, suspicion 0.97"
        said = (row["predicted"], row["judged"], row["judged_probability"], row["basis"], row["suspicion"])
        assert said == ("quake", "rockfall", 0.91, "out_of_fold", 0.97)

    def test_says_what_the_folds_say_and_who_they_are(self, as_viewer, item, classes):
        said = as_viewer.get(f"{ITEMS}{item.pk}/").json()
        assert said["standing"] == "out-of-fold: rockfall 0.91, suspicion 0.97"
        assert said["out_of_fold"] == pytest.approx(
            {"earthquake": 0.03, "quake": 0.03, "rockfall": 0.91, "noise": 0.03}
        )
        assert said["reason_text"] == (
            "Folds of model 1 that never saw this event say Rockfall (91%), the label says Quake."
        )

    def test_about_an_event_that_was_not_learned_has_no_folds(self, as_viewer, ask):
        said = as_viewer.get(f"{ITEMS}{ask().pk}/").json()
        assert said["out_of_fold"] is None
        assert said["standing"] == "not in training: rockfall 0.90"

    def test_from_before_this_was_kept_says_nothing(self, as_viewer, ask):
        item = ask()
        type(item).objects.filter(pk=item.pk).update(judged_class=None, judged_probability=None, basis="")
        said = as_viewer.get(f"{ITEMS}{item.pk}/").json()
        assert (said["standing"], said["judged"], said["out_of_fold"]) == ("", None, None)
