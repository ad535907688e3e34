"""Problems on SmolLM2, recorded: margins of 600 examples at 120 weightings of six experts, and a fit between them.

surfaces.py records them; a Gaussian process an example fits them, all with one length and one noise.

An example of a sample is a recorded one with a shift of its margin: so there are as many as one likes, and the true
score is known exactly. The shift's size is the error of the fit at weightings left out, so nothing finer than the
recording can be seen is searched for.

Shape suffixes: M weightings, P examples, D coordinates.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.stats import norm

from bed.problem import SIZE, Sampled, Scorer, box
from swarm.optimizers.gaussian_process import LENGTHS, NOISES, matern
from swarm.types import Array, Space

FILE = Path(__file__).parent / "smollm2.npz"
NAMES = ("chain_sum", "products", "gcd", "family_relationships", "syllogism", "letter_counting")
CLIP = 6.0  # nats: how sure beyond that tells nothing


@dataclass(frozen=True)
class Surfaces:
    """Margins between the recorded weightings. error: root mean square at weightings left out, in nats."""

    x_MD: Array
    weights_MP: Array
    mean_P: Array
    length: float
    error: float

    @classmethod
    def fitted(cls, x_MD: Array, margins_MP: Array) -> "Surfaces":
        clipped_MP = np.clip(margins_MP, -CLIP, CLIP)
        mean_P = clipped_MP.mean(axis=0)
        fits = [_fit(x_MD, clipped_MP - mean_P, length, noise) for length in LENGTHS for noise in NOISES]
        error, length, weights_MP = min(fits, key=lambda fit: fit[0])
        return cls(x_MD, weights_MP, mean_P, length, error)

    def margins(self, x_D: Array) -> Array:
        margins_P: Array = matern(x_D[None], self.x_MD, self.length)[0] @ self.weights_MP + self.mean_P
        return margins_P


@dataclass(frozen=True)
class Recorded:
    """A problem on the recorded examples of some tasks."""

    name: str
    tasks: tuple[str, ...]

    @cached_property
    def space(self) -> Space:
        return box(NAMES)

    @cached_property
    def surfaces(self) -> Surfaces:
        kept = dict(np.load(FILE))
        rows = np.isin(kept["tasks_P"], self.tasks)
        return Surfaces.fitted(kept["x_MD"], kept["margins_MP"][:, rows].astype(float))

    def scorer(self, seed: int, split: Sampled) -> Scorer:
        rng = np.random.default_rng([seed, 3 if split == "search" else 4])
        rows_P = rng.integers(len(self.surfaces.mean_P), size=SIZE)
        shift_P = rng.normal(0.0, self.surfaces.error, SIZE)
        return lambda x_D: (self.surfaces.margins(x_D)[rows_P] + shift_P > 0).astype(float)

    def truth(self, x_D: Array) -> float:
        return float(norm.cdf(self.surfaces.margins(x_D) / self.surfaces.error).mean())


def _fit(x_MD: Array, y_MP: Array, length: float, noise: float) -> tuple[float, float, Array]:
    """Root mean square error at a weighting left out, length, weights (Rasmussen & Williams 2006, eq. 5.12)."""
    length = length * float(np.sqrt(x_MD.shape[1]))
    inverse_MM = np.linalg.inv(matern(x_MD, x_MD, length) + noise * np.eye(len(x_MD)))
    weights_MP = inverse_MM @ y_MP
    left_out_MP = weights_MP / np.diag(inverse_MM)[:, None]
    return float(np.sqrt(np.square(left_out_MP).mean())), length, weights_MP
