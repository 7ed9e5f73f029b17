"""Pool maps without a network: clouds of points, some of them events."""

from datetime import timedelta

import numpy as np

from tests.conftest import MORNING


def cloud(count, groups=4, seed=0):
    """Places (count, 2) within ±1 in `groups` round clouds, and the cloud of each (count,)."""
    generator = np.random.default_rng(seed)
    group = generator.integers(groups, size=count)
    angles = 2 * np.pi * group / groups
    places = 0.6 * np.stack([np.cos(angles), np.sin(angles)], axis=1) + generator.normal(0, 0.1, (count, 2))
    return np.clip(places, -1, 1).astype(np.float32), group.astype(np.int16)


def make_map(site, model, *, points=200, events=(), window_s=10.0, station=None, seed=0, **facts):
    """A stored PoolMap of `points` points: `events` first, then windows side by side from six in the morning on.

    Windows are at `station`, else at the site's first one, else nowhere.
    """
    from labelapp.learning.maps import microseconds_of, store_map

    events = list(events)
    stations = [each.seed_id for each in site.stations.all()]
    station = station or (stations[0] if stations else None)
    windows = [MORNING + timedelta(days=1, seconds=window_s * number) for number in range(points - len(events))]
    places, group = cloud(points, seed=seed)
    tensors = {
        "places": places,
        "cluster": group,
        "event": np.array([event.pk for event in events] + [-1] * len(windows), dtype=np.int64),
        "station": np.full(points, stations.index(station) if station else -1, dtype=np.int16),
        "starttime": np.array([microseconds_of(t) for t in [e.starttime for e in events] + windows], dtype=np.int64),
    }
    given = {"stations": stations, "window_s": window_s, "method": "tsne", **facts}
    return store_map(site=site, model=model, tensors=tensors, **given)


def untrained_encoder(site):
    """A stored encoder with random weights, which sees what the site's recipe says."""
    import torch

    from labelapp.catalogue.models import ModelVersion
    from labelapp.catalogue.services import store_model
    from mlcore.config import Recipe
    from mlcore.pretrain.config import Pretraining
    from mlcore.pretrain.fine_tune import untrained
    from mlcore.pretrain.model import encoder_files
    from mlcore.starting import settings_of

    recipe = Pretraining.from_dict(settings_of(Recipe.from_dict(site.recipe)))
    network = untrained(recipe, seed=0).to(memory_format=torch.contiguous_format)
    described = {"classes": [], "recipe": recipe.to_dict()}
    model = store_model(site=site, files=encoder_files(network, recipe, {}), description=described)
    ModelVersion.objects.filter(pk=model.pk).update(kind=ModelVersion.Kind.ENCODER)
    model.refresh_from_db()
    return model


def untrained_classifier(site):
    """A stored classifier with random weights, by the site's recipe."""
    import torch

    from labelapp.catalogue.services import store_model
    from mlcore.checkpoint import model_files
    from mlcore.classify.predict import network_for
    from mlcore.config import Recipe

    recipe = Recipe.from_dict(site.recipe)
    codes = [event_class.code for event_class in site.classes.all()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = network_for(recipe, len(codes))
    described = {"classes": codes, "recipe": recipe.to_dict()}
    return store_model(site=site, files=model_files(network, described), description=described)
