"""A site with a queue of explained events, and a browser that looks at it."""

import hashlib

import pytest
from django.core.files.base import ContentFile

from tests.browser import SIZE, Visits, launched
from tests.frontend.panels import panel_of, start_of, window
from tests.recorded import record_site


@pytest.fixture
def explain(station):
    """explain(prediction) stores a panel for it, at the first station or another."""
    from labelapp.catalogue.models import Explanation

    def store(prediction, at=None, **problems):
        at, event = at or station, prediction.event
        targets = list(dict.fromkeys([prediction.event_class.code, *([event.label.code] if event.label else [])]))
        content = panel_of(at, event, window(event.pk, start_of(event), **problems), targets)
        return Explanation.objects.create(
            prediction=prediction,
            station=at,
            panel=ContentFile(content, f"{event.pk}-{at.pk}.safetensors"),
            sha256=hashlib.sha256(content).hexdigest(),
            summary={"targets": targets},
        )

    return store


@pytest.fixture
def enqueue(site, make_event, make_model, make_prediction, explain):
    """enqueue("quake", "rockfall") puts an explained event into the queue, behind those before."""
    from labelapp.review.models import ReviewItem

    model = make_model()

    def add(label="quake", predicted="rockfall", *, panel=True, problems=None, **facts):
        event = make_event(label, **facts)
        prediction = make_prediction(event, predicted, 0.8, model=model)
        if panel:
            explain(prediction, **(problems or {}))
        reason = "disagreement" if label else "detection"
        return ReviewItem.objects.create(
            site=site, event=event, prediction=prediction, reason=reason, priority=1 / event.pk
        )

    return add


@pytest.fixture
def recorded(site, station, tmp_path):
    """The site with records of ten minutes at two of its stations."""
    from labelapp.learning.pipeline import decoded

    decoded.KEPT.clear()
    return record_site(site, tmp_path)


@pytest.fixture(scope="session")
def chromium_running():
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def visits(live_server):
    visits = Visits(live_server.url)
    yield visits
    visits.end()


@pytest.fixture
def open_page(visits, live_server, client, request):
    """open_page(user, "/address/") → a page on which that user is logged in. Any complaint of the browser fails."""
    others, complaints = [], []

    def new_page(session, **looks):
        """Whoever comes second to the same test has a browser of their own, as has who needs another kind."""
        if set(looks) <= {"viewport", "color_scheme"} and (page := visits.page(session, **looks)):
            return page
        others.append(request.getfixturevalue("chromium_running").new_context(**{"viewport": SIZE, **looks}))
        if session:
            others[-1].add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return others[-1].new_page()

    def open_as(user, address, **looks):
        if user:
            client.force_login(user)
        page = new_page(client.cookies["sessionid"].value if user else None, **looks)
        # Refusals of the API are part of the game (the page shows them); everything else in the console is a fault.
        page.on("console", lambda said: complaints.append(said.text) if is_fault(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if is_elsewhere(asked.url, live_server) else None)
        page.goto(live_server.url + address)
        return page

    yield open_as
    for context in others:
        context.close()
    visits.forget()
    assert complaints == []


def is_elsewhere(url, live_server):
    """Pages work without the internet: whatever they ask another host for is a fault."""
    return not url.startswith((live_server.url, "data:", "blob:", "about:"))


def is_fault(said):
    refusal = "the server responded with a status of 4" in said.text
    return said.type in {"error", "warning"} and not refusal


@pytest.fixture
def review(open_page, site, expert):
    """review() → the review page with an event on it."""

    def open_review(user=expert, query="", state="ready", **options):
        page = open_page(user, f"/sites/{site.pk}/review/{query}", **options)
        page.wait_for_selector(f"[data-state={state}]")
        return page

    return open_review
