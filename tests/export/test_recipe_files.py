"""A recipe file exports the same weights later, or fails and names what has changed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from support.exports import assert_holds, exported, make_experts, opened
from support.models import make_adapter
from support.summaries import summary_with
from swarm.core.errors import ExpertError, UserError
from swarm.export import export, read_recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experts(tmp_path_factory.mktemp("export"))


@pytest.mark.parametrize("algebra", ["delta", "factors"])
def test_a_recipe_exports_the_same_bits_later(folder: Path, tmp_path: Path, algebra: str) -> None:
    summary = summary_with(best={"id": "3-1", "test": {"mean": 0.1 + 0.2, "low": 0.2, "high": 0.4, "n": 7}})
    what = exported(opened(folder, "plain", "same"), "bfloat16", algebra=algebra, groups="modules")
    what = replace(what, summary=summary, config_yaml="base: x\n")
    out = export(what, tmp_path / "recipe", "recipe")
    for path in (out, out / "recipe.json"):
        again = read_recipe(path)
        assert again.recipe == what.recipe
        assert (again.summary, again.config_yaml, again.candidate_id) == (summary, "base: x\n", "3-1")
    assert_holds(export(again, tmp_path / "hf", "hf"), what)


def test_a_recipe_keeps_the_sparsification(folder: Path, tmp_path: Path) -> None:
    what = exported(opened(folder, "plain", "full", trim=0.5, dare=0.1))
    again = read_recipe(export(what, tmp_path / "recipe", "recipe"))
    assert_holds(export(again, tmp_path / "hf", "hf"), what)


def test_changed_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("base", "plain"):
        shutil.copytree(folder / name, tmp_path / name)
    recipe = export(exported(opened(tmp_path, "plain")), tmp_path / "recipe", "recipe")
    make_adapter(tmp_path / "plain", tmp_path / "base", seed=99)
    with pytest.raises(ExpertError, match=r"expert plain: .*plain has the fingerprint"):
        read_recipe(recipe)
    shutil.rmtree(tmp_path / "plain")
    with pytest.raises(ExpertError, match="does not exist"):
        read_recipe(recipe)


def test_a_broken_recipe_is_refused(folder: Path, tmp_path: Path) -> None:
    recipe = export(exported(opened(folder, "plain")), tmp_path / "recipe", "recipe") / "recipe.json"
    content = json.loads(recipe.read_text())
    for change, word in (({"version": 3}, "version"), ({"dtype": "int4"}, "dtype"), ({"more": 1}, "more")):
        recipe.write_text(json.dumps(content | change))
        with pytest.raises(UserError, match=rf"{word} is wrong .*; export the recipe again"):
            read_recipe(recipe)
    for change, word in (({"trim": 0}, "plain.trim"), ({"path": "a\0b"}, "null character"), ({"svd": -1}, "plain.svd")):
        recipe.write_text(json.dumps(content | {"experts": [content["experts"][0] | change]}))
        with pytest.raises(UserError, match=rf"{word}.*; export the recipe again"):
            read_recipe(recipe)
    content["recipe"]["weights"]["coefficients"] = {"other": [1.0]}
    recipe.write_text(json.dumps(content))
    with pytest.raises(UserError, match="plain needs one coefficient"):
        read_recipe(recipe)
    recipe.write_text("[" * 100_000)
    with pytest.raises(UserError, match="nested too deeply"):
        read_recipe(recipe)
    recipe.write_text("{")
    with pytest.raises(UserError, match="is not JSON"):
        read_recipe(recipe)
    with pytest.raises(UserError, match="cannot be read"):
        read_recipe(tmp_path / "nowhere")
