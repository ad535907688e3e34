"""A short timing of the optimizer on this machine: how long its proposals take, from the first to the last.

It is asked and told, with made-up utilities, until a second has passed. What is not tried is between the last times and
the time of a proposal at the end of the search, which an optimizer that remembers is brought to without a search.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from swarm.core.space import Space
from swarm.optimizers import Optimizer
from swarm.optimizers.base import Observation, PriorResult, Proposal
from swarm.run.plan import Plan

ASKING_SECONDS = 1.0
LAST_SECONDS = 3.0  # at most, to time proposals at the end of the search
LAST_PROPOSALS = 50  # as often as many a model is fitted anew, once it has hundreds of observations
MOST_KNOWN = 10_000  # observations that an optimizer is brought to: more take long to make up
FEWEST_FITTED = 4  # generations whose times may show a trend


@dataclass(frozen=True)
class OptimizerTiming:
    """Seconds that the optimizer takes for its generations; evaluations: it ends by itself after so many, or None."""

    seconds: float
    evaluations: int | None


def time_optimizer(plan: Plan, generations: int) -> OptimizerTiming:
    """The time that so many generations add to a search: none where the workers go on meanwhile."""
    optimizer, config = plan.config.optimizer, plan.config
    if optimizer.schedule == "async" or (optimizer.proposes_ahead and config.cluster.on_ray):
        return OptimizerTiming(0.0, None)
    return time_proposals(optimizer, plan.space, config.seed, generations)


def time_proposals(
    optimizer: Optimizer[Any],
    space: Space,
    seed: int,
    generations: int,
    clock: Callable[[], float] = time.perf_counter,
) -> OptimizerTiming:
    """The time of so many generations; what is not tried is estimated. clock: in seconds."""
    state = optimizer.init(space, seed)
    began = clock()
    asked = optimizer.ask(state)
    evaluations, took = len(asked), list[float]()
    while len(took) < generations - 1:
        start = clock()
        state = optimizer.tell(state, _made_up(asked, evaluations))
        asked = optimizer.ask(state)
        evaluations += len(asked)
        now = clock()
        took.append(now - start)
        if not asked:
            return OptimizerTiming(now - began, evaluations)
        if now - began > ASKING_SECONDS:
            left, each = generations - 1 - len(took), len(asked)
            last_rate = _rate_at_end(optimizer, space, seed, evaluations + left * each, clock) if left else None
            return OptimizerTiming(now - began + _untried(took, left, each, last_rate), None)
    return OptimizerTiming(clock() - began, None)


def _untried(took: Sequence[float], left: int, each: int, last_rate: float | None) -> float:
    """Seconds of the generations that are left, of so many proposals each.

    took: seconds of those before. last_rate: seconds of a proposal at the end; None where it is not known: then the
    times follow their trend.
    """
    now, growth = _trend(took)
    last = now + growth * left if last_rate is None else last_rate * each
    return left * (now + last) / 2


def _trend(took: Sequence[float]) -> tuple[float, float]:
    """Seconds of a generation now, and by how much they grow with each; of too few, in proportion to their number.

    It is the line through the later half, as the first generations load packages and fit little.
    """
    if len(took) < FEWEST_FITTED:
        return took[-1], took[-1] / len(took)
    later = np.array(took[len(took) // 2 :])
    growth = max(0.0, float(np.polyfit(np.arange(len(later)), later, 1)[0]))
    return float(later.mean()) + growth * (len(later) - 1) / 2, growth


def _rate_at_end(
    optimizer: Optimizer[Any], space: Space, seed: int, evaluations: int, clock: Callable[[], float]
) -> float | None:
    """Seconds of each of the last proposals of so many; None for an optimizer that remembers nothing."""
    if not optimizer.remembers:
        return None
    count = min(max(1, evaluations - LAST_PROPOSALS), MOST_KNOWN)
    x_ND = np.random.default_rng(seed).uniform(space.low_D, space.high_D, (count, space.dimensions))
    known = [PriorResult(x_D, _utility(i)) for i, x_D in enumerate(x_ND)]
    start = clock()
    state = optimizer.remember(optimizer.init(space, seed), known)
    asked = optimizer.ask(state)
    proposals, seconds = len(asked), clock() - start
    while proposals < LAST_PROPOSALS and seconds < LAST_SECONDS:
        state = optimizer.tell(state, _made_up(asked, count + proposals))
        asked = optimizer.ask(state)
        proposals, seconds = proposals + len(asked), clock() - start
    return seconds / proposals


def _made_up(asked: Sequence[Proposal], first: int) -> list[Observation]:
    return [Observation(each.iteration, each.particle, _utility(first + i)) for i, each in enumerate(asked)]


def _utility(i: int) -> float:
    """Made up, without a pattern: multiples of the golden ratio."""
    return i * 0.618034 % 1.0
