"""GET /api/v1/sites/"""

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
