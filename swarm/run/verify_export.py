"""Verifies an export: loaded without anything of the search, it must give the scores that the search saw."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from swarm.compositions.weights import Weights
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.errors import EvaluationError
from swarm.engines import Encoder
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.evaluation.workload import Examples, make_workload
from swarm.experts.catalog import ExpertSpec
from swarm.journal.summary import ExportCheck

TOLERANCE = 1e-3  # relative above 1, absolute below: likelihoods of an adapter differ by rounding


def verify_export(
    best: Path, export_format: str, spec: EvaluatorSpec, examples: Examples, seen: Evaluation
) -> ExportCheck:
    """Score the exported hf model or adapter on the first of the examples behind `seen`.

    Raises UserError where the export cannot be loaded, EvaluationError where it cannot be scored. An adapter in a
    lower dtype than float32 may differ on a few examples: its update is rounded apart from the base's weights.
    """
    if export_format == "adapter":
        loaded = replace(spec, composition=Weights(), experts=(ExpertSpec("best", best),))
    else:
        loaded = replace(spec, composition=Weights(), base=best, experts=())
    evaluator = loaded.open("verify-export")
    evaluator.load("search", make_workload(spec.objectives, examples, Encoder.of(loaded.base)))
    (again,) = evaluator.evaluate([Task(Candidate("best", (1.0,) * len(loaded.experts)))], "search")
    if again.status == "failed":
        raise EvaluationError(again.error)
    pairs = [pair for name, scores in again.examples.items() for pair in zip(seen.examples[name], scores, strict=False)]
    return ExportCheck(n=sum(len(part) for part in examples.values()), equal=_equal(pairs))


def _equal(pairs: Sequence[tuple[float, float]]) -> int:
    return sum(abs(old - new) <= TOLERANCE * max(1.0, abs(old)) for old, new in pairs)
