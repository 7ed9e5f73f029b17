"""chain.py proves an export alone: no Django, no database, one file."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labelapp.review import chain

SCRIPT = Path(chain.__file__)


def chained(count):
    """Rows written the slow way, from the definition: each hash covers all else in the row, sorted, without blanks."""
    rows, previous = [], ""
    for number in range(1, count + 1):
        facts = {"sequence": number, "reason": f"because {number} – «é»", "previous_hash": previous, "item": None}
        pairs = ",".join(f"{json.dumps(name)}:{json.dumps(facts[name])}" for name in sorted(facts))
        previous = hashlib.sha256(("{" + pairs + "}").encode()).hexdigest()
        rows.append({**facts, "hash": previous})
    return rows


def run(tmp_path, rows, *options, alone=False):
    script = shutil.copy(SCRIPT, tmp_path) if alone else SCRIPT
    export = tmp_path / "relabels.jsonl"
    export.write_text(rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-S", str(script), str(export), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env={})


def test_rows_hashed_by_the_definition_are_sound():
    assert list(chain.check(chained(5))) == []


@pytest.mark.parametrize("alone", [True, False], ids=["copied elsewhere", "in its place"])
def test_the_script_runs_without_any_package_and_prints_the_head(tmp_path, alone):
    rows = chained(3)
    result = run(tmp_path, rows, alone=alone)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"3 decisions, 0 problems, head {rows[-1]['hash']}\n"


def test_a_changed_fact_is_named_by_its_row(tmp_path):
    rows = chained(4)
    rows[2]["reason"] = "something else"
    result = run(tmp_path, rows)
    assert result.returncode == 1
    assert result.stderr.startswith("row 3: its facts do not give its hash")


def test_a_changed_fact_with_a_new_hash_breaks_the_row_after_it():
    rows = chained(4)
    rows[1]["reason"] = "something else"
    rows[1]["hash"] = chain.row_hash({k: v for k, v in rows[1].items() if k != "hash"})
    assert [problem.sequence for problem in chain.check(rows)] == [3]


def test_a_removed_row_leaves_a_gap():
    rows = chained(4)
    del rows[1]
    assert {problem.sequence for problem in chain.check(rows)} == {3}


def test_a_removed_first_row_is_found():
    assert [problem.sequence for problem in chain.check(chained(4)[1:])] == [2, 2]


def test_swapped_rows_are_found():
    rows = chained(4)
    rows[1], rows[2] = rows[2], rows[1]
    assert {2, 3} <= {problem.sequence for problem in chain.check(rows)}


def test_a_doubled_row_is_found():
    rows = chained(3)
    assert {problem.sequence for problem in chain.check([*rows, rows[-1]])} == {3}


def test_an_added_fact_is_found():
    rows = chained(2)
    rows[0]["note"] = "added later"
    assert [problem.sequence for problem in chain.check(rows)] == [1]


def test_rows_cut_off_the_end_are_found_by_a_head_noted_before(tmp_path):
    rows = chained(4)
    assert run(tmp_path, rows[:-1]).returncode == 0
    result = run(tmp_path, rows[:-1], "--expect-head", rows[-1]["hash"])
    assert result.returncode == 1
    assert "rows are missing at the end" in result.stderr


def test_a_head_noted_before_the_ledger_grew_is_still_in_it(tmp_path):
    rows = chained(4)
    assert run(tmp_path, rows, "--expect-head", rows[1]["hash"]).returncode == 0


def test_an_export_since_a_day_is_checked_as_a_part(tmp_path):
    rows = chained(4)[2:]
    assert run(tmp_path, rows).returncode == 1
    assert run(tmp_path, rows, "--partial").returncode == 0


@pytest.mark.parametrize("text", ["{not json}\n", "[1]\n", '{"sequence": NaN'])
def test_a_broken_file_is_refused_by_line(tmp_path, text):
    result = run(tmp_path, text)
    assert result.returncode == 2
    assert "line 1" in result.stderr


def test_a_missing_file_is_said(tmp_path):
    result = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path / "none")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "No such file" in result.stderr


def test_rows_of_odd_types_are_problems_and_not_crashes():
    rows = [{"sequence": "1", "hash": 3, "previous_hash": None}, {"sequence": 1.5, "x": [0.5], "hash": ""}]
    assert list(chain.check(rows))


def test_floats_are_refused_because_their_text_differs_between_programs():
    with pytest.raises(ValueError, match="float"):
        chain.row_hash({"probability": {"rockfall": [0.5]}})
