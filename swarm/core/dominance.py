"""Who is on a front: those whom no other one dominates. Shape suffixes: M members, K objectives."""

import numpy as np
from numpy.typing import NDArray

from swarm.core.space import Array

Mask = NDArray[np.bool_]


def non_dominated(scores_MK: Array) -> Mask:
    """Which rows no other row dominates, shape M. Of equal rows the first counts; a row with NaN never does."""
    kept_M: Mask = np.asarray(~np.isnan(scores_MK).any(axis=1))
    for row, scores_K in enumerate(scores_MK):
        if kept_M[row]:  # a row that is out has been put out by one that puts out all that it would
            as_good_M = (scores_K >= scores_MK).all(axis=1)
            as_good_M[: row + 1] &= (scores_K > scores_MK[: row + 1]).any(axis=1)
            kept_M &= ~as_good_M
    return kept_M
