"""A short timing of the user's own model on this machine: how long loading it takes, and scoring a candidate."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from swarm.core.candidates import Candidate, PruningBounds, Task
from swarm.engines.threads import limited_threads
from swarm.evaluation.evaluator import Evaluator
from swarm.evaluation.racing import rung_sizes
from swarm.evaluation.workload import Workload
from swarm.run.plan import Plan

SCORING_SECONDS = 2.0  # spent on scoring, more or less
ENOUGH_SECONDS = 0.5  # a sample that takes as long tells what an example costs
FIRST_EXAMPLES, GROWTH = 4, 4


@dataclass(frozen=True)
class ModelTiming:
    """What was measured.

    open_seconds: to load base and experts and try the ways of batching.
    fixed_seconds: of an evaluation, whatever its examples.
    example_seconds: of an evaluation, per example.
    problem: why a candidate could not be scored; "" where all could.
    """

    open_seconds: float
    fixed_seconds: float
    example_seconds: float
    problem: str = ""

    def evaluation(self, examples: int) -> float:
        """Seconds to score one candidate."""
        return self.fixed_seconds + examples * self.example_seconds


@dataclass(frozen=True)
class Sample:
    """So many examples, the seconds that a candidate took for them, and why one failed; "" where none did."""

    examples: int
    seconds: float
    problem: str


def time_model(plan: Plan, threads: int | None) -> ModelTiming:
    """Load the engine in this process and score a few candidates. Raises what a search would raise.

    threads: that a worker has; None: those of this process.
    """
    with limited_threads(threads):
        start = time.perf_counter()
        evaluator = plan.spec.open("check")
        opened = time.perf_counter() - start
        samples = list(_samples(plan, evaluator))
    failures = (f"a candidate could not be scored: {sample.problem}" for sample in samples if sample.problem)
    problem = next(failures, "")
    few, most = samples[max(0, len(samples) - 2)], samples[-1]
    # A fixed part of more than half would be noise.
    each = mean = most.seconds / most.examples
    if len(samples) > 1:
        each = max(mean / 2, min(mean, (most.seconds - few.seconds) / (most.examples - few.examples)))
    return ModelTiming(opened, most.seconds - each * most.examples, each, problem)


def _samples(plan: Plan, evaluator: Evaluator) -> Iterator[Sample]:
    """Ever larger parts of the search split."""
    whole = plan.workloads["search"]
    bundles = _bundles(plan, plan.bundle_sizes(PruningBounds()))
    size = min(FIRST_EXAMPLES, whole.total)
    evaluator.load("search", _part(whole, size))
    evaluator.evaluate([_warm_up(plan)])
    began = time.perf_counter()
    for tasks in bundles:
        evaluator.load("search", _part(whole, size))
        start = time.perf_counter()
        found = evaluator.evaluate(tasks)
        seconds = (time.perf_counter() - start) / len(tasks)
        yield Sample(size, seconds, next((each.error for each in found if each.status == "failed"), ""))
        spent = time.perf_counter() - began
        enough = seconds > ENOUGH_SECONDS and size > FIRST_EXAMPLES  # the first tells no fixed part from the rest
        if size == whole.total or enough or spent > SCORING_SECONDS:
            return
        size = min(GROWTH * size, whole.total)


def _part(whole: Workload, count: int) -> Workload:
    """The first so many examples."""
    sizes = rung_sizes(count, whole.sizes)
    return Workload({name: own[: sizes[name]] for name, own in whole.examples.items()})


def _warm_up(plan: Plan) -> Task:
    """A candidate that is none of those timed: what an engine keeps of it makes none of them faster."""
    position = tuple(map(float, plan.space.experts_ED.mean(axis=0) / 2))
    return Task(Candidate("check-warm-up", position))


def _bundles(plan: Plan, together: int) -> Iterator[list[Task]]:
    """Candidates as a search scores them, new ones in each bundle: what an engine keeps of one makes no other faster.

    They are the optimizer's first ones, without the base alone, and then the same with ever smaller coefficients.
    """
    optimizer = plan.config.optimizer
    found = [tuple(map(float, each.x_D)) for each in optimizer.ask(optimizer.init(plan.space, plan.config.seed))]
    base = tuple(map(float, plan.space.neutral_D))
    positions = [each for each in found if each != base] or found
    for number in count():
        chosen = [positions[(number * together + i) % len(positions)] for i in range(min(together, len(positions)))]
        smaller = [tuple((1 - number / 64) * value for value in position) for position in chosen]
        yield [Task(Candidate(f"check-{number}-{i}", position)) for i, position in enumerate(smaller)]
