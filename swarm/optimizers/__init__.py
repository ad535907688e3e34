"""Optimizers: which positions a search scores next.

An optimizer sees a space (`swarm.core.space`) and utilities. It imports `swarm.core`, numpy, and the package whose
algorithm it wraps; never models, data or clusters, so it knows neither what a position means nor who scores it.

To add one:
1. Write one file here with a class that has a `type: Literal["its_name"]`, its settings as fields, each with a
   description, and pure `init`, `ask` and `tell` (see `base`). If all its particles move together, derive it from
   `generational.Generational`: then `init` and `advance` are all there is to write.
2. Draw random numbers from `randomness.draw` alone. An object of another package is rebuilt from the history of
   observations on every call (`history`).
3. Where it can use what another search found out, override `remember`.
4. Add one line to OPTIMIZERS. The tests in tests/optimizers/test_optimizers.py take their cases from it.
"""

from typing import Any

from swarm.optimizers.base import Observation, Optimizer, PriorResult, Proposal
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.cma_es import CMAES
from swarm.optimizers.greedy_soup import GreedySoup
from swarm.optimizers.grid import Grid
from swarm.optimizers.guided_pso import GuidedPSO
from swarm.optimizers.lorahub import LoraHub
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.optuna_samplers import Optuna
from swarm.optimizers.pso import PSO
from swarm.optimizers.random_search import RandomSearch

OPTIMIZERS: dict[str, type[Optimizer[Any]]] = {  # Any: each optimizer has a state of its own type
    "guided_pso": GuidedPSO,
    "bayesian": Bayesian,
    "model_swarms": ModelSwarms,
    "pso": PSO,
    "cma_es": CMAES,
    "optuna": Optuna,
    "random": RandomSearch,
    "grid": Grid,
    "greedy_soup": GreedySoup,
    "lorahub": LoraHub,
}

__all__ = ["OPTIMIZERS", "Observation", "Optimizer", "PriorResult", "Proposal"]
