"""`swarm compose` writes what a search's export of the same coefficients holds."""

import json
import shlex
from pathlib import Path

import pytest
import yaml

import swarm
from support.playground import EXPERTS, Playground, run_cli
from swarm.core.errors import ConfigError
from swarm.experts.safetensors_files import TensorFiles

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


DELLA = {"type": "della", "density": 0.6, "epsilon": 0.1, "seed": 3}
DELLA_OPTIONS = "--prepare della:density=0.6,epsilon=0.1,seed=3"
PREPARED: dict[str, tuple[object, list[dict[str, object]], str]] = {
    "all": ({"type": "ties", "density": 0.3, "normalize": True}, [{}, {}], "--prepare ties:density=0.3,normalize=true"),
    "named": (DELLA, [{"name": "first"}, {}], f"{DELLA_OPTIONS} --set experts.0.name=first"),
    "each": (
        None,
        [{"trim": 0.5, "svd": 2}, {"dare": 0.25}],
        "--set experts.0.trim=0.5 --set experts.0.svd=2 --set experts.1.dare=0.25",
    ),
    "one": (
        None,
        [{"prepare": {"type": "breadcrumbs", "density": 0.7}}, {}],
        "--set 'experts.0.prepare={type: breadcrumbs, density: 0.7}'",
    ),
    "own": (
        {"type": "dare_ties", "density": 0.5, "consensus": "count"},
        [{}, {"prepare": {"type": "ties", "density": 0.2, "consensus": "count"}}],
        "--prepare dare_ties:density=0.5,consensus=count --set experts.1.prepare.type=ties "
        "--set experts.1.prepare.density=0.2 --set experts.1.prepare.consensus=count",
    ),
}


@pytest.mark.parametrize("case", PREPARED)
def test_prepared_experts_are_composed_to_the_bytes_of_the_candidates_export(
    playground: Playground, tmp_path: Path, case: str
) -> None:
    prepare, settings, options = PREPARED[case]
    paths = [str(playground.expert(name)) for name in ("red", "green")]
    experts = [{"path": path, **more} for path, more in zip(paths, settings, strict=True)]
    config = playground.config(
        experts=experts, prepare=prepare, optimizer={"type": "random", "particles": 2, "iterations": 1}
    )
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = run_cli("search", tmp_path / "config.yaml", "--run-dir", tmp_path / "run")
    assert done.code == 0, done.err
    for form in ("hf", "recipe"):
        assert run_cli("export", tmp_path / "run", tmp_path / f"searched-{form}", "--format", form).code == 0
    searched = json.loads((tmp_path / "searched-recipe" / "recipe.json").read_text())
    found = [repr(each[0]) for each in searched["recipe"]["weights"]["coefficients"].values()]
    given = [word for path, c in zip(paths, found, strict=True) for word in ("--expert", f"{path}={c}")]
    words = ["--base", playground.base, "--dtype", "float32", *given, *shlex.split(options)]
    for form in ("hf", "recipe"):
        composed = run_cli("compose", *words, "-o", tmp_path / f"composed-{form}", "--format", form)
        assert composed.code == 0, composed.err
    ours, theirs = (
        {f.name: f.read_bytes() for f in (tmp_path / f"{by}-hf").iterdir()} for by in ("composed", "searched")
    )
    cards = [each.pop("README.md").decode() for each in (ours, theirs)]
    assert ours == theirs
    rows = [[line for line in card.splitlines() if line.startswith("| ") and paths[0] in line] for card in cards]
    assert rows[0] == rows[1] != []
    composed_recipe = json.loads((tmp_path / "composed-recipe" / "recipe.json").read_text())
    for key in ("base", "experts", "recipe", "dtype"):
        assert composed_recipe[key] == searched[key]


def test_prepared_from_python_and_without_a_preparation_other_weights(playground: Playground, tmp_path: Path) -> None:
    experts = {str(playground.expert(name)): 0.5 for name in ("red", "blue")}
    compose(playground, {"red": 0.5, "blue": 0.5}, tmp_path / "typed", "--prepare", "ties:density=0.3")
    compose(playground, {"red": 0.5, "blue": 0.5}, tmp_path / "plain")
    swarm.compose(playground.base, experts, tmp_path / "called", dtype="float32", prepare="ties:density=0.3")
    typed, plain, called = (TensorFiles.of(tmp_path / name).fingerprint for name in ("typed", "plain", "called"))
    assert typed == called != plain
    assert "ties (density 0.3)" in (tmp_path / "typed" / "README.md").read_text()
    with pytest.raises(ConfigError, match="is one text; give a list of them"):
        swarm.compose(playground.base, experts, tmp_path / "x", overrides="experts.0.svd=1")
