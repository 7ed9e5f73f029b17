"""GET /api/schema/ and /api/docs/"""

import re
from io import StringIO

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

from tests.browser import launched


def test_the_schema_is_valid_and_complete_without_a_warning():
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=StringIO())


def test_the_schema_names_every_address_of_the_contract(as_viewer, db):
    paths = as_viewer.get("/api/schema/").json()["paths"]
    promised = [f"{rows}/" for rows in ("sites", "events", "relabels", "review-items", "models", "runs")]
    promised += ["events/{id}/panels/", "events/{id}/relabels/", "review-items/next/", "review-items/{id}/decide/"]
    promised += ["catalogue.csv", "relabels.csv"]
    assert {f"/api/v1/{path}" for path in promised} <= set(paths)


def test_the_schema_says_that_every_operation_may_refuse(as_viewer, db):
    operations = [o for path in as_viewer.get("/api/schema/").json()["paths"].values() for o in path.values()]
    assert all({"400", "401", "403", "404"} <= set(operation["responses"]) for operation in operations)


def test_the_schema_comes_as_yaml_where_that_is_asked_for(as_viewer, db):
    answer = as_viewer.get("/api/schema/", HTTP_ACCEPT="application/vnd.oai.openapi")
    assert answer.content.startswith(b"openapi: 3")


def test_the_root_lists_addresses_that_answer(as_viewer, site):
    addresses = as_viewer.get("/api/v1/").json()
    assert addresses["review-items"] == "/api/v1/review-items/"
    for word, address in addresses.items():
        expected = 405 if word == "token" else 200
        query = {"site": site.pk} if "." in word else {}
        assert as_viewer.get(address, query).status_code == expected, word


def test_the_documentation_sends_strangers_to_the_login_page(client, db):
    answer = client.get("/api/docs/")
    assert (answer.status_code, answer.url) == (302, "/login/?next=/api/docs/")


def test_the_documentation_needs_no_other_host_and_no_inline_script(as_viewer, db):
    page = as_viewer.get("/api/docs/")
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page.content.decode(), re.DOTALL)
    assert scripts
    for attributes, content in scripts:
        source = re.search(r'src="(/[^/"][^"]*)"', attributes)
        assert source, attributes
        assert not content.strip()
        if source[1].startswith("/static/"):
            assert finders.find(source[1].removeprefix("/static/"))
    assert "unsafe-inline" not in page["Content-Security-Policy"].split("script-src")[1].split(";")[0]


@pytest.mark.once
@pytest.mark.browser
def test_the_documentation_draws_itself_in_a_browser_that_is_offline(live_server, client, viewer):
    client.force_login(viewer)
    with launched() as browser:
        context = browser.new_context()
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        context.add_cookies([cookie])
        page, complaints, strangers = context.new_page(), [], []
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: strangers.append(asked.url) if is_foreign(asked.url, live_server) else None)
        page.goto(f"{live_server.url}/api/docs/")
        page.get_by_text("/api/v1/review-items/{id}/decide/").wait_for()
        assert (complaints, strangers) == ([], [])


def is_foreign(url, server):
    return not url.startswith((server.url, "data:", "blob:"))
