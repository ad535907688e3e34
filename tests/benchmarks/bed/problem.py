"""What a problem of the test bed is: a space, samples of 200 examples drawn by seed, and any position's true score.

A seed draws the examples of the search and of the select split. The truth is the mean over a population that no search
sees, so what a search delivers can be held against it, and against a reference that was searched on the truth itself.

Shape suffixes: D coordinates, P examples.
"""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np

from swarm.compositions.weights import Weights, uniform_scales
from swarm.core.space import Array, Baseline, Space

SIZE = 200  # examples of search, and of select
Sampled = Literal["search", "select"]
Scorer = Callable[[Array], Array]
"""A position (shape D) -> the margin of each example (shape P): it is answered rightly where that is above zero."""


class Problem(Protocol):
    """One problem. `names` are its experts'."""

    name: str
    space: Space

    def scorer(self, seed: int, split: Sampled) -> Scorer:
        """Scores positions on the examples that a seed draws for a split."""

    def truth(self, x_D: Array) -> float:
        """The mean score of a position over the whole hidden population."""


def box(names: Sequence[str]) -> Space:
    """The space of one coefficient per expert, as `composition: {type: weights}` has it without settings."""
    n, weights = len(names), Weights()
    return Space(
        coordinates=tuple(names),
        low_D=np.full(n, weights.low),
        high_D=np.full(n, weights.high),
        base=Baseline.base(np.zeros(n)),
        experts=tuple(map(Baseline.expert, names, np.eye(n))),
        uniforms=tuple(Baseline.uniform(scale, np.full(n, scale)) for scale in uniform_scales(n, weights.high)),
    )
