"""Schemathesis asks whatever the schema allows, and much that it does not: no answer may surprise."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from rest_framework.authtoken.models import Token
from schemathesis import GenerationMode, checks

from tests.labelapp.learning.maps import make_map

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 8


@pytest.fixture
def headers(manager):
    return {"Authorization": f"Token {Token.objects.create(user=manager).key}"}


@pytest.fixture
def ids(site, ask, decide, run, manager):
    """The id of a row behind every kind of address."""
    relabel, item = decide(ask(), "rockfall"), ask()
    rows = {"sites": site, "relabels": relabel, "review-items": item, "runs": run}
    rows |= {"events": item.event, "models": item.prediction.model, "explanations": item.prediction.explanations.get()}
    rows["maps"] = make_map(site, item.prediction.model, points=20, events=[item.event])
    rows["saved-filters"] = manager.saved_filters.create(site=site, name="doubts", query={"reason": "doubt"})
    return {name: row.pk for name, row in rows.items()}


@pytest.fixture
def operations(live_server, ids, as_manager):
    """Every operation that the living server's schema names."""
    schema = schemathesis.openapi.from_dict(as_manager.get("/api/schema/").json())
    schema.config.update(base_url=live_server.url)
    operations = [result.ok() for result in schema.get_all_operations()]
    # Tokens have tests of their own: the limit on asking for them would end this one.
    return [operation for operation in operations if not operation.path.endswith("/token/")]


def fuzz(strategy, headers):
    @seed(20260301)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def ask(case):
        case.call_and_validate(headers=headers, checks=CHECKS)

    ask()


@pytest.mark.slow
def test_what_the_schema_allows_is_answered_as_the_schema_says(operations, ids, headers):
    for operation in operations:
        named = {"id": ids.get(operation.path.split("/")[3]), "row": 0}
        existing = {each.name: named[each.name] for each in operation.path_parameters if each.name in named} or None
        site = {"site": str(ids["sites"])} if "." in operation.path and not existing else None
        fuzz(operation.as_strategy(path_parameters=existing, query=site), headers)


@pytest.mark.slow
def test_what_the_schema_does_not_allow_is_answered_as_the_schema_says(operations, headers):
    for operation in operations:
        if operation.query or operation.path_parameters or operation.body:
            fuzz(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), headers)
