"""What `serve` collects: each module asks for the very version of the others that it was collected with."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

from labelapp.static import REGISTERED, WHOLE_PLOTLY, with_what_is_drawn

pytestmark = pytest.mark.once


def test_every_import_names_a_collected_file_with_its_checksum(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    storage = {"BACKEND": "labelapp.static.ModuleStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": storage}
    call_command("collectstatic", interactive=False, verbosity=0)
    hashed = re.compile(r"\.[0-9a-f]{12}\.js$")
    modules = [path for path in (tmp_path / "js").glob("*.js") if hashed.search(path.name)]
    assert len(modules) > 40
    for module in modules:
        for imported in re.findall(r'^import .* from "\./(.+)";', module.read_text(), re.MULTILINE):
            assert hashed.search(imported), f"{module.name} asks for {imported}"
            assert (module.parent / imported).exists()


def test_plotly_registers_what_the_pages_draw_and_is_else_the_wheels():
    whole, served = WHOLE_PLOTLY.read_text(), Path(finders.find("plotly/plotly.min.js")).read_text()
    ((all_kinds,), (drawn,)) = REGISTERED.findall(whole), REGISTERED.findall(served)
    assert len(all_kinds.split(",")) > 40
    assert len(drawn.split(",")) == 1
    assert served.replace(drawn, all_kinds) == whole


@pytest.mark.parametrize("bundle", ["", "window.Plotly = {};", "r.register([a(),b()]);var a=W((x,y)=>{});"])
def test_a_bundle_that_is_built_otherwise_is_served_whole(bundle):
    assert with_what_is_drawn(bundle) == bundle
