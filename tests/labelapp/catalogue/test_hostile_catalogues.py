"""Files that are broken, huge, or meant to harm."""

import pytest

from labelapp.catalogue.errors import Invalid
from labelapp.catalogue.importing import import_catalogue
from labelapp.catalogue.models import Event

HEADER = "event_id,event_class,starttime,endtime"
SPAN = "2026-03-01T06:00:00Z,2026-03-01T06:00:05Z"


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "<script>alert(1)</script>",
        "=cmd()",
        "'=x",
        "Robert'); DROP TABLE--",
        "אירוע",
        "{{7*7}}",
        "%s%n",
        "CON",
    ],
)
def test_names_that_only_look_dangerous_are_kept_as_they_are(load, name):
    load(f"{HEADER}\n{name},quake,{SPAN}\n")
    assert Event.objects.get().event_id == name.removeprefix("'")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("null\x00byte", "control characters"),
        ("bell\x07", "control characters"),
        ("turned \u202egpj.exe", "control characters"),
        ("x" * 10_000, "event_id has 10000 characters, beginning 'xxx"),
    ],
)
def test_names_that_hide_or_break_what_is_read_are_refused(load, name, why):
    report = load(f"{HEADER}\n{name},quake,{SPAN}\ngood,quake,{SPAN}\n")
    assert why in dict(report.refused)[2]
    assert [event.event_id for event in Event.objects.all()] == ["good"]
    assert all(character.isprintable() for _, reason in report.refused for character in reason)


def test_a_row_that_is_no_utf8_is_refused_and_the_rest_goes_in(load):
    report = load(f"{HEADER}\nS\xe9chilienne,quake,{SPAN}\ngood,quake,{SPAN}\n".encode("latin-1"))
    assert report.refused == [(2, "event_id is no UTF-8: 'S\\udce9chilienne'.")]
    assert report.created == 1


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{HEADER}\na,quake,{SPAN}\n",
        f"{HEADER}\na,quake,{SPAN}\n".replace(",", ";"),
        f"{HEADER}\na,quake,{SPAN}\n".replace(",", "\t"),
        f"{HEADER}\r\na,quake,{SPAN}\r\n",
        f"{HEADER}\na,quake,{SPAN}",
        f" Event_ID , EVENT_CLASS ,starttime, endtime\n a , quake , {SPAN.replace(',', ' , ')}\n",
    ],
    ids=["byte order mark", "semicolons", "tabs", "Windows lines", "no last line end", "blanks and capitals"],
)
def test_the_usual_dialects_are_understood(load, content):
    report = load(content.encode())
    assert (report.created, report.refused) == (1, [])
    assert Event.objects.get().event_id == "a"


def test_where_semicolons_separate_commas_are_decimal(load):
    load(f"{HEADER},latitude\na,quake,{SPAN},46x1\n".replace(",", ";").replace("x", ","))
    assert Event.objects.get().latitude_deg == 46.1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (HEADER.encode(), "has no rows"),
        (f"{HEADER}\na,quake,{SPAN}\n".encode("utf-16"), "no UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "has no column event_id"),
        (b"\x00\x01\x02\x03", "no UTF-8 text"),
        (b"time,class\n1,2\n", "has no column event_id. It has: time, class"),
        (b"event_id,starttime,endtime\na,b,c\n", "has no column event_class or label"),
        (b"event_id,label,starttime\na,b,c\n", "has no column starttime and endtime or onset and duration_s"),
        (b"event_id,event_id,label,starttime,endtime\n", "names event_id twice"),
    ],
)
def test_files_that_are_no_catalogue_are_refused_as_a_whole(load, content, why):
    with pytest.raises(Invalid, match=why):
        load(content)


def test_a_quote_that_is_never_closed_is_refused_by_its_line_and_the_rest_goes_on(load):
    report = load(f'{HEADER}\na,quake,{SPAN}\n"b,quake,{SPAN}\nc,quake,{SPAN}\n')
    assert (report.created, len(report.refused)) == (2, 1)
    assert report.refused[0][0] == 3
    assert "quote that is not closed" in report.refused[0][1]


def test_a_field_of_a_megabyte_is_refused_and_the_rest_goes_in(load):
    report = load(f"{HEADER}\na,quake,{SPAN}\n{'b' * 1_000_000},quake,{SPAN}\nc,quake,{SPAN}\n")
    assert report.refused[0][0] == 3
    assert sorted(event.event_id for event in Event.objects.all()) == ["a", "c"]


def test_a_file_above_the_limit_is_refused_before_it_is_read(load, settings):
    settings.LARGEST_CATALOGUE_BYTES = 100
    with pytest.raises(Invalid, match=r"has \d+ bytes; at most 100 are read. Split it, or raise SEISLOOP_LARGEST"):
        load(f"{HEADER}\n" + f"a,quake,{SPAN}\n" * 10)


@pytest.mark.parametrize("path", ["/nonexistent/x.csv", "/", "/dev/null", "a\x00b"])
def test_paths_that_are_no_files_are_refused(site, path):
    with pytest.raises(Invalid, match=r"cannot be read|is no file"):
        import_catalogue(site=site, file=path)


@pytest.mark.parametrize("station", ["../../x", "<script>", "TOOLONGCODE", "A B", "é", "A.B"])
def test_stations_that_are_no_seed_codes_are_refused(load, station):
    report = load(f"{HEADER},station\na,quake,{SPAN},{station}\n")
    assert "Use letters, digits, dashes and underscores (8)." in report.refused[0][1]
    assert report.failed


@pytest.mark.parametrize("station_id", ["AAA", "a.b.c.d", "...."])
def test_station_ids_that_are_none_are_refused(load, station_id):
    report = load(f"{HEADER},station_id\na,quake,{SPAN},{station_id}\n")
    assert "Expected NET.STA or NET.STA.LOC" in report.refused[0][1]


BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2"><x>&b;</x></q:quakeml>"""
SPY = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2"><x>&f;</x></q:quakeml>"""


@pytest.mark.parametrize("text", [BOMB, SPY], ids=["entity expansion", "external entity"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_quakeml_with_a_document_type_is_refused_before_anything_is_expanded(site, write, text, encoding):
    with pytest.raises(Invalid, match="declares a document type"):
        import_catalogue(site=site, file=write(text.encode(encoding), "x.xml"))


@pytest.mark.parametrize(
    "text",
    [
        "<",
        "<a>",
        "<html></html>",
        "<q:quakeml xmlns:q='http://quakeml.org/xmlns/quakeml/1.2'/>",
        "<?xml version='1.0'?>",
    ],
)
def test_xml_that_is_no_quakeml_is_refused(site, write, text):
    with pytest.raises(Invalid, match=r"x.xml"):
        import_catalogue(site=site, file=write(text, "x.xml"))
