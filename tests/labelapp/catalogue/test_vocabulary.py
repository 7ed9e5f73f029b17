"""What a model calls the classes of its site: the web's reading of a recipe is mlcore's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelapp.catalogue.vocabulary import known_as, model_class
from mlcore.config import Catalogue

codes = st.sampled_from(["quake", "rockfall", "slide", "noise", "blast"])
members = st.lists(codes, min_size=1, max_size=3, unique=True).map(tuple)


def disjoint(classes):
    counted = [member for its in classes.values() for member in its]
    return len(counted) == len(set(counted))


@given(st.dictionaries(codes, members, max_size=3).filter(disjoint), st.sampled_from(["", "noise"]), codes)
def test_a_class_is_called_as_mlcore_calls_it(classes, noise_class, code):
    catalogue = Catalogue(classes=classes, noise_class=noise_class)
    assert model_class({"catalogue": catalogue.to_dict()}, code) == catalogue.model_class(code)


@pytest.mark.parametrize("recipe", [{}, {"catalogue": {}}, {"catalogue": None}, {"catalogue": {"classes": {}}}])
def test_a_recipe_that_maps_nothing_calls_each_class_by_its_code(recipe):
    assert known_as(recipe, ["quake", "noise"]) == {}


def test_only_what_is_called_otherwise_is_told():
    recipe = {"catalogue": {"classes": {"slide": ["slide", "rockfall"]}, "noise_class": "noise"}}
    assert known_as(recipe, ["slide", "rockfall", "noise", "quake"]) == {"rockfall": "slide", "quake": None}
