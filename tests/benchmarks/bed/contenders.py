"""The compared methods: every optimizer, with the settings to choose among on the development half.

All get the same number of evaluations and no patience. The first settings of each are its defaults; guided PSO,
Swarm's default, has these alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bed.trial import UNRACED
from swarm.evaluation.racing import Racing
from swarm.optimizers import OPTIMIZERS, Optimizer

BUDGET = 200  # evaluations, of 200 examples each
RACING = "racing"  # key of the settings: the error of the sequential test
Settings = Mapping[str, Any]

GUIDED: Sequence[Settings] = [{}]  # the default, with its defaults: what a user gets
BAYESIAN: Sequence[Settings] = [
    {},
    {"particles": 5},
    {"particles": 20},
    {"boldness": 1.0},
    {"boldness": 2.0},
    {"boldness": 5.0},
]
CHOICES: dict[str, Sequence[Settings]] = {
    "guided_pso": GUIDED,
    "guided_pso, hard": [{"soft": False, **s} for s in GUIDED],
    "guided_pso, raced": [{"racing": 0.1}],
    "bayesian": BAYESIAN,
    "bayesian, hard": [{"soft": False, **s} for s in BAYESIAN],
    "bayesian, raced": [{"racing": 0.1}],
    "model_swarms": [
        {},
        {"particles": 10},
        {"particles": 40},
        {"step_length": 0.5},
        {"step_length": 1.0, "step_decay": 1.0},
        {"inertia": 0.3, "cognitive": 0.5, "social": 0.6, "repel": 0.01},
        {"inertia": 0.1, "cognitive": 0.1, "social": 0.2, "repel": 0.1},
    ],
    "pso": [{}, {"particles": 10}, {"particles": 30}, {"cognitive": 1.5, "social": 1.5}],
    "cma_es": [{}, {"particles": 6}, {"particles": 20}, {"sigma": 0.05}, {"sigma": 0.3}],
    "tpe": [{}, {"particles": 5}, {"particles": 20}],
    "gp": [{}],
    "random": [{}],
    "grid": [{"refine": 0.1}, {"refine": 0.1, "points": 3}, {"refine": 0.1, "points": 9}],
    "lorahub": [{}, {"l1": 0.0}],
    "greedy_soup": [{}],
}
SIZES: dict[str, Sequence[Settings]] = {  # as `particles: auto` sets it for so many workers; run where it is named
    f"guided_pso, {particles} particles": [{"particles": particles}] for particles in (8, 16, 32)
}
EVERY = CHOICES | SIZES
TYPES: dict[str, tuple[str, Settings]] = dict.fromkeys(SIZES, ("guided_pso", {})) | {
    "guided_pso, hard": ("guided_pso", {}),
    "guided_pso, raced": ("guided_pso", {}),
    "bayesian, hard": ("bayesian", {}),
    "bayesian, raced": ("bayesian", {}),
    "tpe": ("optuna", {"sampler": "tpe"}),
    "gp": ("optuna", {"sampler": "gp"}),
}


def optimizer(name: str, settings: Settings, evaluations: int, experts: int) -> Optimizer[Any]:
    """A compared method with a budget of evaluations. Model Swarms gets at least as many particles as experts."""
    kind, fixed = TYPES.get(name, (name, {}))
    chosen = {key: value for key, value in {**fixed, **settings}.items() if key != RACING}
    if kind == "model_swarms":
        chosen["particles"] = max(int(chosen.get("particles", 20)), experts)
    return OPTIMIZERS[kind](**chosen, evaluations=evaluations, iterations=evaluations, patience=None)


def racing(settings: Settings) -> Racing:
    """A sequential test with the error in the settings; without one every candidate is scored in full."""
    return Racing(sequential=True, error=settings[RACING]) if RACING in settings else UNRACED
