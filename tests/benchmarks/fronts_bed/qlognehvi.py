"""BoTorch's qLogNEHVI (Daulton et al. 2021; Ament et al. 2023): a process an objective with known noise, ten at a time.

Shape suffixes: N positions, D coordinates, K objectives.
"""

import warnings

import numpy as np
import torch
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.optim import optimize_acqf
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.mlls import SumMarginalLogLikelihood

from fronts_bed.problem import FrontProblem, Scores
from swarm.core.space import Array
from swarm.optimizers.positions import from_unit_cube, to_unit_cube

BATCH, SAMPLES, RESTARTS, RAW = 10, 64, 4, 128


class QLogNehvi:
    """It is told the reference point of the hypervolume that is measured."""

    def __init__(self, problem: FrontProblem, seed: int, evaluations: int) -> None:
        torch.manual_seed(seed)
        self._space, self._seed, self._reference_K = problem.space, seed, problem.reference_K
        self._next_ND, self._x_ND = problem.start(seed, BATCH), np.empty((0, problem.space.dimensions))
        self._values_NK = self._errors_NK = np.empty((0, problem.objectives))

    def ask(self) -> Array:
        return self._next_ND if len(self._x_ND) == 0 else self._proposed()

    def tell(self, x_ND: Array, scores: Scores) -> None:
        self._x_ND = np.vstack([self._x_ND, x_ND])
        self._values_NK = np.vstack([self._values_NK, scores.values_NK])
        self._errors_NK = np.vstack([self._errors_NK, scores.errors_NK])

    def _proposed(self) -> Array:
        unit_ND = torch.tensor(to_unit_cube(self._space, self._x_ND))
        mean_K, std_K = self._values_NK.mean(axis=0), self._values_NK.std(axis=0) + 1e-9
        y_NK = torch.tensor((self._values_NK - mean_K) / std_K)
        variance_NK = torch.tensor(np.square(self._errors_NK / std_K))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = ModelListGP(
                *(SingleTaskGP(unit_ND, y_NK[:, [k]], variance_NK[:, [k]]) for k in range(y_NK.shape[1]))
            )
            fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
            acquisition = qLogNoisyExpectedHypervolumeImprovement(
                model=model,
                ref_point=((self._reference_K - mean_K) / std_K).tolist(),
                X_baseline=unit_ND,
                prune_baseline=True,
                sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=self._seed),
            )
            box = torch.stack([torch.zeros_like(unit_ND[0]), torch.ones_like(unit_ND[0])])
            found, _ = optimize_acqf(acquisition, box, q=BATCH, num_restarts=RESTARTS, raw_samples=RAW, sequential=True)
        return from_unit_cube(self._space, found.detach().numpy())
