"""A problem of the test bed: a space, samples of 200 examples drawn by seed, and the true score of any position.

A seed draws the examples of the search and the select split. The true score is the mean over a population that no
search sees, so what a search delivers can be compared with it, and with a reference that was searched on the true score
itself.

Shape suffixes: D dimensions, P examples.
"""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np

from swarm.compositions.weights import Weights, uniform_scales
from swarm.core.space import Array, Baseline, Space

SIZE = 200  # examples of search, and of select
Sampled = Literal["search", "select"]
Scorer = Callable[[Array], Array]
"""A position (shape D) -> the margin of each example (shape P): the answer is right where it is above zero."""


class Problem(Protocol):
    """One problem."""

    @property
    def name(self) -> str:
        """By which it is chosen."""

    @property
    def space(self) -> Space:
        """Where a search moves."""

    def scorer(self, seed: int, split: Sampled) -> Scorer:
        """A function that scores positions on the examples that the seed draws for the split."""

    def truth(self, x_D: Array) -> float:
        """The mean score of a position over the whole hidden population."""


def box(names: Sequence[str], groups: int = 1) -> Space:
    """The space with one coefficient per expert and group, as `composition: {type: weights}` has it."""
    n, d, weights = len(names), len(names) * groups, Weights()
    return Space(
        coordinates=tuple(names) if groups == 1 else tuple(f"{name}.{g}" for name in names for g in range(groups)),
        low_D=np.full(d, weights.low),
        high_D=np.full(d, weights.high),
        base=Baseline.base(np.zeros(d)),
        experts=tuple(map(Baseline.expert, names, np.repeat(np.eye(n), groups, axis=1))),
        uniforms=tuple(Baseline.uniform(scale, np.full(d, scale)) for scale in uniform_scales(n, weights.high)),
    )
