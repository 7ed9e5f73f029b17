"""What `serve` collects: each module asks for the very version of the others that it was collected with."""

import re

import pytest
from django.core.management import call_command

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
