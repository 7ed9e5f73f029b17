"""The papers' tables, on windows that take seconds."""

import json
from dataclasses import replace

import pytest

from mlcore.errors import Cancelled
from mlcore.pretrain import tables
from mlcore.pretrain.config import Evaluation, Pretraining
from mlcore.pretrain.tables import bird_rows, bird_table, fill, vnibcreg_rows, vnibcreg_tables
from tests.mlcore.pretrain.examples import small_pool, small_recipe

RECIPE = small_recipe(evaluation=Evaluation(epochs=2, shares=(0.2, 0.8), seeds=(0, 1)))
RECIPE = replace(RECIPE, training=replace(RECIPE.training, epochs=1))


def test_the_rows_are_those_of_the_paper():
    rows = vnibcreg_rows(Pretraining())
    found = [(r.recipe.method.name, r.recipe.views.crop, r.recipe.method.tnc, r.pretrained) for r in rows]
    assert found == [
        ("vnibcreg", "neighbouring", "modified", False),
        ("vibcreg", "random", "none", True),
        ("vibcreg", "neighbouring", "none", True),
        ("vnibcreg", "neighbouring", "original", True),
        ("vnibcreg", "neighbouring", "modified", True),
    ]
    assert rows[-1].recipe == Pretraining()


def test_the_rows_of_the_bird_paper_are_its_encoders_with_its_two_methods():
    rows = bird_rows(Pretraining())
    assert len(rows) == 12
    assert [row.name for row in rows[:3]] == [
        ("simplecnn", "random"),
        ("simplecnn", "barlow_twins"),
        ("simplecnn", "vicreg"),
    ]
    assert rows[2].recipe.method.invariance == 25
    assert {(row.recipe.views.augment, row.recipe.views.crop_share) for row in rows} == {("sound", 1.0)}
    assert len({row.folder for row in rows}) == 12


def test_the_tables_are_filled_and_written(tmp_path):
    found = fill(vnibcreg_rows(RECIPE), small_pool(), small_pool(), out=tmp_path)
    text = vnibcreg_tables(found)
    assert text.count("| RandInit") == 4
    assert "Table 2" in text
    assert f"{found[4]['fine_tuned_20%']['accuracy']['mean']:.3f}" in text
    assert len(found[4]["linear"]["macro_f1"]["runs"]) == 2
    assert not list(tmp_path.rglob("training.safetensors"))


def test_what_was_done_is_not_done_again(tmp_path, monkeypatch):
    rows = vnibcreg_rows(RECIPE)[:2]
    first = fill(rows, small_pool(), small_pool(), out=tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(tables, "pretrain", None)
        patched.setattr(tables, "evaluate_seed", None)
        assert fill(rows, small_pool(), small_pool(), out=tmp_path) == first
    other = fill(rows, small_pool(seed=1), small_pool(seed=1), out=tmp_path)
    assert other != first


def test_a_table_can_be_cancelled():
    with pytest.raises(Cancelled):
        fill(vnibcreg_rows(RECIPE)[1:2], small_pool(), small_pool(), should_stop=lambda: True)


def test_the_bird_table_shows_the_silhouette_of_the_best_seed():
    rows = bird_rows(RECIPE, ["simplecnn"])
    found = fill(rows, small_pool(), small_pool(), bird=True)
    tuned = found[1]["fine_tuned"]
    runs = tuned["balanced_accuracy"]["runs"]
    best = tuned["silhouette"]["runs"][runs.index(max(runs))]
    assert f"| simplecnn | barlow_twins | {best:.4f}" in bird_table(found)


def test_the_command_prints_both_forms(tmp_path, capsys):
    recipe = replace(RECIPE, evaluation=replace(RECIPE.evaluation, seeds=(0,), shares=(0.8,)))
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    small_pool().save(tmp_path / "pool")
    arguments = ["vnibcreg", "--recipe", tmp_path / "recipe.toml", "--pool", tmp_path / "pool", "--device", "cpu"]
    tables.main(list(map(str, arguments)))
    told = capsys.readouterr()
    assert len(json.loads(told.out)["rows"]) == 5
    assert "Table 3" in told.err
