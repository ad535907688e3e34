"""Scores candidates: position to recipe, examples to answers rung by rung, answers to per-example scores."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from swarm.compositions import Composition
from swarm.core.candidates import Evaluation, PruningBounds, Task
from swarm.core.errors import ConfigError, DeviceError, EvaluationError
from swarm.core.examples import Split
from swarm.engines import Engine, EngineSettings
from swarm.evaluation.partial import PartialEvaluation
from swarm.evaluation.racing import Race, Racing
from swarm.evaluation.workload import Workload, WorkloadSlice
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.objectives.base import Objective

# What ends one candidate and not the worker. torch raises RuntimeError for whatever goes wrong on a device; in our own
# scoring one would be a bug, and comes through.
ENGINE_FAILURES = (EvaluationError, RuntimeError, ArithmeticError)
SCORING_FAILURES = (EvaluationError, ArithmeticError)
EXAMPLES_OF_BASE = 16  # on which a base in float16 must give finite numbers before anything is scored
CODE_IS_WRONG = (NotImplementedError, RecursionError)  # RuntimeErrors that come again on every machine


@dataclass(frozen=True)
class EvaluatorSpec:
    """All that a worker needs to score candidates: small, and the same for every worker.

    base: the folder of the base checkpoint.
    experts: their names and folders, in the order of the coordinates.
    composition: what a position means.
    engine: how weights are held and requests answered.
    objectives: what is scored.
    import_path: the folder from which the user's own functions are imported.
    racing: when candidates may be stopped.
    """

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
    """Put the folder of the user's own functions on the import path; last, so that it hides no other module."""
    if any(objective.uses_modules for objective in objectives) and str(folder) not in sys.path:
        sys.path.append(str(folder))


def race_of(spec: EvaluatorSpec, workload: Workload, pruning: PruningBounds) -> Race:
    """The race of a candidate with these bounds."""
    return Race(
        settings=spec.racing,
        pruning=pruning,
        sizes=workload.sizes,
        ranges={objective.name: objective.signed_range for objective in spec.objectives},
        weights={objective.name: objective.weight for objective in spec.objectives},
        strata=workload.tasks,
    )


class Evaluator:
    """An engine, the objectives, and the examples of the splits that were loaded."""

    def __init__(self, engine: Engine, catalog: Catalog, spec: EvaluatorSpec, worker: str = "") -> None:
        self._engine = engine
        self._catalog = catalog
        self._spec = spec
        self._objectives = {objective.name: objective for objective in spec.objectives}
        self._worker = worker or f"pid-{os.getpid()}"
        self._splits: dict[Split, Workload] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of how the engine runs this base."""
        return self._engine.notes

    def load(self, split: Split, workload: Workload) -> None:
        """Give the examples of a split. A split that was never given cannot be scored.

        Raises ConfigError where the base itself cannot be scored in float16.
        """
        self._splits[split] = workload
        if split == "search" and self._spec.engine.dtype == "float16":
            self._check_base(workload)

    def _check_base(self, workload: Workload) -> None:
        """Raise ConfigError where float16 overflows in the base itself, as then it does in every candidate."""
        base = self._spec.composition.space(self._catalog).neutral_D
        recipe = self._spec.composition.recipe(tuple(float(x) for x in base), self._catalog)
        part = workload.slice(0, min(EXAMPLES_OF_BASE, workload.total))
        try:
            self._engine.answer([recipe], part.requests)
        except DeviceError:
            raise
        except EvaluationError as error:
            raise ConfigError(
                f"engine.dtype: float16 is too narrow for the base itself ({error}); set engine.dtype to bfloat16"
            ) from error

    def evaluate(self, tasks: Sequence[Task]) -> list[Evaluation]:
        """Score tasks of one split, together where that is faster.

        What the engine or an objective cannot score becomes an evaluation with status "failed". The user's mistakes
        (UserError) and bugs of our own come through: another candidate would fare no better.
        """
        workload = self._splits[tasks[0].split]
        partials = [self._start(task, workload) for task in tasks]
        self._run(partials, workload)
        return [replace(partial.evaluation(self._worker), split=tasks[0].split) for partial in partials]

    def _start(self, task: Task, workload: Workload) -> PartialEvaluation:
        race = race_of(self._spec, workload, task.pruning)
        recipe = self._spec.composition.recipe(task.candidate.position, self._catalog)
        return PartialEvaluation(task.candidate, recipe, race)

    def _run(self, partials: Sequence[PartialEvaluation], workload: Workload) -> None:
        """Score all of them to their end, rung by rung: in one batch as long as that is faster."""
        unfinished = [partial for partial in partials if not partial.done]
        while unfinished:
            # A candidate's rungs, and so its score, do not depend on the others.
            start, rung = min((partial.n_scored, partial.next_rung) for partial in unfinished)
            batch = [partial for partial in unfinished if (partial.n_scored, partial.next_rung) == (start, rung)]
            part = workload.slice(start, rung)
            if len(batch) > 1 and not self._engine.joins([partial.recipe for partial in batch], part.requests):
                for partial in batch:
                    self._run([partial], workload)
            else:
                self._score(batch, part)
            unfinished = [partial for partial in unfinished if not partial.done]

    def _score(self, partials: Sequence[PartialEvaluation], part: WorkloadSlice) -> None:
        """One rung. Candidates that fail together are tried one by one, to find the one that fails."""
        try:
            replies = self._engine.answer([partial.recipe for partial in partials], part.requests)
        except ENGINE_FAILURES as error:
            if len(partials) == 1:
                partials[0].fail(error, transient=_may_be_the_machine(error))
            for partial in partials if len(partials) > 1 else ():
                self._score([partial], part)
            return
        for partial, reply in zip(partials, replies, strict=True):
            try:
                partial.take(part, reply, self._objectives)
            except SCORING_FAILURES as error:
                partial.fail(error, transient=False)


def _may_be_the_machine(error: Exception) -> bool:
    """Whether what an engine raised may be the device's fault; a verdict on the candidate is an EvaluationError."""
    return isinstance(error, DeviceError | RuntimeError) and not isinstance(error, CODE_IS_WRONG)
