"""The review page names every module that its script imports, so that none waits for another."""

import re

from django.urls import reverse

from labelapp.pages.modules import FOLDER, modules_of


def test_modules_of_modules_are_found_and_those_on_demand_are_not():
    found = modules_of("review.js")
    assert {"js/flow.js", "js/panel.js", "js/dom.js"} <= set(found)
    assert "js/surroundings.js" not in found
    assert all((FOLDER.parent / path).is_file() for path in found)


def test_no_import_is_written_so_that_it_would_be_overlooked():
    for path in modules_of("review.js"):
        text = (FOLDER.parent / path).read_text()
        imported = set(re.findall(r'from\s+"\./([^"]+)"', text))
        assert {f"js/{name}" for name in imported} <= set(modules_of(path.removeprefix("js/"))), path


def test_the_page_preloads_them(client, expert, site):
    client.force_login(expert)
    text = client.get(reverse("review", args=[site.pk])).text
    for path in modules_of("review.js"):
        assert f'<link rel="modulepreload" href="/static/{path}">' in text
