"""Proposals: CPU time that the coordinator takes for them, by the number of evaluations so far and of coordinates.

`guided_pso` and `bayesian`, sync: a generation, per evaluation. Async: a step, which proposes one position; the most
over forty steps holds a fit of the kernel. The utilities are a smooth function with noise; the evaluations so far lie
around its best, as those of a search do. Replay: a journal of 3,000 evaluations is read and its steps are taken, as a
resume does.
`cma_es` and `optuna` (TPE): a generation of ten, per evaluation.
All on one thread. CPU time, as others may use the cores at the same time.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from common import ROOT, Metric, main, options, say

sys.path.append(str(ROOT / "tests"))

import numpy as np

from support.optimizer_runs import grouped_space, space
from support.runs import START
from swarm.core.candidates import Evaluation
from swarm.core.outcomes import Feed, Outcome
from swarm.core.space import Array, Space
from swarm.journal.archive import Archive
from swarm.optimizers import OPTIMIZERS, Observation, Optimizer, Proposal
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.generational import ParticleGeneration
from swarm.optimizers.guided_pso import GuidedPSO
from swarm.optimizers.thread_limits import one_blas_thread
from swarm.search.asynchronous import AsynchronousSearch, is_checked
from swarm.search.loop import Loop

COUNTS = (100, 400, 1000, 2000, 5000)
COORDINATES = (8, 64)
GROUPS = (4, 12)
GENERATION = 10
STEPS = 40  # one of them fits the kernel
REPLAYED = 3000
SYNC_TARGETS = {(2000, 64): "<= 20", (5000, 64): "<= 50"}  # at 5,000: linear growth from 2,000
ASYNC_TARGETS = {(400, 64): "<= 30"}
NOISE = 0.03
Kind = type[GuidedPSO] | type[Bayesian]
KINDS: Mapping[str, Kind] = {"guided_pso": GuidedPSO, "bayesian": Bayesian}


class Utility:
    """A smooth function of positions, and noise."""

    def __init__(self, coordinates: int) -> None:
        self._rng = np.random.default_rng(0)
        self.best_D = self._rng.uniform(0.0, 0.5, coordinates)

    def __call__(self, x_D: Array) -> float:
        return float(np.exp(-3.0 * np.square(x_D - self.best_D).mean()) + self._rng.normal(0.0, NOISE))

    def near(self) -> Array:
        """A position as a search tries them: ever so far from the best."""
        width = self._rng.uniform(0.01, 0.5)
        return np.clip(self.best_D + self._rng.normal(0.0, width, len(self.best_D)), -0.5, 1.5)


UTILITIES = {coordinates: Utility(coordinates) for coordinates in COORDINATES}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds of CPU time, and what was returned."""
    began = time.process_time()
    result = call()
    return 1000.0 * (time.process_time() - began), result


def at(optimizer: Optimizer[Any], utility: Utility, count: int) -> tuple[Any, list[Proposal]]:
    """The state of an async search after so many evaluations, none of which it proposed, and what is open then."""
    state = optimizer.init(space(len(utility.best_D)), 0)
    queue = optimizer.ask(state)
    for _ in range(count):
        first, *queue = queue
        observation = Observation(first.iteration, first.particle, utility(first.x_D))
        state, proposals = optimizer.retrace(state, observation, utility.near())
        queue += proposals
    return state, queue


def steps(kind: Kind, coordinates: int, count: int) -> list[float]:
    """Milliseconds of the steps around so many evaluations."""
    optimizer, utility = kind(schedule="async", evaluations=None), Utility(coordinates)
    state, queue = at(optimizer, utility, max(0, count - STEPS // 2))
    found = []
    for _ in range(STEPS):
        first, *queue = queue
        observation = Observation(first.iteration, first.particle, utility(first.x_D))
        took, (state, proposals) = timed(partial(optimizer.step, state, observation))
        found.append(took)
        queue += proposals
    return found


def generations(optimizer: Optimizer[Any], state: Any, utility: Utility, first: int, last: int) -> float:
    """Milliseconds of a proposal once `first` evaluations are told, until `last` are."""
    spent, proposals, evaluations = 0.0, 0, 0
    while evaluations < last:
        asked = optimizer.ask(state)
        results = [Observation(each.iteration, each.particle, utility(each.x_D)) for each in asked]
        took, state = timed(partial(optimizer.tell, state, results))
        evaluations += len(asked)
        if evaluations > first:
            spent, proposals = spent + took, proposals + len(optimizer.ask(state))
    return spent / proposals


def known(optimizer: Optimizer[Any], where: Space, count: int) -> float:
    """As `generations`, after a history that the optimizer did not propose: whole searches would take long."""
    utility = Utility(where.dimensions)
    x_ND = np.stack([utility.near() for _ in range(count)])
    utilities_N = np.array([utility(x_D) for x_D in x_ND])
    history = tuple(
        ParticleGeneration(i, x_ND[rows], np.zeros(len(rows), bool), utilities_N[rows])
        for i, rows in enumerate(np.array_split(np.arange(count), count // GENERATION))
    )
    state = replace(optimizer.init(where, 0), history=history)
    return generations(optimizer, state, utility, 0, len(optimizer.ask(state)) + 4 * GENERATION)


def dictated(kind: Kind) -> Kind:
    """One that proposes by itself only in the steps that a replay takes again, and elsewhere what costs nothing."""
    taken = iter(range(REPLAYED))

    class Dictated(kind):  # type: ignore[valid-type, misc]
        def step(self, state: Any, observation: Observation) -> tuple[Any, list[Proposal]]:
            if is_checked(next(taken), REPLAYED, self.population):
                stepped: tuple[Any, list[Proposal]] = super().step(state, observation)
                return stepped
            return self.retrace(state, observation, UTILITIES[state.space.dimensions].near())

    return Dictated


def replay(kind: Kind, coordinates: int) -> float:
    """Seconds to open a journal of 3,000 evaluations and to take its steps, as a resume does."""
    settings: dict[str, Any] = {
        "schedule": "async", "evaluations": REPLAYED, "iterations": REPLAYED, "patience": None, "particles": GENERATION
    }  # fmt: skip
    utility = UTILITIES[coordinates]
    with tempfile.TemporaryDirectory() as folder:
        search(Path(folder), dictated(kind)(**settings), utility)
        took, reason = timed(lambda: search(Path(folder), kind(**settings), utility))
    assert reason == "evaluations", "nothing was left to score"
    return took / 1000.0


def search(folder: Path, optimizer: Optimizer[Any], utility: Utility) -> str:
    def evaluate(feed: Feed) -> Iterator[Outcome]:
        while feed:
            candidate = feed.popleft().candidate
            score = utility(np.array(candidate.position))
            yield Evaluation(candidate, "ok", {"right": score}, {"right": (score,)})

    archive = Archive(folder / "journal.jsonl")
    if archive.start is None:
        archive.append(START)
    place = space(len(utility.best_D))
    loop = Loop(optimizer, place, 0, {"right": 1.0}, archive, evaluate, lambda evaluation: None, finalists=4)
    return AsynchronousSearch(loop).run()


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    for kind, coordinates, count in product(KINDS, COORDINATES, arguments.evaluations):
        where = f"{coordinates} coordinates, {count:,} evaluations"
        say(f"proposing: {kind}, {where}")
        took = known(KINDS[kind](evaluations=None), space(coordinates), count)
        yield Metric("proposing", f"{kind}, sync, {where}", took, "ms", SYNC_TARGETS.get((count, coordinates)))
        each, target = steps(KINDS[kind], coordinates, count), ASYNC_TARGETS.get((count, coordinates))
        yield Metric("proposing", f"{kind}, async, {where}", float(np.mean(each)), "ms", target)
        yield Metric("proposing", f"{kind}, async, {where}, most", max(each), "ms")
    for kind, groups in product(KINDS, GROUPS):
        what = f"{kind}, {10 * groups} coordinates, {groups} groups of 10 experts, 400 evaluations"
        took = known(KINDS[kind](evaluations=None), grouped_space(10, groups), 400)
        yield Metric("proposing", what, took, "ms", "<= 150")
    for kind, coordinates in product(KINDS, () if arguments.no_replay else COORDINATES):
        where = f"{kind}, replay of {REPLAYED:,}, {coordinates} coordinates"
        say(f"proposing: {where}")
        yield Metric("proposing", where, replay(KINDS[kind], coordinates), "s", "<= 10")
    yield from others(arguments.evaluations)


def others(counts: Sequence[int]) -> Iterator[Metric]:
    """The optimizers that wrap a package."""
    for kind, coordinates, most in (("cma_es", 64, 1000), ("cma_es", 300, 1000), ("optuna", 8, 400)):
        optimizer = OPTIMIZERS[kind].model_validate({"type": kind})
        for count in (count for count in counts if count <= most):
            say(f"proposing: {kind}, {coordinates} coordinates, {count:,} evaluations")
            state, utility = optimizer.init(space(coordinates), 0), Utility(coordinates)
            took = generations(optimizer, state, utility, count - 3 * GENERATION, count)
            target = "<= 10" if (kind, coordinates) == ("cma_es", 300) else None
            yield Metric("proposing", f"{kind}, {coordinates} coordinates, {count:,} evaluations", took, "ms", target)


if __name__ == "__main__":
    made = options(__doc__)
    made.add_argument("--evaluations", type=int, nargs="+", default=COUNTS, help="evaluations so far")
    made.add_argument("--no-replay", action="store_true", help="leave out the replay")
    with one_blas_thread():
        main(run, made)
