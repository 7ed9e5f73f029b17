"""The database refuses changes; whoever gets around it is found."""

import pytest
from django.core.files.storage import default_storage
from django.db import DatabaseError, IntegrityError, connection, transaction

from labelapp.catalogue.models import Event, Prediction
from labelapp.review import deciding, ledger, triggers
from labelapp.review.models import Relabel, ReviewItem
from tests.labelapp.review.tampering import execute, unguarded


@pytest.fixture
def rows(ask, decide):
    """Three decisions: a correction, a confirmation, a correction."""
    return [decide(ask("quake"), "rockfall"), decide(ask("quake"), "quake"), decide(ask("noise"), "rockfall")]


def blamed(site, **options):
    return {problem.sequence for problem in ledger.verify(site, **options)}


def test_decisions_made_by_the_service_are_sound(site, rows):
    assert ledger.verify(site) == []
    assert [row.kind for row in rows] == ["correct", "confirm", "correct"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE review_relabel SET reason = 'x' WHERE sequence = 2",
        "UPDATE review_relabel SET sequence = sequence + 10",
        "DELETE FROM review_relabel WHERE sequence = 3",
        "DELETE FROM review_relabel",
    ],
)
def test_the_database_refuses_to_change_or_remove_a_relabel(site, rows, sql):
    with pytest.raises(IntegrityError, match="never changed or removed"), transaction.atomic():
        execute(sql)
    assert ledger.verify(site) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda row: Relabel.objects.filter(pk=row.pk).update(reason="x"),
        lambda row: Relabel.objects.filter(pk=row.pk).delete(),
        lambda row: row.delete(),
        lambda row: row.save(),
        lambda row: Relabel.objects.bulk_update([row], ["reason"]),
        lambda row: Relabel.objects.filter(pk=row.pk)._raw_delete("default"),
    ],
    ids=["update", "delete of rows", "delete", "save", "bulk_update", "raw delete"],
)
def test_the_orm_cannot_change_or_remove_a_relabel(site, rows, change):
    with pytest.raises(IntegrityError, match="never changed or removed"), transaction.atomic():
        change(rows[1])
    assert Relabel.objects.count() == 3
    assert ledger.verify(site) == []


def test_a_relabel_cannot_be_replaced_by_an_insert(site, rows):
    columns = [field.column for field in Relabel._meta.concrete_fields]
    names, values = ", ".join(columns), ", ".join("'0000'" if c == "hash" else c for c in columns)
    verb = "INSERT OR REPLACE" if connection.vendor == "sqlite" else "INSERT"
    with pytest.raises(DatabaseError), transaction.atomic():
        execute(f"{verb} INTO review_relabel ({names}) SELECT {values} FROM review_relabel WHERE sequence = 2")  # noqa: S608
    assert ledger.verify(site) == []


def test_postgresql_refuses_to_truncate_the_ledger_and_a_session_that_plays_a_replica(site, rows):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has neither TRUNCATE nor replicas.")
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="never changed or removed"), transaction.atomic():
        execute("TRUNCATE review_relabel CASCADE")
    execute("SET LOCAL session_replication_role = replica")
    with pytest.raises(IntegrityError, match="never changed or removed"), transaction.atomic():
        execute("UPDATE review_relabel SET reason = 'x'")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("reason", "something else"),
        ("expert_name", "somebody else"),
        ("event_name", "another event"),
        ("to_code", "noise"),
        ("from_code", "noise"),
        ("kind", "confirm"),
        ("site_name", "Another slope"),
        ("decided_at", "2020-01-01 00:00:00"),
        ("shown", "{}"),
        ("shown", "[]"),
        ("previous_hash", "0" * 64),
        ("hash", "0" * 64),
        ("prediction_id", None),
        ("item_id", None),
    ],
)
def test_a_tampered_row_is_named(site, rows, column, value):
    with unguarded():
        execute(f"UPDATE review_relabel SET {column} = %s WHERE sequence = 1", value)  # noqa: S608
    assert 1 in blamed(site)


def test_a_tampered_class_is_found_by_hash_and_by_replay(site, rows, classes):
    with unguarded():
        execute("UPDATE review_relabel SET to_class_id = %s WHERE sequence = 3", classes["noise"].pk)
    problems = [str(problem) for problem in ledger.verify(site)]
    assert any(p.startswith("row 3: its facts do not give its hash") for p in problems)
    assert any("event 2 is labelled rockfall, but the ledger gives noise" in p for p in problems)


def test_a_removed_row_leaves_a_gap_and_an_undecided_item(site, rows):
    with unguarded():
        execute("DELETE FROM review_relabel WHERE sequence = 2")
    said = " ".join(str(problem) for problem in ledger.verify(site))
    assert "row 3: expected row 2 here" in said
    assert f"item {rows[1].item_id} (event 1) is closed, but no row decides it" in said


def test_a_removed_last_row_is_found_by_its_item_its_label_and_a_noted_head(site, rows):
    head = ledger.head(site)
    with unguarded():
        execute("DELETE FROM review_relabel WHERE sequence = 3")
    said = " ".join(str(problem) for problem in ledger.verify(site, expect_head=head))
    assert "event 2 is labelled rockfall, but the ledger gives noise" in said
    assert "is closed, but no row decides it" in said
    assert f"no row has the expected head {head}" in said


def test_only_a_noted_head_finds_an_end_cut_off_with_its_label_and_item(site, rows, classes):
    head = ledger.head(site)
    with unguarded():
        execute("DELETE FROM review_relabel WHERE sequence = 3")
    Event.objects.filter(pk=rows[2].event_id).update(label=classes["noise"])
    ReviewItem.objects.filter(pk=rows[2].item_id).update(state="open")
    assert ledger.verify(site) == []
    assert blamed(site, expect_head=head) == {None}


def test_swapped_rows_are_found(site, rows):
    with unguarded():
        for old, new in ((1, 9), (2, 1), (9, 2)):
            execute("UPDATE review_relabel SET sequence = %s WHERE sequence = %s", new, old)
    assert {1, 2} <= blamed(site)


def test_a_label_changed_past_the_ledger_is_found(site, rows, classes, make_event):
    untouched = make_event("quake")
    Event.objects.filter(pk=rows[0].event_id).update(label=classes["noise"])
    Event.objects.filter(pk=untouched.pk).update(label=classes["noise"])
    said = [str(problem) for problem in ledger.verify(site)]
    assert said[0] == "row 1: event event 0 is labelled noise, but the ledger gives rockfall."
    assert said[1] == f"event {untouched} is labelled noise, but the ledger gives quake."


def test_a_missing_or_disabled_trigger_is_named(site):
    triggers.remove(connection)
    assert "relabel_refuses_update" in " ".join(str(problem) for problem in ledger.verify(site))
    triggers.install(connection)
    assert triggers.missing(connection) == []
    if connection.vendor == "postgresql":
        execute("ALTER TABLE review_relabel DISABLE TRIGGER relabel_refuses_delete")
        assert triggers.missing(connection) == ["relabel_refuses_delete"]
        triggers.install(connection)
        harmless = "RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$"
        execute(f"CREATE OR REPLACE FUNCTION refuse_relabel_change() {harmless}")
        assert len(triggers.missing(connection)) == 3
    else:
        execute("DROP TRIGGER relabel_refuses_delete")
        execute("CREATE TRIGGER relabel_refuses_delete BEFORE DELETE ON review_relabel BEGIN SELECT 1; END")
        assert triggers.missing(connection) == ["relabel_refuses_delete"]


def test_a_prediction_changed_after_it_was_shown_is_found(site, rows):
    Prediction.objects.filter(pk=rows[1].prediction_id).update(probability=0.1)
    problem = f"row 2: prediction {rows[1].prediction_id} is not what the expert saw."
    assert [str(p) for p in ledger.verify(site)] == [problem]


def test_a_prediction_removed_past_the_database_s_rules_is_named_with_its_row(rows):
    rows[1].prediction_id = 10**9
    (problem,) = ledger._check_shown([rows[1]], files=False)
    assert str(problem) == "row 2: prediction 1000000000, which the expert saw, is gone."


def test_a_panel_changed_or_lost_after_it_was_shown_is_found(site, rows):
    changed, lost = (row.prediction.explanations.get() for row in rows[:2])
    with default_storage.open(changed.panel.name, "wb") as file:
        file.write(b"another map")
    default_storage.delete(lost.panel.name)
    assert blamed(site) == {1, 2}
    assert blamed(site, files=False) == set()


def test_weights_changed_after_a_decision_are_found(site, rows, model):
    with default_storage.open(f"{model.folder}/weights.safetensors", "wb") as file:
        file.write(b"other weights")
    assert blamed(site) == {1, 2, 3}


def test_what_was_shown_is_kept_by_checksum(rows, model, station):
    panel = rows[0].prediction.explanations.get()
    shown = rows[0].shown
    assert shown["model"] == {"number": model.number, "sha256": model.sha256}
    assert shown["panels"] == {station.seed_id: panel.sha256}
    assert shown["prediction"]["id"] == rows[0].prediction_id


def test_each_site_has_a_chain_of_its_own(site, rows):
    from labelapp.catalogue.services import create_site

    other = create_site(name="Another slope")
    assert ledger.verify(other) == []
    assert ledger.head(other) == ""
    assert rows[0].previous_hash == ""


def test_microseconds_and_any_script_survive_the_database(site, ask, decide):
    item = ask()
    row = decide(item, "rockfall", reason="Felssturz – 落石 – انهيار\nzweite Zeile")
    assert Relabel.objects.get(pk=row.pk).hash == row.hash
    assert ledger.verify(site) == []


def test_a_decision_that_cannot_be_written_leaves_label_and_item_as_they_were(site, ask, decide, monkeypatch):
    item = ask()
    monkeypatch.setattr(deciding, "_close", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        decide(item, "rockfall")
    item.refresh_from_db()
    assert item.event.label.code == "quake"
    assert item.state == "open"
    assert not Relabel.objects.exists()
