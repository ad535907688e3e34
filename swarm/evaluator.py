"""Scores one candidate: position to recipe, examples to requests, answers to per-example scores."""

import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swarm.compositions import Composition
from swarm.engines import Engine, EngineSettings
from swarm.errors import EvaluationError
from swarm.experts import Catalog, ExpertSpec, open_catalog
from swarm.objectives.base import Objective, Scored
from swarm.types import Candidate, Evaluation, Example, Reply, Request, Split

Examples = Mapping[str, Sequence[Example]]


@dataclass(frozen=True)
class EvaluatorSpec:
    """All that a worker needs to score candidates: small, and the same for every worker."""

    base: Path
    experts: tuple[ExpertSpec, ...]
    composition: Composition
    engine: EngineSettings
    objectives: tuple[Objective, ...]
    import_path: Path

    def open(self, worker: str) -> "Evaluator":
        """Load base and experts. Raises UserError where they cannot be loaded on this machine."""
        make_importable(self.objectives, self.import_path)
        catalog = open_catalog(self.base, self.experts)
        return Evaluator(self.engine.open(catalog), catalog, self.composition, self.objectives, worker)


def make_importable(objectives: Sequence[Objective], folder: Path) -> None:
    """The user's own functions are modules in a folder that the config names; last, so that they hide nothing."""
    if any(objective.type == "function" for objective in objectives) and str(folder) not in sys.path:
        sys.path.append(str(folder))


class Evaluator:
    """An engine, the objectives, and the examples of the splits it has been given."""

    def __init__(
        self,
        engine: Engine,
        catalog: Catalog,
        composition: Composition,
        objectives: Sequence[Objective],
        worker: str = "",
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._composition = composition
        self._objectives = tuple(objectives)
        self._worker = worker or f"pid-{os.getpid()}"
        self._splits: dict[Split, Examples] = {}

    def load(self, split: Split, examples: Examples) -> None:
        """Give the examples of a split, by objective. A split that was never given cannot be scored."""
        self._splits[split] = examples

    def evaluate(self, candidate: Candidate, split: Split) -> Evaluation:
        """Score the candidate on a split. A failure is an evaluation with status "failed", never an exception.

        Only the user's mistakes (UserError) come through: no other candidate would fare better.
        """
        start = time.perf_counter()
        try:
            reply, scored = self._score(candidate, self._splits[split])
        except (EvaluationError, RuntimeError, ArithmeticError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            seconds = time.perf_counter() - start
            return Evaluation(candidate, "failed", seconds=seconds, worker=self._worker, error=reason)
        return Evaluation(
            candidate,
            "ok",
            scores={name: math.fsum(item.score for item in items) / len(items) for name, items in scored.items()},
            examples={name: tuple(item.score for item in items) for name, items in scored.items()},
            outputs={name: tuple(item.output for item in items) for name, items in scored.items()},
            tokens=reply.tokens,
            seconds=time.perf_counter() - start,
            compose_seconds=reply.compose_seconds,
            forward_seconds=reply.forward_seconds,
            worker=self._worker,
        )

    def _score(self, candidate: Candidate, examples: Examples) -> tuple[Reply, dict[str, list[Scored]]]:
        recipe = self._composition.recipe(candidate.position, self._catalog)
        work = [(objective, example) for objective in self._objectives for example in examples[objective.name]]
        requests = [objective.requests(example) for objective, example in work]
        flat: list[Request] = [request for each in requests for request in each]
        (reply,) = self._engine.answer([recipe], flat)
        scored: dict[str, list[Scored]] = {objective.name: [] for objective in self._objectives}
        at = 0
        for (objective, example), asked in zip(work, requests, strict=True):
            item = objective.score(example, reply.answers[at : at + len(asked)])
            at += len(asked)
            if not math.isfinite(item.score):
                raise EvaluationError(f"objective {objective.name} gave {item.score} for example {example.id}")
            scored[objective.name].append(item)
        return reply, scored
