"""export_relabels and verify_ledger, as a manager types them."""

import csv
import io
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from labelapp.catalogue.services import create_site
from labelapp.review import chain, ledger
from labelapp.review.models import Relabel
from tests.labelapp.review.tampering import unguarded


def run(*arguments):
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def rows(ask, decide):
    return [decide(ask("quake"), "rockfall", reason="=HYPERLINK(1)"), decide(ask("quake"), "quake", reason="")]


def test_the_jsonl_export_verifies_offline_and_a_tampered_line_is_named(site, rows, tmp_path):
    export = tmp_path / "relabels.jsonl"
    _, said = run("export_relabels", site.name, "--format", "jsonl", "--out", str(export))
    assert said == f"2 decisions written to {export}\n"
    check = [sys.executable, chain.__file__, str(export)]
    assert subprocess.run(check, capture_output=True, check=True, text=True).stdout.endswith(f"{ledger.head(site)}\n")
    export.write_text(export.read_text().replace("HYPERLINK", "hyperlink"))
    result = subprocess.run(check, capture_output=True, check=False, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("row 1: ")


def test_the_csv_export_is_safe_in_a_spreadsheet_and_has_the_facts(site, rows, model, station, expert):
    out, _ = run("export_relabels", site.name, "--format", "csv")
    first, second = csv.DictReader(io.StringIO(out))
    panel = rows[0].prediction.explanations.get()
    assert first["reason"] == "'=HYPERLINK(1)"
    assert first["decided_at"] == rows[0].decided_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert (first["from_class"], first["to_class"], first["expert"]) == ("quake", "rockfall", expert.username)
    assert (first["predicted_class"], first["model_sha256"]) == ("rockfall", model.sha256)
    assert first["panels"] == f"{station.seed_id}={panel.sha256}"
    assert (second["kind"], second["previous_hash"]) == ("confirm", first["hash"])


def test_an_export_may_begin_at_a_day(site, rows):
    assert run("export_relabels", site.name, "--since", "2999-01-01")[1].startswith("0 decisions")
    assert run("export_relabels", site.name, "--since", "2000-01-01")[1].startswith("2 decisions")


def test_an_export_that_fails_leaves_the_old_file_whole(site, rows, tmp_path, monkeypatch):
    old = tmp_path / "relabels.csv"
    old.write_text("old")
    monkeypatch.setattr("labelapp.review.exporting._cells", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("export_relabels", site.name, "--out", str(old))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_unknown_sites_and_unwritable_files_are_refused(site, tmp_path):
    with pytest.raises(CommandError, match=r"There is no site 'Nowhere'. Sites: Test slope"):
        run("export_relabels", "Nowhere")
    with pytest.raises(CommandError, match="cannot be written: No such file"):
        run("export_relabels", site.name, "--out", str(tmp_path / "none" / "x.csv"))


def test_verify_says_that_every_site_is_sound_and_prints_its_head(site, rows):
    create_site(name="Another slope")
    out, _ = run("verify_ledger")
    assert (
        out == f"Another slope: 0 decisions, sound, head none\n{site}: 2 decisions, sound, head {ledger.head(site)}\n"
    )


def test_verify_fails_naming_the_tampered_row(site, rows):
    with unguarded():
        Relabel.objects.filter(sequence=2).update(reason="tampered")
    err = io.StringIO()
    with pytest.raises(CommandError, match="The ledger of Test slope is not sound"):
        call_command("verify_ledger", site.name, stdout=io.StringIO(), stderr=err)
    assert err.getvalue().startswith(f"{site}: row 2: its facts do not give its hash")


def test_verify_holds_the_ledger_against_a_head_noted_earlier(site, rows):
    run("verify_ledger", site.name, "--expect-head", rows[0].hash)
    with pytest.raises(CommandError, match="not sound"):
        run("verify_ledger", site.name, "--expect-head", "f" * 64)
    with pytest.raises(CommandError, match="Name the site"):
        run("verify_ledger", "--expect-head", rows[0].hash)
