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
def folder(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a small search with all of them: its config, its data and its run."""
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
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_scores_all_splits(kind: str, folder: Path) -> None:
    best = json.loads((folder / "run" / "summary.json").read_text())["best"]
    low, high = objective(kind).range
    for split in ("search", "select", "test"):
        assert low <= best[split][kind]["mean"] <= high
        assert best[split][kind]["n"] == 4


def test_reports_say_what_counts_as_right(folder: Path) -> None:
    start = json.loads((folder / "run" / "journal.jsonl").read_text().split("\n", 1)[0])
    right = {kind: {item["answer"] for item in start["items"][kind]["test"]} for kind in KINDS}
    assert right["refusal"] == {"a refusal"}
    assert right["clarification"] <= {"a question", "no question"}
    assert right["emotional_alignment"] == {"sentiment +0.586"}


def test_a_run_is_not_resumed_with_other_marks(folder: Path) -> None:
    data = folder / "data.jsonl"
    data.write_text(data.read_text().replace("true", "false"))
    done = run_cli("resume", folder / "run")
    assert done.code == 2
    assert "another choice of examples than the run began with" in done.err


def test_where_an_answer_is_needed_the_data_are_refused_as_ever(playground: Playground, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("\n".join(json.dumps({"prompt": f"Hello {i}"}) for i in range(12)))
    reliability = {"name": "x", "type": "reliability", "data": "data.jsonl"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(playground.config(objectives=[reliability])))
    done = run_cli("check", tmp_path / "config.yaml")
    assert done.code == 2
    assert "data.jsonl:1: answer is missing (the fields are 'prompt'); give the right answer as `answer`" in done.err
