from datetime import UTC, datetime, timedelta

import pytest

from mlcore.catalogues import CatalogueEntry, Skipped, read_catalogue
from mlcore.config import Catalogue
from mlcore.errors import BadConfiguration

START = datetime(2026, 3, 1, 6, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


def catalogue(tmp_path, text):
    path = tmp_path / "catalogue.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_way_of_giving_a_span_is_read_and_the_most_precise_wins(tmp_path):
    path = catalogue(
        tmp_path,
        "event_id,event_class,file,network,station,location,starttime,endtime,onset,duration_s,trace_start,trace_end\n"
        "a,quake,a.mseed,XX,AAA,00,2026-03-01T06:00:10Z,2026-03-01T06:00:20Z,,,2026-03-01T06:00:00Z,2026-03-01T06:01:00Z\n"
        "b,quake,b.mseed,XX,AAA,,,,2026-03-01T07:00:10+01:00,2.5,2026-03-01T06:00:00Z,2026-03-01T06:01:00Z\n"
        "c,noise,c.mseed,,,,,,,,2026-03-01T06:00:00,2026-03-01T06:01:00\n"
        "d,noise,d.mseed,,,,,,,,,\n",
    )
    entries, skipped = read_catalogue(path)
    assert skipped == []
    assert [(e.starttime, e.endtime) for e in entries] == [
        (at(10), at(20)),
        (at(10), at(12.5)),
        (at(0), at(60)),
        (None, None),
    ]
    assert [e.station for e in entries] == ["XX.AAA.00", "XX.AAA", None, None]


def test_a_station_may_be_named_by_its_id_as_in_the_catalogues_that_seisloop_imports(tmp_path):
    path = tmp_path / "catalogue.csv"
    path.write_text("event_id,event_class,file,station_id\ne1,quake,a.mseed,XX.AAA.00\ne2,quake,b.mseed,\n")
    assert [entry.station for entry in read_catalogue(path)[0]] == ["XX.AAA.00", None]


def test_rows_that_make_no_sense_are_told_and_the_rest_goes_on(tmp_path):
    path = catalogue(
        tmp_path,
        "event_id,event_class,file,starttime,endtime,onset,duration_s\n"
        ",quake,a.mseed,,,,\n"
        "b,quake,../../etc/passwd,,,,\n"
        "c,quake,/etc/passwd,,,,\n"
        "d,quake,d.mseed,yesterday,today,,\n"
        "e,quake,e.mseed,2026-03-01T06:00:10Z,2026-03-01T06:00:00Z,,\n"
        "f,quake,f.mseed,,,2026-03-01T06:00:10Z,long\n"
        "g,quake,g.mseed\n",
    )
    entries, skipped = read_catalogue(path)
    assert [e.event_id for e in entries] == ["g"]
    reasons = ["event_id is empty", "leads out", "leads out", "must be a time", "ends before", "number of seconds"]
    assert all(reason in s.reason for reason, s in zip(reasons, skipped, strict=True))
    assert skipped[0].item == "row 2 (no event_id)"


SAME = {
    "commas": "event_id,event_class,file,onset,duration_s\na,quake,x,2026-03-01T06:00:10Z,2.5\n",
    "semicolons": "Event_ID;label;FILE;catalogue_time;duration_s\na;quake;x;2026-03-01T06:00:10Z;2,5\n",
    "tabs": "event_id\tlabel\tfile\tstarttime\tendtime\na\tquake\tx\t2026-03-01T06:00:10\t2026-03-01T06:00:12.5\n",
    "with a mark, a blank line and a cell too many": (
        "\ufeffevent_id, event_class ,file,onset,duration_s\n\na,quake,x,2026-03-01T06:00:10Z,2.5,more\n"
    ),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_a_catalogue_may_be_written_in_any_way_that_the_web_application_imports(tmp_path, text):
    assert read_catalogue(catalogue(tmp_path, text)) == (
        [CatalogueEntry("a", "quake", "x", None, at(10), at(12.5))],
        [],
    )


@pytest.mark.parametrize("content", [b"event_id,file\n1,a\n", b"", b"\xff\xfe\x00", b"a,b\n\x00"])
def test_a_file_that_is_no_catalogue_is_refused_with_a_way_out(tmp_path, content):
    path = tmp_path / "catalogue.csv"
    path.write_bytes(content)
    with pytest.raises(BadConfiguration, match=r"Name the columns|Give a UTF-8 file"):
        read_catalogue(path)


ROWS = (
    "event_id,event_class,file,source,network\n"
    "a,rockfall,a.mseed,ESEC,AV\na,rockfall,b.mseed,ESEC,AZ\nb,debris_flow,c.mseed,ESEC,AV\n"
    "c,earthquake,d.mseed,PNSN,UW\nd,earthquake,e.mseed,PFO,AZ\ne,sonic boom,f.mseed,PNSN,UW\n"
    "f,mass_movement,g.mseed,PNSN,UW\ng,noise,h.mseed,PNSN,UW\n"
)
CLASSES = {"mass_movement": ("rockfall", "debris_flow"), "quake": ("earthquake",)}


def read_as(tmp_path, **settings):
    entries, skipped = read_catalogue(catalogue(tmp_path, ROWS), Catalogue(**settings))
    return [(entry.event_id, entry.event_class) for entry in entries], skipped


def test_several_catalogue_classes_count_to_one_and_a_class_that_stands_nowhere_is_left_out_and_said(tmp_path):
    found, skipped = read_as(tmp_path, classes=CLASSES)
    mass = [(event, "mass_movement") for event in "aabf"]
    assert sorted(found) == sorted([*mass, ("c", "quake"), ("d", "quake")])
    assert [(s.item, s.rows) for s in skipped] == [("1 row", 1), ("1 row", 1)]
    assert "event_class is sonic boom, which the recipe's catalogue.classes counts to no class" in skipped[0].reason


def test_noise_that_the_catalogue_itself_names_is_a_class_where_noise_is_one(tmp_path):
    found, _ = read_as(tmp_path, classes=CLASSES, noise_class="noise")
    assert ("g", "noise") in found


def test_a_class_may_be_counted_to_another_though_its_own_name_is_taken():
    exchanged = Catalogue(classes={"quake": ("rockfall",), "rockfall": ("quake",)})
    assert [exchanged.model_class(name) for name in ("quake", "rockfall", "slide")] == ["rockfall", "quake", None]
    assert Catalogue().model_class("anything") == "anything"


def test_rows_are_kept_and_left_out_by_any_column(tmp_path):
    found, skipped = read_as(tmp_path, only={"source": ("ESEC", "PFO")}, without={"network": ("AZ",), "file": ("x",)})
    assert found == [("a", "rockfall"), ("b", "debris_flow")]
    assert skipped == [
        Skipped("2 rows", "network is AZ, which the recipe's catalogue.without leaves out", 2),
        Skipped("4 rows", "source is PNSN, and the recipe's catalogue.only takes ESEC, PFO", 4),
    ]


def test_noise_is_cut_from_the_rows_that_a_recipe_names(tmp_path):
    path = catalogue(tmp_path, ROWS)
    noise = {"source": ("ESEC",), "network": ("AV",)}
    entries, _ = read_catalogue(path, Catalogue(noise_class="noise", noise_only=noise))
    assert [entry.file for entry in entries if entry.gives_noise] == ["a.mseed", "c.mseed"]
    assert all(entry.gives_noise for entry in read_catalogue(path, Catalogue(noise_class="noise"))[0])
    assert not any(entry.gives_noise for entry in read_catalogue(path, Catalogue(noise_only=noise))[0])


def test_an_entry_knows_its_whole_row(tmp_path):
    entry = read_catalogue(catalogue(tmp_path, ROWS))[0][0]
    assert entry == CatalogueEntry("a", "rockfall", "a.mseed", None)
    assert entry.columns["source"] == "ESEC"


@pytest.mark.parametrize("setting", ["only", "without", "noise_only"])
def test_a_filter_on_a_column_that_is_not_there_is_refused(tmp_path, setting):
    with pytest.raises(
        BadConfiguration, match=rf"the recipe's catalogue\.{setting} asks for magnitude. Add such a col"
    ):
        read_as(tmp_path, noise_class="noise", **{setting: {"magnitude": ("3",)}})
