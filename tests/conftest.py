"""What every test may ask for: a site, users of each role, events, real recordings."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings

from tests.environment import DATA

# How long an example takes says more about the machine than about the code; and what fails once shall fail again.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

MORNING = datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix, tmp_path_factory):
    """SQLite in a file, as in use: threads that share a database in memory lock each other out at once."""
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def tests_that_commit_leave_an_empty_database():
    """See `tests.emptying`."""
    from django.test import TransactionTestCase

    from tests.emptying import empty_filled_tables

    flush = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = lambda test_case: empty_filled_tables()
    yield
    TransactionTestCase._fixture_teardown = flush


@pytest.fixture(autouse=True)
def static_files_by_their_plain_names(settings):
    """Pages name files by the checksums that `collectstatic` wrote down; the tests have not run it."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def site(db):
    from labelapp.catalogue.services import create_site

    return create_site(name="Test slope")


@pytest.fixture
def classes(site):
    """The site's classes by code."""
    return {c.code: c for c in site.classes.all()}


@pytest.fixture
def station(site):
    from labelapp.catalogue.models import Station

    return Station.objects.create(site=site, network="XX", code="AAA", location="00")


def user_in(group, django_user_model):
    from django.contrib.auth.models import Group

    user = django_user_model.objects.create_user(username=f"a {group}", is_staff=group == "manager")
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def viewer(django_user_model, db):
    return user_in("viewer", django_user_model)


@pytest.fixture
def expert(django_user_model, db):
    return user_in("expert", django_user_model)


@pytest.fixture
def manager(django_user_model, db):
    return user_in("manager", django_user_model)


@pytest.fixture
def make_event(site, station, classes):
    """make_event("quake") adds a catalogued event, a minute after the one before."""
    from labelapp.catalogue.models import Event, Observation

    def make(label="quake", *, event_id=None, **facts):
        number = Event.objects.count()
        start = facts.pop("starttime", MORNING + timedelta(minutes=number))
        end = facts.pop("endtime", start + timedelta(seconds=5))
        event_class = classes[label] if label else None
        event = Event.objects.create(
            site=site,
            event_id=event_id or f"event {number}",
            station=station,
            starttime=start,
            endtime=end,
            origin=Event.Origin.CATALOGUE if label else Event.Origin.DETECTION,
            catalogue_label=event_class,
            label=event_class,
            **facts,
        )
        Observation.objects.create(event=event, station=station, starttime=start, endtime=end)
        return event

    return make


@pytest.fixture
def make_model(site):
    """A model row without weights, for what only needs to refer to a model."""
    from labelapp.catalogue.models import ModelVersion

    def make(**facts):
        number = ModelVersion.objects.filter(site=site).count() + 1
        codes = [c.code for c in site.classes.all()]
        defaults = {"folder": f"models/{number}", "sha256": f"{number:064x}", "classes": codes, "recipe": {}}
        return ModelVersion.objects.create(site=site, number=number, **{**defaults, **facts})

    return make


@pytest.fixture
def make_prediction(make_model, classes):
    """make_prediction(event, "rockfall", 0.9)"""
    from labelapp.catalogue.models import Prediction

    def make(event, code, probability=0.9, model=None):
        rest = (1 - probability) / (len(classes) - 1)
        return Prediction.objects.create(
            event=event,
            model=model or make_model(),
            event_class=classes[code],
            probability=probability,
            probabilities={c: probability if c == code else rest for c in classes},
            input_sha256=f"{event.pk:064x}",
        )

    return make


@pytest.fixture(scope="session")
def real_data():
    """The folder of real recordings; skips where there is none."""
    if not DATA.is_dir():
        pytest.skip(f"No real recordings at {DATA}: set SEISLOOP_DATA to a folder that has them.")
    return DATA
