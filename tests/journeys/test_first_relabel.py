"""From an empty folder to a proved relabel, as a newcomer goes."""

import json
import re
import sqlite3
import subprocess
import sys

import pytest

from tests.browser import launched
from tests.journeys.home import ROOT, Home

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"))
    home.manage("migrate", "--verbosity", "0")
    return home


def password(home, user):
    return re.search(rf"{user}\s+(\S+)\s*$", (home.folder / "first-login.txt").read_text(), re.MULTILINE)[1]


def test_a_decision_by_keys_alone_is_exported_and_proved(home):
    with home.serving("--demo"), launched() as browser:
        page = browser.new_page()
        page.goto(home.address)
        page.get_by_label("Username").fill("expert")
        page.get_by_label("Password").fill(password(home, "expert"))
        page.keyboard.press("Enter")
        page.get_by_role("link", name="synthetic slope").first.click()
        page.goto(page.url.replace("/queue/", "/review/"))
        page.wait_for_selector("[data-state=ready]")
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-decision]")

    decisions = [
        json.loads(line)
        for line in home.manage("export_relabels", "synthetic slope", "--format", "jsonl").stdout.splitlines()
    ]
    assert [d["expert_name"] for d in decisions] == ["expert"]
    home.manage("verify_ledger")


def test_a_tampered_row_makes_verification_fail_and_is_named(home):
    with sqlite3.connect(home.folder / "seisloop.sqlite3") as database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='review_relabel'")
        for (name,) in triggers.fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE review_relabel SET to_code = 'noise', reason = 'quietly' WHERE sequence = 1")
    result = home.manage("verify_ledger", ok=False)
    assert result.returncode != 0
    assert "1" in result.stdout + result.stderr
    exported = home.folder / "relabels.jsonl"
    home.manage("export_relabels", "synthetic slope", "--format", "jsonl", "--out", exported)
    offline = subprocess.run(
        [sys.executable, "-I", ROOT / "labelapp/review/chain.py", exported], capture_output=True, text=True, check=False
    )
    assert offline.returncode != 0


def test_a_second_start_finds_everything_there(home):
    before = home.manage("demo").stdout
    assert home.manage("demo").stdout == before
