"""Reference scores of a problem: the base, the best expert, the best uniform average, and the best known."""

from dataclasses import dataclass

import numpy as np
from cmaes import CMA

from bed.problem import Problem
from swarm.core.space import Array
from swarm.optimizers.base import Observation
from swarm.optimizers.bayesian import Bayesian

GENERATIONS = 12  # of `bayesian`, then as many of CMA-ES from its best
STARTS = 2


@dataclass(frozen=True)
class Reference:
    """True scores. `best` is from a search on the true score itself, which no compared method may do."""

    base: float
    expert: float
    uniform: float
    best: float

    @property
    def baseline(self) -> float:
        return max(self.base, self.expert, self.uniform)


def reference(problem: Problem) -> Reference:
    space = problem.space
    return Reference(
        base=problem.truth(space.neutral_D),
        expert=max(problem.truth(x_D) for x_D in space.experts_ED),
        uniform=max(problem.truth(x_D) for x_D in space.uniforms_UD),
        best=best_known(problem),
    )


def best_known(problem: Problem) -> float:
    return max(climbed(problem, 12345 + start) for start in range(STARTS))


def climbed(problem: Problem, seed: int) -> float:
    optimizer = Bayesian()
    state, top, top_D = optimizer.init(problem.space, seed), -np.inf, problem.space.neutral_D
    for _ in range(GENERATIONS):
        asked = optimizer.ask(state)
        results = [Observation(p.iteration, p.particle, problem.truth(p.x_D)) for p in asked]
        for proposal, result in zip(asked, results, strict=True):
            if result.utility > top:
                top, top_D = result.utility, proposal.x_D
        state = optimizer.tell(state, results)
    return max(top, polished(problem, top_D))


def polished(problem: Problem, x_D: Array) -> float:
    strategy, top = CMA(x_D, 0.05, seed=1, population_size=10), -np.inf
    for _ in range(GENERATIONS):
        asked = [strategy.ask() for _ in range(strategy.population_size)]
        truths = [problem.truth(x) for x in asked]
        strategy.tell([(x, -truth) for x, truth in zip(asked, truths, strict=True)])
        top = max(top, *truths)
    return top
