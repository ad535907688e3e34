"""One trial: a compared method on a problem with a seed, and the true hypervolume of what it delivers.

Shape suffixes: N positions, D coordinates, K objectives.
"""

import time
from dataclasses import dataclass

import numpy as np

from fronts_bed.contenders import Contender
from fronts_bed.delivery import front_of, hypervolume, posterior_means
from fronts_bed.problem import FrontProblem, Scores
from swarm.core.space import Array


@dataclass(frozen=True)
class Trial:
    """The outcome of one search.

    observed: the true hypervolume of the front of the observed scores.
    claimed: the observed hypervolume of that front.
    posterior: the true hypervolume of the front of posterior means; without noise the observed one.
    scored: candidates.
    proposing: processor seconds that the method itself took.
    delivered: true values of both fronts, without dominated ones.
    """

    observed: float
    claimed: float
    posterior: float
    scored: int
    proposing: float
    delivered: list[list[float]]


def run_trial(problem: FrontProblem, contender: Contender, seed: int, evaluations: int) -> Trial:
    x_ND, scores, proposing = searched(problem, contender, seed, evaluations)
    means_NK = posterior_means(problem.space, x_ND, scores) if problem.noisy else scores.values_NK
    fronts = [front_of(values_NK, scores.feasible_N) for values_NK in (scores.values_NK, means_NK)]
    true_NK, reference_K = problem.truth(x_ND[np.concatenate(fronts)]), problem.reference_K
    observed_NK, posterior_NK = true_NK[: len(fronts[0])], true_NK[len(fronts[0]) :]
    kept = front_of(true_NK, np.ones(len(true_NK), dtype=bool))
    return Trial(
        observed=hypervolume(observed_NK, reference_K),
        claimed=hypervolume(scores.values_NK[fronts[0]], reference_K),
        posterior=hypervolume(posterior_NK, reference_K),
        scored=len(x_ND),
        proposing=proposing,
        delivered=np.round(true_NK[kept], 6).tolist(),
    )


def searched(problem: FrontProblem, contender: Contender, seed: int, evaluations: int) -> tuple[Array, Scores, float]:
    """All positions that were scored, what was observed of them, and the processor seconds inside ask and tell.

    The last proposals may be more than the budget has left: then the first of them are scored.
    """
    score, positions, proposing = problem.scorer(seed), np.empty((0, problem.space.dimensions)), 0.0
    scores = Scores(*(np.empty((0, n)) for n in (problem.objectives, problem.objectives, 0)))
    while len(positions) < evaluations:
        began = time.process_time()
        x_ND = contender.ask()[: evaluations - len(positions)]
        proposing += time.process_time() - began
        if not len(x_ND):
            break
        found = score(x_ND)
        scores = scores.joined(found) if len(positions) else found
        positions = np.vstack([positions, x_ND])
        if len(positions) < evaluations:
            began = time.process_time()
            contender.tell(x_ND, found)
            proposing += time.process_time() - began
    return positions, scores, proposing
