"""Optimizers: how a swarm decides which positions to score next.

To add one: write one file here with a class that has a `type: Literal["its_name"]`, its settings as fields, each with
a description, and pure `init`, `ask` and `tell` (see `base`), and add one line to OPTIMIZERS. If all its particles
move together, derive it from `generational.Generational`: then `init` and `advance` are all there is to write. Draw by
`randomness.draw` alone; one of another package is made anew from what it was told (`history.py`).
tests/optimizers/test_optimizers.py takes its cases from OPTIMIZERS and holds the new one to its promises.
"""

from typing import Any

from swarm.optimizers.base import Optimizer, Proposal, Result
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.cma_es import CMAES
from swarm.optimizers.greedy_soup import GreedySoup
from swarm.optimizers.grid import Grid
from swarm.optimizers.lorahub import LoraHub
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.optuna_samplers import Optuna
from swarm.optimizers.pso import PSO
from swarm.optimizers.random_search import RandomSearch

OPTIMIZERS: dict[str, type[Optimizer[Any]]] = {  # Any: a state is its optimizer's own affair
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

__all__ = ["OPTIMIZERS", "Optimizer", "Proposal", "Result"]
