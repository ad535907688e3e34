"""What the tests of optimizers share: a space, utilities, and a run.

Shape suffixes: D coordinates.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from swarm.core.space import Baseline, Space
from swarm.optimizers import Observation, Optimizer, Proposal

Utility = Callable[[np.ndarray], float]


def space(experts: int, low: float = -0.5, high: float = 1.5, names: Sequence[str] = ()) -> Space:
    """One coefficient per expert; the uniform averages are not in the order of their scales."""
    names = tuple(names) or tuple(f"expert{i}" for i in range(experts))
    return Space(
        coordinates=names,
        low_D=np.full(experts, low),
        high_D=np.full(experts, high),
        base=Baseline.base(np.zeros(experts)),
        experts=tuple(map(Baseline.expert, names, np.eye(experts))),
        uniforms=tuple(uniform(total / experts, experts) for total in (1.0, 0.5, 2.0)),
    )


def grouped_space(experts: int, groups: int) -> Space:
    """The same with a coefficient for each expert and group of parameters."""
    plain = space(experts)

    def repeated(baseline: Baseline) -> Baseline:
        return replace(baseline, position_D=np.repeat(baseline.position_D, groups))

    return Space(
        coordinates=tuple(f"{name}.{group}" for name in plain.coordinates for group in range(groups)),
        low_D=np.repeat(plain.low_D, groups),
        high_D=np.repeat(plain.high_D, groups),
        base=repeated(plain.base),
        experts=tuple(map(repeated, plain.experts)),
        uniforms=tuple(map(repeated, plain.uniforms)),
    )


def uniform(scale: float, experts: int) -> Baseline:
    return Baseline.uniform(scale, np.full(experts, scale))


def concave(x_D: np.ndarray) -> float:
    """Best at (0.1, 0.2, ...), where no start lies; its axes weigh differently."""
    target_D = 0.1 * np.arange(1, len(x_D) + 1)
    return -float(np.arange(1, len(x_D) + 1) @ (x_D - target_D) ** 2)


def half_failing(x_D: np.ndarray) -> float:
    return float("nan") if x_D[0] > 0.3 else concave(x_D)


def score(proposals: list[Proposal], utility: Utility = concave) -> list[Observation]:
    return [Observation(p.iteration, p.particle, utility(p.x_D)) for p in proposals]


def run(
    optimizer: Optimizer[Any],
    utility: Utility = concave,
    generations: int = 6,
    seed: int = 0,
    where: Space | None = None,
):
    """All proposals, generation by generation, and the last state."""
    state = optimizer.init(where or space(3), seed)
    history = []
    for _ in range(generations):
        history.append(optimizer.ask(state))
        state = optimizer.tell(state, score(history[-1], utility))
    return history, state


def same(a: object, b: object) -> bool:
    """Equal to the bit, through dataclasses, lists and arrays."""
    if is_dataclass(a):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f")


def positions(history: list[list[Proposal]]) -> np.ndarray:
    return np.array([p.x_D for generation in history for p in generation])
