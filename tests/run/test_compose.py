"""`swarm compose` writes what a search's export of the same coefficients holds."""

import json
from pathlib import Path

import pytest

from support.playground import EXPERTS, Playground, run_cli

WEIGHTS = {"hf": "model.safetensors", "adapter": "adapter_model.safetensors"}


def compose(playground: Playground, coefficients: dict[str, float], dest: Path, *more: str) -> str:
    experts = [word for name, c in coefficients.items() for word in ("--expert", f"{playground.expert(name)}={c!r}")]
    done = run_cli("compose", "--base", playground.base, *experts, "-o", dest, "--dtype", "float32", *more)
    assert done.code == 0, done.err
    return done.out


@pytest.mark.parametrize("form", WEIGHTS)
def test_it_writes_the_bytes_of_the_candidates_export(
    playground: Playground, finished_run: Path, tmp_path: Path, form: str
) -> None:
    best = json.loads((finished_run / "summary.json").read_text())["best"]
    assert run_cli("export", finished_run, tmp_path / "searched", "--format", form).code == 0
    shown = compose(playground, best["coefficients"], tmp_path / "composed", "--format", form)
    assert shown.strip() == str(tmp_path / "composed")
    ours, searched = ({f.name: f.read_bytes() for f in (tmp_path / n).iterdir()} for n in ("composed", "searched"))
    assert ours.pop("README.md") != searched.pop("README.md")
    assert WEIGHTS[form] in ours
    assert ours == searched


def test_its_card_claims_no_search(playground: Playground, tmp_path: Path) -> None:
    compose(playground, dict.fromkeys(EXPERTS, 0.25), tmp_path / "even")
    card = (tmp_path / "even" / "README.md").read_text()
    assert "Nothing was\nsearched, trained or scored." in card
    assert "No scores of this weighting are known" in card


def test_its_recipe_is_exported_again(playground: Playground, tmp_path: Path) -> None:
    compose(playground, {"red": 0.5, "blue": -0.25}, tmp_path / "recipe", "--format", "recipe")
    compose(playground, {"red": 0.5, "blue": -0.25}, tmp_path / "whole")
    assert run_cli("export", tmp_path / "recipe", tmp_path / "again").code == 0
    again, whole = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("again", "whole"))
    assert again == whole


def test_folders_of_one_name_keep_apart(playground: Playground, tmp_path: Path) -> None:
    for place, name in (("one", "red"), ("two", "blue")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "adapter").symlink_to(playground.expert(name))
    experts = ["--expert", f"{tmp_path}/one/adapter=0.5", "--expert", f"{tmp_path}/two/adapter=0.5"]
    done = run_cli("compose", "--base", playground.base, *experts, "-o", tmp_path / "out", "--format", "recipe")
    assert done.code == 0, done.err
    coefficients = json.loads((tmp_path / "out" / "recipe.json").read_text())["recipe"]["weights"]["coefficients"]
    assert list(coefficients.values()) == [[0.5], [0.5]]
