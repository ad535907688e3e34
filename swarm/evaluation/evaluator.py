"""Scores candidates: position to recipe, examples to answers in rungs, answers to per-example scores."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from swarm.compositions import Composition
from swarm.core.candidates import Evaluation, Task
from swarm.core.errors import EvaluationError
from swarm.core.examples import Split
from swarm.engines import Engine, EngineSettings
from swarm.evaluation.partial import PartialEvaluation
from swarm.evaluation.racing import Race, Racing
from swarm.evaluation.workload import Part, Workload
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.objectives.base import Objective

FAILURES = (EvaluationError, RuntimeError, ArithmeticError)


@dataclass(frozen=True)
class EvaluatorSpec:
    """All that a worker needs to score candidates: small, and the same for every worker."""

    base: Path
    experts: tuple[ExpertSpec, ...]
    composition: Composition
    engine: EngineSettings
    objectives: tuple[Objective, ...]
    import_path: Path
    racing: Racing = field(default_factory=Racing)

    def open(self, worker: str) -> "Evaluator":
        """Load base and experts. Raises UserError where they cannot be loaded on this machine."""
        make_importable(self.objectives, self.import_path)
        catalog = open_catalog(self.base, self.experts)
        return Evaluator(self.engine.open(catalog), catalog, self, worker)


def make_importable(objectives: Sequence[Objective], folder: Path) -> None:
    """The user's own functions are modules in a folder that the config names; last, so that they hide nothing."""
    if any(objective.type == "function" for objective in objectives) and str(folder) not in sys.path:
        sys.path.append(str(folder))


class Evaluator:
    """An engine, the objectives, and the examples of the splits it has been given."""

    def __init__(self, engine: Engine, catalog: Catalog, spec: EvaluatorSpec, worker: str = "") -> None:
        self._engine = engine
        self._catalog = catalog
        self._spec = spec
        self._objectives = {objective.name: objective for objective in spec.objectives}
        self._worker = worker or f"pid-{os.getpid()}"
        self._splits: dict[Split, Workload] = {}

    def load(self, split: Split, workload: Workload) -> None:
        """Give the examples of a split. A split that was never given cannot be scored."""
        self._splits[split] = workload

    def evaluate(self, tasks: Sequence[Task], split: Split) -> list[Evaluation]:
        """Score candidates on a split, together where that is faster. A failure is an evaluation with status
        "failed", never an exception.

        Only the user's mistakes (UserError) come through: no other candidate would fare better.
        """
        workload = self._splits[split]
        laps = [self._start(task, workload) for task in tasks]
        self._run(laps, workload)
        return [lap.evaluation(self._worker) for lap in laps]

    def _start(self, task: Task, workload: Workload) -> PartialEvaluation:
        race = Race(
            settings=self._spec.racing,
            pruning=task.pruning,
            sizes=workload.sizes,
            ranges={name: objective.range for name, objective in self._objectives.items()},
            weights={name: objective.weight for name, objective in self._objectives.items()},
            strata=workload.tasks,
        )
        recipe = self._spec.composition.recipe(task.candidate.position, self._catalog)
        return PartialEvaluation(task.candidate, recipe, race)

    def _run(self, laps: Sequence[PartialEvaluation], workload: Workload) -> None:
        """All laps to their end, rung by rung: side by side as long as the engine gains by it."""
        going = [lap for lap in laps if not lap.done]
        while going:
            # A candidate's rungs are its own, whoever goes beside it: so is its score.
            at, rung = min((lap.at, lap.next_rung) for lap in going)
            beside = [lap for lap in going if (lap.at, lap.next_rung) == (at, rung)]
            part = workload.part(at, rung)
            if len(beside) > 1 and not self._engine.joins([lap.recipe for lap in beside], part.requests):
                for lap in beside:
                    self._run([lap], workload)
            else:
                self._step(beside, part)
            going = [lap for lap in going if not lap.done]

    def _step(self, laps: Sequence[PartialEvaluation], part: Part) -> None:
        """One rung. What fails together is tried one by one, so that a failure has one name."""
        try:
            replies = self._engine.answer([lap.recipe for lap in laps], part.requests)
        except FAILURES as error:
            if len(laps) == 1:
                laps[0].fail(error)
            for lap in laps if len(laps) > 1 else ():
                self._step([lap], part)
            return
        for lap, reply in zip(laps, replies, strict=True):
            try:
                lap.take(part, reply, self._objectives)
            except FAILURES as error:
                lap.fail(error)
