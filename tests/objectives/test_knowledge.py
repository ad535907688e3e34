"""Knowledge in a search: the base scores 0, candidates below, and an exported model is verified without it."""

from pathlib import Path

import pytest
import yaml

from support.playground import Playground, run_cli
from swarm.core.examples import Example
from swarm.core.requests import Continuation, Likelihood
from swarm.journal.summary import Summary
from swarm.objectives.knowledge import Knowledge


def test_the_score_is_minus_the_divergence_of_the_answer() -> None:
    objective, example = Knowledge(name="x"), Example("e", "The sky is", "blue")
    (request,) = objective.requests(example)
    assert isinstance(request, Continuation)
    assert (request.text, request.divergence) == (" blue", True)
    assert objective.score(example, [Likelihood(-3.0, 2, divergence=0.25)]).score == -0.25
    assert str(objective.score(example, [Likelihood(-3.0, 2, divergence=0.0)]).score) == "0.0"
    assert objective.range[1] == 0.0


@pytest.mark.parametrize("export", ["hf", "adapter"])
def test_in_a_search_the_base_is_nearest_to_itself(playground: Playground, tmp_path: Path, export: str) -> None:
    known = {"name": "known", "type": "knowledge", "data": str(playground.data), "weight": 0.1}
    config = playground.config()
    config |= {"objectives": [*config["objectives"], known], "export": {"format": export, "check_examples": 4}}
    config["optimizer"] |= {"iterations": 2}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = run_cli("search", tmp_path / "config.yaml", "--run-dir", tmp_path / "run")
    assert done.code == 0, done.err
    summary = Summary.read(tmp_path / "run" / "summary.json")
    known_of = {name: baseline.test["known"] for name, baseline in summary.baselines.items()}
    assert known_of.pop("base").mean == 0.0
    assert all(score.mean < 0.0 for score in known_of.values())
    assert summary.export_check is not None
    assert summary.export_check.n == summary.export_check.equal == (4 if export == "hf" else 8)
