"""GET /api/v1/sites/"""

import pytest

from labelapp.api.filter_fields import get_site
from labelapp.catalogue.services import create_site

SITES = "/api/v1/sites/"


def test_a_site_comes_with_its_classes_in_the_order_of_their_keys_and_its_stations(as_viewer, site, station):
    (row,) = as_viewer.get(SITES).json()["results"]
    assert row["name"] == "Test slope"
    assert [c["key"] for c in row["classes"]] == ["1", "2", "3", "4"]
    assert set(row["classes"][0]) == {"code", "name", "colour", "key", "quakeml_type"}
    assert [s["seed_id"] for s in row["stations"]] == ["XX.AAA.00"]
    assert as_viewer.get(row["url"]).json() == row


def test_sites_are_found_by_a_part_of_their_name(as_viewer, site):
    create_site(name="Second slope")
    assert [s["name"] for s in as_viewer.get(SITES, {"name": "second"}).json()["results"]] == ["Second slope"]


def test_sites_are_ordered_as_asked(as_viewer, site):
    create_site(name="A slope")
    names = [s["name"] for s in as_viewer.get(SITES, {"ordering": "-name"}).json()["results"]]
    assert names == ["Test slope", "A slope"]


def test_a_list_of_sites_costs_the_same_few_queries_however_many_there_are(
    as_viewer, site, django_assert_max_num_queries
):
    for number in range(5):
        create_site(name=f"slope {number}")
    with django_assert_max_num_queries(7):
        assert as_viewer.get(SITES).json()["count"] == 6


@pytest.fixture
def named_like_an_id(site):
    """A site whose name is another one's id, and one whose name is nobody's id."""
    return create_site(name=str(site.pk)), create_site(name="9000")


def test_a_text_of_digits_is_an_id_first_and_then_a_name(as_viewer, site, make_event, named_like_an_id):
    make_event()
    assert as_viewer.get("/api/v1/events/", {"site": str(site.pk)}).json()["count"] == 1
    assert as_viewer.get("/api/v1/events/", {"site": "9000"}).json()["count"] == 0
    assert get_site(str(site.pk)) == site
    assert get_site("9000") == named_like_an_id[1]


def test_a_number_in_a_body_is_an_id_and_never_a_name(as_manager, site, named_like_an_id, refused):
    assert get_site(site.pk) == site
    answer = refused(as_manager.post("/api/v1/runs/", {"site": 9000, "kind": "train"}), 400, "invalid")
    assert "no site with the id 9000" in str(answer)
    assert as_manager.post("/api/v1/review-items/next/", {"site": 9000}).status_code == 400
    assert as_manager.post("/api/v1/review-items/next/", {"site": "9000"}).status_code == 200
