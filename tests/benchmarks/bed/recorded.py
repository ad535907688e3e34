"""Problems on SmolLM2, recorded: margins of 600 examples at 120 weightings of six experts, interpolated by a spline.

surfaces.py records them. The spline is scipy's, linear in the distance with a linear trend: rougher than the model of
the landscape that any compared method fits. An example of a sample is a recorded one with a shift of its margin, so
there are arbitrarily many, and the true score is known exactly. The shift is of the size of the spline's error at
weightings left out of the fit, so nothing finer than the recording's resolution can be searched for.

Shape suffixes: M weightings, P examples, D dimensions.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.stats import norm

from bed.problem import SIZE, Sampled, Scorer, box
from swarm.core.space import Array, Space

FILE = Path(__file__).parent / "smollm2.npz"
NAMES = ("chain_sum", "products", "gcd", "family_relationships", "syllogism", "letter_counting")
CLIP = 6.0  # nats: larger margins carry no information
SMOOTHING = 0.1
FOLDS = 10


def spline(x_MD: Array, margins_MP: Array) -> RBFInterpolator:
    """An interpolation of the margins of all examples between the weightings."""
    return RBFInterpolator(x_MD, margins_MP, kernel="linear", smoothing=SMOOTHING, degree=1)


def left_out(x_MD: Array, margins_MP: Array) -> Array:
    """Cross-validated margins: splines fitted to nine tenths of the weightings, evaluated at the others. Shape MP."""
    found_MP = np.empty_like(margins_MP)
    fold_M = np.random.default_rng(0).permutation(len(x_MD)) % FOLDS
    for fold in range(FOLDS):
        kept = fold_M != fold
        found_MP[~kept] = spline(x_MD[kept], margins_MP[kept])(x_MD[~kept])
    return found_MP


@dataclass(frozen=True)
class Recorded:
    """A problem on the recorded examples of some tasks."""

    name: str
    tasks: tuple[str, ...]

    @cached_property
    def space(self) -> Space:
        return box(NAMES)

    @cached_property
    def recording(self) -> tuple[Array, Array]:
        """Weightings (shape MD) and margins (shape MP)."""
        kept = dict(np.load(FILE))
        margins_MP = kept["margins_MP"][:, np.isin(kept["tasks_P"], self.tasks)].astype(float)
        return kept["x_MD"], np.clip(margins_MP, -CLIP, CLIP)

    @cached_property
    def surfaces(self) -> RBFInterpolator:
        return spline(*self.recording)

    @cached_property
    def error(self) -> float:
        """Root mean square error of the spline at weightings left out, in nats."""
        return float(np.sqrt(np.square(left_out(*self.recording) - self.recording[1]).mean()))

    def scorer(self, seed: int, split: Sampled) -> Scorer:
        rng = np.random.default_rng([seed, 3 if split == "search" else 4])
        rows_P = rng.integers(self.recording[1].shape[1], size=SIZE)
        shift_P = rng.normal(0.0, self.error, SIZE)
        return lambda x_D: self.surfaces(x_D[None])[0][rows_P] + shift_P

    def truth(self, x_D: Array) -> float:
        return float(norm.cdf(self.surfaces(x_D[None])[0] / self.error).mean())
