"""The house stands as drawn: arrows run one way, files stay readable, a page never loads torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = {path.parent.name for path in (ROOT / "mlcore").glob("*/__init__.py")}


def sources(*folders):
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts]


def imports(path):
    """The modules that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_the_arrows_between_the_rooms_run_one_way():
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_importing_the_addresses_of_the_web_process_never_loads_torch():
    script = (
        "import django, sys; django.setup(); import labelapp.urls; "
        "print([m for m in ('torch', 'zennit', 'obspy', 'mlcore') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**__import__("os").environ, "DJANGO_SETTINGS_MODULE": "labelapp.settings"},
    )
    assert result.stdout.strip() == "[]"


def test_only_the_pipeline_and_its_commands_import_mlcore():
    allowed = (ROOT / "labelapp/learning/pipeline", ROOT / "labelapp/learning/management")
    strangers = [
        str(path.relative_to(ROOT))
        for path in sources("labelapp")
        if any(name.split(".")[0] in {"mlcore", "torch", "zennit"} for name in imports(path))
        and not any(path.is_relative_to(folder) for folder in allowed)
    ]
    assert strangers == []


def test_only_waveform_imports_obspy_in_mlcore():
    users = {path.name for path in sources("mlcore") if any(name.split(".")[0] == "obspy" for name in imports(path))}
    assert users == {"waveform.py"}


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_systems_inside_mlcore_never_import_each_other(system):
    others = {f"mlcore.{name}" for name in SYSTEMS - {system}}
    crossing = [
        (path.name, name)
        for path in sources(f"mlcore/{system}")
        for name in imports(path)
        if any(name == other or name.startswith(other + ".") for other in others)
    ]
    assert crossing == []


def test_no_app_uses_signals_generic_foreign_keys_or_pickles():
    forbidden = {"django.db.models.signals", "django.dispatch", "django.contrib.contenttypes.fields", "pickle"}
    assert [
        (str(path.relative_to(ROOT)), name)
        for path in sources("labelapp", "mlcore")
        for name in imports(path)
        if name in forbidden
    ] == []


def test_no_source_file_is_longer_than_400_lines():
    files = [
        path
        for folder in ("labelapp", "mlcore", "frontend", "tests", "fixtures")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".js", ".css", ".html"} and "migrations" not in path.parts
    ]
    long = {str(path.relative_to(ROOT)): n for path in files if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}
