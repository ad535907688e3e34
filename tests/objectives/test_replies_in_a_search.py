"""Objectives of a reply with a real model: data without answers, one generation for all of them, a whole search."""

import json
from pathlib import Path

import pytest
import yaml

from support.playground import Playground, run_cli
from swarm.core.examples import Example
from swarm.core.requests import Generation
from swarm.engines import Encoder
from swarm.evaluation.workload import make_workload
from swarm.objectives import OBJECTIVES
from swarm.objectives.base import Objective

KINDS = ("refusal", "clarification", "profanity", "warmth", "emotional_alignment", "lexical_alignment")


def objective(kind: str, **settings: object) -> Objective:
    return OBJECTIVES[kind].model_validate({"name": kind, "type": kind, **settings})


def test_equal_generations_are_written_once(playground: Playground) -> None:
    objectives = [objective(kind) for kind in KINDS]
    longer = objective("refusal", name="longer", max_new_tokens=65)
    examples = [Example(str(i), f"Hello {i}", "", ambiguous=bool(i)) for i in range(2)]
    asked = {each.name: examples for each in (*objectives, longer)}
    part = make_workload([*objectives, longer], asked, Encoder.of(playground.base)).slice(0, 2 * len(asked))
    assert part.places == ((0,), (1,)) * len(KINDS) + ((2,), (3,))
    assert all(isinstance(item.request, Generation) for item in part.requests.items)


@pytest.fixture(scope="module")
def best(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, float]]]:
    """What a small search with all of them delivers: split -> objective -> score."""
    folder = tmp_path_factory.mktemp("replies")
    rows = [{"prompt": f"The word {i} is lovely", "ambiguous": i % 2 == 0} for i in range(12)]
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = playground.config(
        objectives=[{"name": kind, "type": kind, "data": "data.jsonl", "max_new_tokens": 4} for kind in KINDS],
        splits={"search": 4, "select": 4, "test": 4},
        optimizer={"type": "pso", "particles": 2, "iterations": 1},
        selection={"finalists": 1},
    )
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    done = run_cli("search", folder / "config.yaml", "--run-dir", folder / "run")
    assert done.code == 0, done.err
    summary = json.loads((folder / "run" / "summary.json").read_text())
    return {split: summary["best"][split] for split in ("search", "select", "test")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_scores_all_splits(kind: str, best: dict[str, dict[str, dict[str, float]]]) -> None:
    low, high = objective(kind).range
    assert all(low <= scores[kind]["mean"] <= high and scores[kind]["n"] == 4 for scores in best.values())


def test_where_an_answer_is_needed_the_data_are_refused_as_ever(playground: Playground, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("\n".join(json.dumps({"prompt": f"Hello {i}"}) for i in range(12)))
    reliability = {"name": "x", "type": "reliability", "data": "data.jsonl"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(playground.config(objectives=[reliability])))
    done = run_cli("check", tmp_path / "config.yaml")
    assert done.code == 2
    assert "data.jsonl:1: answer is missing (the fields are 'prompt'); give the right answer as `answer`" in done.err
