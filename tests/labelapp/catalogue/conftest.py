"""Catalogue files written in the test, and what became of them."""

import pytest

from labelapp.catalogue.importing import import_catalogue


@pytest.fixture
def write(tmp_path):
    """write("a,b\\n1,2", name="x.csv"): a file; bytes are written as they are."""

    def make(content, name="catalogue.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


@pytest.fixture
def load(site, write):
    """load(text): import a CSV of that text, with the usual header where it has none."""

    def make(content, **options):
        if isinstance(content, str) and "event_id" not in content:
            content = "event_id,event_class,starttime,endtime\n" + content
        return import_catalogue(site=site, file=write(content), **options)

    return make
