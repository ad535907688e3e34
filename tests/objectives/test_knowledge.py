"""Knowledge in a search: the base scores 0, candidates below, and an exported model is verified without it."""

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from support.playground import Playground, run_cli
from swarm import zoo
from swarm.compositions.weights import Weights
from swarm.core.examples import Example
from swarm.core.requests import Continuation, Likelihood
from swarm.engines import Encoder
from swarm.engines.transformers.engine import TransformersSettings
from swarm.experts.catalog import ExpertSpec, open_catalog
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


@pytest.mark.real
def test_on_smollm2_it_falls_with_the_coefficient() -> None:
    facts = (
        "The capital of France is Paris, a city on the river Seine.",
        "Water boils at 100 degrees Celsius at sea level.",
        "Shakespeare wrote Hamlet around the year 1600.",
        "The heart pumps blood through the body.",
        "Plants make sugar from light, water and carbon dioxide.",
        "The Second World War ended in 1945.",
    )
    words = [fact.split() for fact in facts]
    examples = [Example(str(i), " ".join(each[:3]), " ".join(each[3:])) for i, each in enumerate(words)]
    expert = ExpertSpec("chain_sum", zoo.locate("zoo:smollm2/chain_sum"))
    catalog = open_catalog(zoo.locate("zoo:smollm2"), [expert])
    objective, scores = Knowledge(name="x"), []
    requests = Encoder.of(catalog.base.path).encode([each for e in examples for each in objective.requests(e)])
    engine = TransformersSettings(device="cpu", dtype="float32").open(catalog)
    for coefficient in (0.0, 0.25, 0.5, 1.0, 1.5):
        (reply,) = engine.answer([Weights().recipe((coefficient,), catalog)], requests)
        found = [objective.score(e, [answer]).score for e, answer in zip(examples, reply.answers, strict=True)]
        scores.append(sum(found) / len(found))
    print(" ".join(f"{score:.4f}" for score in scores))
    assert scores[0] == 0.0
    assert all(one > other for one, other in pairwise(scores))
