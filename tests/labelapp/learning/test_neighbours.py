"""The events most alike in the network's features, found when a run has classified."""

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from scipy.spatial.distance import cosine

from labelapp.catalogue.models import Event, SimilarEvents
from labelapp.learning.pipeline import neighbours
from labelapp.learning.pipeline.neighbours import NEIGHBOURS, Features, folder_of, stored, update
from labelapp.learning.pipeline.recipes import load_classifier
from labelapp.learning.pipeline.windows import read_event
from labelapp.learning.surroundings import similar_events

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def files_go_to_a_folder_of_the_test(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def classified(recorded_site, work_on):
    work_on(recorded_site, "train", epochs=2)
    assert work_on(recorded_site, "classify").state == "done"
    return recorded_site


def by_hand(site):
    """{event pk: features}, standardised, from one window after the other."""
    classifier = load_classifier(site.active_model)
    network, rows = classifier.model, {}
    for event in site.events.prefetch_related("observations__station"):
        windows = [window.window.data for window in read_event(event, classifier.recipe).windows.values()]
        given = [network.features(classifier.inputs(w[None]), classifier.attributes(w[None])) for w in windows]
        rows[event.pk] = np.mean([g.detach().numpy()[0] for g in given], axis=0).astype(np.float64)
    values = np.stack(list(rows.values()))
    spread = values.std(axis=0)
    varied = spread > 1e-6
    return {pk: ((row - values.mean(axis=0)) / np.where(varied, spread, 1))[varied] for pk, row in rows.items()}


def test_neighbours_are_those_that_a_slow_loop_finds_and_later_runs_find_the_same(classified, work_on):
    z = by_hand(classified)
    assert SimilarEvents.objects.count() == len(z) == 40
    for similar in SimilarEvents.objects.select_related("prediction"):
        own = similar.prediction.event_id
        expected = {other: 1 - cosine(z[own], z[other]) for other in z if other != own}
        found = dict(similar.neighbours)
        assert len(found) == NEIGHBOURS
        assert own not in found
        # float16 in storage: neighbours whose similarity is nearly the same may change places
        least = sorted(expected.values())[-NEIGHBOURS]
        assert all(expected[pk] > least - 0.01 for pk in found)
        assert all(share == pytest.approx(expected[pk], abs=0.01) for pk, share in found.items())
        shares = [share for _, share in similar.neighbours]
        assert shares == sorted(shares, reverse=True)
    event = classified.events.get(event_id="e7")
    before = SimilarEvents.objects.get(prediction__event=event).neighbours
    SimilarEvents.objects.all().delete()
    run = work_on(classified, "classify", events=[event.pk], explain_all=True)
    assert run.state == "done", run.log
    assert SimilarEvents.objects.get().neighbours == before
    assert "similar events found for 1 events" in run.log
    assert len(default_storage.listdir(folder_of(classified.active_model))[1]) == 1


@pytest.fixture
def alike(make_event, make_model, make_prediction):
    """Thirty events of one model, each most like those next to it."""
    model, found = make_model(), Features()
    events = [make_event("quake" if number % 2 else "rockfall") for number in range(30)]
    for number, event in enumerate(events):
        make_prediction(event, "quake", model=model)
        angle = np.pi * number / 30
        found.add(event.pk, np.array([[np.cos(angle), np.sin(angle)]], dtype=np.float32))
    return model, events, found


def test_only_labelled_events_that_stand_for_themselves_are_neighbours(alike):
    model, (merged, unlabelled, *_), found = alike
    Event.objects.filter(pk=unlabelled.pk).update(label=None)
    Event.objects.filter(pk=merged.pk).update(merged_into=unlabelled)
    assert update(model, found) == 30
    for similar in SimilarEvents.objects.all():
        assert len(similar.neighbours) == NEIGHBOURS
        assert not {merged.pk, unlabelled.pk} & {pk for pk, _ in similar.neighbours}


def test_classifying_again_writes_over_what_was_found(alike):
    model, _, found = alike
    assert update(model, found) == update(model, found) == 30
    assert SimilarEvents.objects.count() == 30


def test_what_is_shown_follows_the_labels_of_the_moment(alike):
    model, events, found = alike
    update(model, found)
    prediction, first = similar_events(events[10])
    assert prediction.model == model
    assert len(first) == 5
    Event.objects.filter(pk=first[0][0].pk).update(label=None)
    Event.objects.filter(pk=first[1][0].pk).update(merged_into=events[10])
    _, now = similar_events(events[10])
    assert [row.pk for row, _ in now][:3] == [row.pk for row, _ in first][2:]
    assert len(now) == 5


class TestTheFile:
    @pytest.fixture
    def model(self, make_model):
        return make_model()

    def features(self, *pks):
        found = Features()
        for pk in pks:
            found.add(pk, np.full((2, 3), pk, dtype=np.float32))
        return found

    def test_holds_the_mean_over_stations_and_grows_with_later_runs(self, model):
        found = self.features(1)
        found.add(2, np.array([[1, 2, 3], [3, 4, 5]], dtype=np.float32))
        update(model, found)
        update(model, self.features(3, 1))
        events, features = stored(model)
        assert sorted(events.tolist()) == [1, 2, 3]
        assert features[events.tolist().index(2)].tolist() == [2, 3, 4]

    def test_that_was_cut_short_is_passed_over_for_the_one_before(self, model):
        update(model, self.features(1, 2))
        default_storage.save(f"{folder_of(model)}/99999999999999999999.safetensors", ContentFile(b"\x10\0\0\0"))
        assert stored(model)[0].tolist() == [1, 2]

    def test_of_another_width_is_no_help(self, model):
        neighbours.keep(model, np.array([9]), np.ones((1, 8), dtype=np.float16))
        update(model, self.features(1, 2))
        assert stored(model)[0].tolist() == [1, 2]

    def test_is_not_needed_where_nothing_was_classified(self, model):
        assert update(model, Features()) == 0
        assert stored(model) is None

    def test_beyond_half_precision_is_cut_and_stays_finite(self, model):
        found = Features()
        found.add(1, np.full((1, 3), 1e9, dtype=np.float32))
        assert np.isfinite(found.rows[1]).all()
