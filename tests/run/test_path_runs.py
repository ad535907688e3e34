"""Runs with experts on logits, mixed or routed: killed and resumed, on one and two workers, the same journal."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from support.bad_paths import make_layer
from support.kill_points import run_cli_forked
from support.models import load, make_base, make_tokenizer
from support.playground import Playground, make_playground, run_cli, summary_of
from support.routers import write_random_router
from support.runs import journal, timeless
from swarm.compositions.routed import Routed
from swarm.core.errors import ConfigError
from swarm.engines.transformers.logits_cache import check_room
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.run.choice import FinishedFront
from swarm.run.decisions import read_decisions
from swarm.run.summarise_front import recipe_coefficients

ROUTED = ("red", "green", "blue")
KINDS = ("logits", "probabilities", "control", "mixed", "routed", "clusters")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    """A playground with two small models, two control layers, and a router of its three adapters."""
    played = make_playground(tmp_path_factory.mktemp("paths"))
    for seed, name in enumerate(("small", "tuned"), 5):
        make_base(played.folder / name, seed=seed, layers=1, hidden=16)
    for name in ("first", "second"):
        make_layer(played.folder / name, played.base)
    catalog = open_catalog(played.base, [ExpertSpec(name, played.expert(name)) for name in ROUTED])
    write_random_router(played.folder / "router", catalog)
    return played


def sections(played: Playground, kind: str) -> Mapping[str, object]:
    """Experts and composition of a config."""
    at = {name: str(played.folder / name) for name in ("red", "green", "blue", "small", "tuned", "first", "second")}
    pair = {"name": "pair", "path": at["tuned"], "minus": at["small"]}
    router = {"type": "routed", "router": str(played.folder / "router")}
    experts: dict[str, list[object]] = {
        "logits": [at["red"], pair],
        "probabilities": [at["red"], pair | {"minus": "base"}],
        "control": [at["first"], at["second"]],
        "mixed": [at["red"], at["green"], at["blue"], pair, at["first"]],
        "routed": [at[name] for name in ROUTED],
        "clusters": [at[name] for name in ROUTED],
    }
    compositions: dict[str, dict[str, object]] = {
        "logits": {"type": "logits"},
        "probabilities": {"type": "logits", "combine": "probabilities"},
        "control": {"type": "control"},
        "mixed": {
            "type": "mixed",
            "weights": ["red", "green"],
            "logits": ["red", "blue", "pair", "first"],
            "scales": {"red.weights": 1.5, "pair.logits": 0.5},
        },
        "routed": router,
        "clusters": router | {"by": "clusters", "clusters": 2},
    }
    return {"experts": experts[kind], "composition": compositions[kind]}


def config_of(played: Playground, kind: str, **more: object) -> Path:
    """A search of five candidates, which does not begin with the baselines alone."""
    file = played.folder / f"{kind}.yaml"
    small = {
        "optimizer": {"type": "random", "particles": 5, "iterations": 1},
        "splits": {"search": 6, "select": 6, "test": 8},
        "cluster": {"type": "local"},
        "export": {"format": "recipe"},
    }
    file.write_text(yaml.safe_dump(played.config(**{**small, **sections(played, kind), **more})))
    return file


SELDOM = ("probabilities", "clusters")  # as logits and routed but for what is combined


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] * (k in SELDOM)) for k in KINDS])
def test_killed_and_resumed_its_journal_is_that_of_an_undisturbed_run(
    played: Playground, kind: str, tmp_path: Path
) -> None:
    config, straight, torn = config_of(played, kind), tmp_path / "straight", tmp_path / "torn"
    whole = run_cli_forked("search", config, "--run-dir", straight, at=straight, point=0)
    assert whole.code == 0, whole.err
    middle = len(whole.events) // 2
    assert run_cli_forked("search", config, "--run-dir", torn, at=torn, point=middle).code == -9
    ended = run_cli_forked("resume", torn, at=torn)
    assert ended.code == 0, ended.err
    assert timeless(journal(torn)) == timeless(journal(straight))
    assert summary_of(torn) == summary_of(straight)


def test_a_check_names_the_models_that_run(played: Playground) -> None:
    done = run_cli("check", config_of(played, "mixed"))
    assert done.code == 0, done.err
    assert "logits       composition mixed: base, red, blue, pair, first run for each candidate" in done.out


def test_a_padded_vocabulary_and_a_tied_head_are_accepted(played: Playground, tmp_path: Path) -> None:
    """Rows beyond the tokenizer's are no mistake, and a layer goes before a base whose head is its embeddings."""
    padded = load(played.folder / "tuned")
    padded.resize_token_embeddings(336)  # type: ignore[operator]
    padded.save_pretrained(tmp_path / "padded")  # type: ignore[operator]
    make_tokenizer().save_pretrained(tmp_path / "padded")
    pair = {"path": str(tmp_path / "padded"), "minus": str(played.folder / "small")}
    done = run_cli("search", config_of(played, "logits", experts=[pair]), "--run-dir", tmp_path / "padded-run")
    assert done.code == 0, done.err
    base = make_base(tmp_path / "tied", tied=True)
    layer = make_layer(tmp_path / "layer", base)
    tied = config_of(played, "control", base=str(base), experts=[str(layer)])
    done = run_cli("search", tied, "--run-dir", tmp_path / "tied-run")
    assert done.code == 0, done.err


def test_a_cache_larger_than_the_disk_is_refused() -> None:
    check_room(0.0)
    with pytest.raises(ConfigError, match=r"the cache of logits needs .* to spare; set TMPDIR to a larger disk"):
        check_room(1e18)


def test_a_mixed_run_says_where_each_coefficient_acts(played: Playground, tmp_path: Path) -> None:
    """By expert and place in the summary; a listed pair's coefficient is its coordinate times the unit of 0.5."""
    run = tmp_path / "run"
    assert run_cli("search", config_of(played, "mixed"), "--run-dir", run).code == 0
    best = json.loads((run / "summary.json").read_text())["best"]["coefficients"]
    both, alone = ["weights", "logits"], ["logits"]
    places = {"red": both, "green": ["weights"], "blue": alone, "pair": alone, "first": alone}
    assert {name: list(groups) for name, groups in best.items()} == places
    listed = {each["id"]: each for each in json.loads(run_cli("candidates", run, "--json").out)["candidates"]}
    searched = [line for line in journal(run) if line["kind"] == "evaluation"]
    for line in searched:
        at = dict(zip(journal(run)[0]["coordinates"], line["position"], strict=True))
        if line["id"] in listed:
            assert listed[line["id"]]["coefficients"]["pair.logits"] == pytest.approx(0.5 * at["pair.logits"])
    assert {line["id"] for line in searched} & listed.keys()


def test_choices_from_a_mixed_front_hold_coefficients(played: Playground, tmp_path: Path) -> None:
    """The context map and a recorded point of the front have the numbers of the recipe, not positions in units."""
    words = {"type": "multiple_choice", "data": str(played.data)}
    objectives = [{"name": name, **words} for name in ("a", "b")]
    front = {"optimizer": {"goal": "front", "evaluations": 14}, "objectives": objectives}
    run, dest = tmp_path / "run", tmp_path / "dest"
    assert run_cli("search", config_of(played, "mixed", **front), "--run-dir", run).code == 0
    units = FinishedFront.of(run).coefficients([1.0] * 6)
    assert units == dict.fromkeys(units, 1.0) | {"red.weights": 1.5, "pair.logits": 0.5}
    assert run_cli("dial", run, "--prefer", "a=1", "-o", dest, "--format", "recipe").code == 0
    recipe = json.loads((dest / "recipe.json").read_text())["recipe"]
    expected = {f"{name}.logits": c for name, c in recipe["logits"]["coefficients"].items()}
    expected |= {f"{name}.weights": recipe["weights"]["coefficients"][name][0] for name in ("red", "green")}
    assert any(expected.values())
    recorded = read_decisions(run)[-1].coefficients
    assert recorded == pytest.approx(expected)
    assert run_cli("export", run, tmp_path / "map", "--context-map").code == 0
    rows = json.loads((tmp_path / "map" / "context_map.json").read_text())["map"]
    assert recorded in [row["coefficients"] for row in rows if row["preference"]["a"] == 1.0]


def test_a_routed_result_says_how_its_router_is_used(played: Playground) -> None:
    """By the names that a search has; the strength as it acts, and nothing of the router where it does not."""
    catalog = open_catalog(played.base, [ExpertSpec(name, played.expert(name)) for name in ROUTED])
    composition = Routed(router=str(played.folder / "router"))
    names = composition.space(catalog).coordinates
    position = [round(0.1 * i, 1) for i in range(1, len(names) + 1)]

    def told(strength: float) -> Mapping[str, Mapping[str, float]]:
        at = dict(zip(names, position, strict=True)) | {"router.strength": strength}
        return recipe_coefficients(composition.recipe(list(at.values()), catalog), names, list(at.values()))

    expected = {name: {"": value} for name, value in zip(names, position, strict=True)}
    assert told(0.7) == expected | {"router.strength": {"": 0.7}}
    assert told(1.4) == expected | {"router.strength": {"": 1.0}}
    assert told(0.0) == {"red": {"": 0.1}, "green": {"": 0.2}, "blue": {"": 0.3}}
    assert {"router.bias.red", "router.sharpness", "router.natural"} < told(1.0).keys()


def test_a_sweep_moves_each_expert_in_each_place(played: Playground, tmp_path: Path) -> None:
    config = config_of(played, "mixed")
    done = run_cli("sweep", config, "--step", "1", "--experts", "red.logits,pair", "--run-dir", tmp_path / "sweep")
    assert done.code == 0, done.err
    points = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["points"]
    assert {point["id"] for point in points} == {
        "base", "red.logits=-1", "expert:red.logits", "pair=-1", "expert:pair",
    }  # fmt: skip


def by_candidate(run: Path) -> dict[tuple[str, str, str], object]:
    """Every line that was scored, whatever the order in which workers were done."""
    scored = [line for line in timeless(journal(run)) if line["kind"] in ("evaluation", "select", "test")]
    return {(line["kind"], line["split"], line["id"]): line for line in scored}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_workers_of_ray_score_the_same(played: Playground, kind: str, tmp_path: Path) -> None:
    alone, many = tmp_path / "alone", tmp_path / "many"
    assert run_cli("search", config_of(played, kind), "--run-dir", alone).code == 0
    config = config_of(played, kind, cluster={"type": "ray", "workers": 2, "cpus_per_worker": 1})
    done = run_cli("search", config, "--run-dir", many)
    assert done.code == 0, done.err
    assert by_candidate(many) == by_candidate(alone)
