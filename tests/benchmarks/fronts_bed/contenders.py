"""The compared methods, behind one small protocol: they ask for positions, and are told what was observed of them.

Those with a choice start at the same positions (FrontProblem.start). Each has the settings that its library recommends,
but populations that fit a hundred evaluations; one setting each, except that TPE was tried in six (see Tpe).

Shape suffixes: N positions, D coordinates, K objectives, W weight vectors.
"""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.samplers import TPESampler
from pymoo.algorithms.moo.cmopso import CMOPSO
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.algorithm import Algorithm
from pymoo.core.evaluator import Evaluator
from pymoo.core.problem import Problem as PymooProblem
from pymoo.problems.static import StaticProblem
from scipy.stats import qmc

from fronts_bed.problem import FrontProblem, Scores
from fronts_bed.quadratic import Quadratic
from swarm.core.measured import Measured
from swarm.core.space import Array
from swarm.optimizers import OPTIMIZERS
from swarm.optimizers.base import Observation, Optimizer, PriorResult, Proposal
from swarm.optimizers.guided_pso import GuidedPSO, GuidedState
from swarm.optimizers.positions import from_unit_cube
from swarm.optimizers.random_search import sample

BATCH = 10


class Contender(Protocol):
    """A search for a front."""

    def ask(self) -> Array:
        """The next positions, some BATCH of them; none once it is over. Shape ND."""

    def tell(self, x_ND: Array, scores: Scores) -> None:
        """What was observed of the positions asked for."""


class Random:
    """The start, then the samples of the program's random search: half combinations of experts, half uniform."""

    def __init__(self, problem: FrontProblem, seed: int, evaluations: int) -> None:
        self._rng, self._space = np.random.default_rng([seed, 9]), problem.space
        self._next_ND = problem.start(seed, BATCH)

    def ask(self) -> Array:
        return self._next_ND

    def tell(self, x_ND: Array, scores: Scores) -> None:
        self._next_ND = np.stack([sample(self._space, self._rng) for _ in range(BATCH)])


class Sobol:
    """The start, then a scrambled Sobol sequence in the bounds (Sobol 1967; Owen 1998)."""

    def __init__(self, problem: FrontProblem, seed: int, evaluations: int) -> None:
        self._sequence, self._space = qmc.Sobol(problem.space.dimensions, seed=seed), problem.space
        self._points_ND = self._sequence.random_base2(int(np.ceil(np.log2(max(2, evaluations)))))
        self._next_ND = problem.start(seed, BATCH)

    def ask(self) -> Array:
        return self._next_ND

    def tell(self, x_ND: Array, scores: Scores) -> None:
        self._next_ND, self._points_ND = from_unit_cube(self._space, self._points_ND[:BATCH]), self._points_ND[BATCH:]


class Pymoo:
    """An algorithm of pymoo by its ask and tell."""

    def __init__(self, problem: FrontProblem, seed: int, algorithm: Algorithm) -> None:
        space = problem.space
        self._floors = problem.slacks(space.neutral_D[None]).shape[1]
        self._problem = PymooProblem(
            n_var=space.dimensions,
            n_obj=problem.objectives,
            n_ieq_constr=self._floors,
            xl=space.low_D,
            xu=space.high_D,
        )
        self._algorithm = algorithm
        algorithm.setup(self._problem, seed=seed, verbose=False)
        self._asked: Any = None

    def ask(self) -> Array:
        self._asked = self._algorithm.ask()
        x_ND: Array = self._asked.get("X")
        return x_ND

    def tell(self, x_ND: Array, scores: Scores) -> None:
        observed = {"F": -scores.values_NK} | ({"G": -scores.slacks_NC} if self._floors else {})
        Evaluator().eval(StaticProblem(self._problem, **observed), self._asked)
        self._algorithm.tell(infills=self._asked)


def nsga2(problem: FrontProblem, seed: int, evaluations: int) -> Contender:
    """Deb et al. 2002, with 20 members of which 10 are replaced at a time."""
    algorithm = NSGA2(2 * BATCH, n_offsprings=BATCH, sampling=problem.start(seed, 2 * BATCH))
    return Pymoo(problem, seed, algorithm)


def cmopso(problem: FrontProblem, seed: int, evaluations: int) -> Contender:
    """Zhang et al. 2018, with 10 particles."""
    return Pymoo(problem, seed, CMOPSO(BATCH, elite_size=BATCH, sampling=problem.start(seed, BATCH)))


class Tpe:
    """Optuna's multi-objective TPE (Ozaki et al. 2020), multivariate, with constant liars within a batch.

    Multivariate, as that delivered more on two-10 and three-10 (seeds 0 to 2) than a distribution for each coordinate.
    """

    def __init__(self, problem: FrontProblem, seed: int, evaluations: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        names = problem.space.coordinates
        self._distributions: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.FloatDistribution(low, high)
            for name, low, high in zip(names, problem.space.low_D, problem.space.high_D, strict=True)
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = TPESampler(seed=seed, multivariate=True, constant_liar=True)
        self._study = optuna.create_study(directions=["maximize"] * problem.objectives, sampler=sampler)
        for x_D in problem.start(seed, BATCH):
            self._study.enqueue_trial(dict(zip(names, x_D.tolist(), strict=True)))
        self._asked: list[optuna.Trial] = []

    def ask(self) -> Array:
        self._asked = [self._study.ask(self._distributions) for _ in range(BATCH)]
        return np.array([[trial.params[name] for name in self._distributions] for trial in self._asked])

    def tell(self, x_ND: Array, scores: Scores) -> None:
        for trial, values_K, slacks_C in zip(self._asked, scores.values_NK, scores.slacks_NC, strict=True):
            for floor, slack in enumerate(slacks_C.tolist()):
                trial.set_constraint(str(floor), -slack)
            self._study.tell(trial, values_K.tolist())


class Ours:
    """An optimizer of the program. Where it asks for more, the first BATCH of its proposals are scored first."""

    def __init__(self, problem: FrontProblem, seed: int, optimizer: Optimizer[Any]) -> None:
        self._optimizer, self._state = optimizer, optimizer.init(problem.space, seed)
        self._asked: list[Proposal] = []

    def ask(self) -> Array:
        self._asked = self._optimizer.ask(self._state)[:BATCH]
        return np.array([proposal.x_D for proposal in self._asked])

    def tell(self, x_ND: Array, scores: Scores) -> None:
        rows = zip(self._asked, scores.values_NK, scores.errors_NK, scores.slacks_NC, strict=True)
        observed = [
            Observation(proposal.iteration, proposal.particle, float(values_K.mean()), measured(values_K, *others))
            for proposal, values_K, *others in rows
        ]
        self._state = self._optimizer.tell(self._state, observed)


def measured(values_K: Array, errors_K: Array, slacks_C: Array) -> Measured:
    """As the program measures it: the reference points are for the search to say; floors are fixed numbers."""
    return Measured(
        values=tuple(values_K.tolist()),
        errors=tuple(errors_K.tolist()),
        references=(math.nan,) * len(values_K),
        slacks=tuple(slacks_C.tolist()),
        slack_errors=(float(errors_K.min()),) * len(slacks_C),
        allowed=(math.nan,) * len(slacks_C),
    )


def ours(kind: str, settings: Mapping[str, Any]) -> "Maker":
    def made(problem: FrontProblem, seed: int, evaluations: int) -> Contender:
        budget = {"evaluations": evaluations, "iterations": evaluations, "patience": None}
        return Ours(problem, seed, OPTIMIZERS[kind](**settings, **budget))

    return made


class WeightedSums:
    """Guided PSO on one weighted sum after another, with equal shares of the budget.

    Each search continues those before: their scores are known to it, weighted anew.
    """

    _state: GuidedState

    def __init__(self, problem: FrontProblem, seed: int, evaluations: int) -> None:
        self._space, self._seed, self._known = problem.space, seed, list[tuple[Array, Array]]()
        self._weights_WK = weight_vectors(problem.objectives)
        self._share = evaluations // len(self._weights_WK)
        self._optimizer = GuidedPSO(
            particles=BATCH // 2, overlap=False, evaluations=evaluations, iterations=evaluations, patience=None
        )
        self._asked: list[Proposal] = []
        self._restart(0)

    def ask(self) -> Array:
        self._asked = self._optimizer.ask(self._state)[: self._left]
        return np.array([proposal.x_D for proposal in self._asked])

    def tell(self, x_ND: Array, scores: Scores) -> None:
        self._known += list(zip(x_ND, scores.values_NK, strict=True))
        utility_N = scores.values_NK @ self._weights_WK[self._current]
        observed = zip(self._asked, utility_N.tolist(), strict=True)
        self._state = self._optimizer.tell(self._state, [Observation(p.iteration, p.particle, u) for p, u in observed])
        self._left -= len(x_ND)
        if not self._left:
            self._restart(self._current + 1)

    def _restart(self, current: int) -> None:
        self._current, self._left = current, self._share
        weights_K = self._weights_WK[current % len(self._weights_WK)]
        self._state = self._optimizer.init(self._space, self._seed)
        if self._known:
            known = [PriorResult(x_D, float(values_K @ weights_K)) for x_D, values_K in self._known]
            self._state = self._optimizer.remember(self._state, known)


def weight_vectors(objectives: int) -> Array:
    """Equal weights, each objective nearly alone, and of two objectives also those halfway. Shape WK."""
    equal_1K = np.full((1, objectives), 1.0 / objectives)
    alone_KK = 0.95 * np.eye(objectives) + 0.05 * equal_1K
    return np.vstack([equal_1K, alone_KK, *([0.5 * (alone_KK + equal_1K)] if objectives == 2 else [])])


def qlognehvi(problem: FrontProblem, seed: int, evaluations: int) -> Contender:
    """BoTorch, imported only where it runs: that alone takes seconds."""
    from fronts_bed.qlognehvi import QLogNehvi

    return QLogNehvi(problem, seed, evaluations)


Maker = Callable[[FrontProblem, int, int], Contender]
"""(problem, seed, evaluations) -> a compared method."""

OURS = "guided_pso"
COSTLY = ("qlognehvi",)  # minutes a trial: only where named
UNCONSTRAINED = ("weighted_sums", "cmopso", "quadratic", "qlognehvi")  # they take no floors here
CONTENDERS: dict[str, Maker] = {
    OURS: ours("guided_pso", {"goal": "front", "particles": BATCH}),
    "bayesian": ours("bayesian", {"goal": "front", "particles": BATCH}),
    "weighted_sums": WeightedSums,
    "nsga2": nsga2,
    "cmopso": cmopso,
    "tpe": Tpe,
    "quadratic": Quadratic,
    "sobol": Sobol,
    "random": Random,
    "qlognehvi": qlognehvi,
}
