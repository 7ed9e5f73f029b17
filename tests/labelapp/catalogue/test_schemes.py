"""Classes come from a file, or are those of Jiang et al."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from obspy.core.event.header import EventType

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.models import Site
from labelapp.catalogue.schemes import DEFAULT_CLASSES, PALETTE, QUAKEML_TYPES, ClassFacts, read_scheme, scheme

TWO = (ClassFacts("slide", "Slide", "#123456", "7", "slide"), ClassFacts("noise", "Noise", PALETTE[1], "2"))
TOML = """
[[classes]]
code = "slide"
colour = "#123456"
key = 7
[[classes]]
code = "noise"
"""


def test_quakeml_types_are_those_obspy_knows():
    assert set(QUAKEML_TYPES) == set(EventType.keys())


def test_default_classes_have_types_of_their_own_so_that_quakeml_tells_them_apart():
    assert len({c.quakeml_type for c in DEFAULT_CLASSES}) == len({c.colour for c in DEFAULT_CLASSES}) == 4


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.toml", TOML),
        ("x.json", json.dumps([{"code": "slide", "colour": "#123456", "key": 7}, {"code": "noise"}])),
        ("x.json", json.dumps({"classes": [{"code": "slide", "colour": "#123456", "key": "7"}, {"code": "noise"}]})),
        ("x.csv", "code,colour,key\nslide,#123456,7\nnoise,,\n"),
    ],
)
def test_the_same_classes_from_every_kind_of_file(write, name, text):
    assert read_scheme(write(text, name)) == TWO


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("x.toml", "[[classes", "no readable class file"),
        ("x.json", "{", "no readable class file"),
        ("x.json", "3", "holds a list of classes"),
        ("x.json", "[1, 2]", "holds a list of classes"),
        ("x.yaml", "", "ends in .toml, .json or .csv"),
        ("x.csv", b"\xff\xfe", "no readable class file"),
        ("x.csv", "code,key\na,1\n", "has 2 to 9 classes"),
        ("x.csv", "code\n" + "\n".join("abcdefghij"), "has 2 to 9 classes"),
        ("x.csv", "code,key\na,1\na,2\n", "2 classes have the code 'a'"),
        ("x.csv", "code,key\na,1\nb,1\n", "2 classes have the key '1'"),
        ("x.csv", "code,shape\na,1\nb,1\n", "unknown fields: shape"),
        ("x.csv", "code,key\n,1\nb,1\n", "Class 1 has no code"),
        ("x.csv", "code,name\na,x\x00y\nb,\n", "name of class 1 holds control characters"),
        ("x.csv", "code,quakeml_type\na,dragon\nb,\n", "QuakeML type 'dragon'"),
        ("x.csv", "code\n" + "a" * 200_000, "at most 100000"),
    ],
)
def test_bad_class_files_are_refused_saying_why(write, name, text, why):
    with pytest.raises(Invalid, match=why):
        read_scheme(write(text, name))


def test_a_missing_class_file_is_refused(tmp_path):
    with pytest.raises(Invalid, match="cannot be read: No such file"):
        read_scheme(tmp_path / "none.toml")


def test_a_class_whose_code_is_a_quakeml_type_has_that_type():
    assert [c.quakeml_type for c in scheme([{"code": "snow_avalanche"}, {"code": "quake"}])] == [
        "snow avalanche",
        "other event",
    ]


def test_create_site_makes_a_site_with_the_classes_of_a_file(db, write):
    out = io.StringIO()
    call_command("create_site", "My slope", "--classes", str(write(TOML, "x.toml")), stdout=out)
    assert out.getvalue() == "Made the site My slope with the classes noise (2), slide (7).\n"
    with pytest.raises(CommandError, match="There is a site 'My slope' already"):
        call_command("create_site", "My slope")


@pytest.mark.parametrize("row", ["Slide,#123456,1", "slide,red,1", "slide,#123456,x", "../x,#123456,1"])
def test_create_site_leaves_nothing_behind_when_a_class_is_bad(db, write, row):
    with pytest.raises(CommandError, match="Use "):
        call_command("create_site", "My slope", "--classes", str(write(f"code,colour,key\nnoise,,9\n{row}\n", "x.csv")))
    assert not Site.objects.exists()
