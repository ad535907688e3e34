"""What the winner will score on the test split, foretold before that is opened.

The best of several on the select split looks better than it is: the winner's curse. Its size is estimated by a
parametric bootstrap. The contenders' true means are taken as shrunk towards their common one (empirical Bayes; Efron &
Morris 1973), as far as their spread is what chance alone gives; noise is drawn anew, the best is chosen, and what it
gained by the choice is the bias. An example that is hard for all is no reason for choosing wrongly, so the noise is
what is left after each example's mean.

Shape suffixes: K contenders, P examples, B draws.
"""

from collections.abc import Sequence

import numpy as np

from swarm.core.space import Array
from swarm.statistics.intervals import Score, score

DRAWS = 4_000


def predicted(scores_KP: Sequence[Sequence[float]], winner: int) -> Score:
    """The winner's mean on fresh examples with its 95 % interval, from all contenders' scores on the same ones."""
    seen = score(scores_KP[winner])
    bias = choice_bias(np.asarray(scores_KP, dtype=np.float64))
    return Score(seen.mean - bias, seen.low - bias, seen.high - bias, seen.n)


def choice_bias(scores_KP: Array) -> float:
    """How much better than it is the best mean of these looks, on average."""
    contenders, examples = scores_KP.shape
    if contenders < 2 or examples < 2:
        return 0.0
    mean_K = scores_KP.mean(axis=1)
    rest_KP = scores_KP - scores_KP.mean(axis=0) - (mean_K - mean_K.mean())[:, None]
    noise = float(np.square(rest_KP).sum() / ((contenders - 1) * (examples - 1)) / examples)
    if noise == 0.0:
        return 0.0
    true = max(0.0, float(mean_K.var(ddof=1)) - noise)
    shrunk_K = mean_K.mean() + true / (true + noise) * (mean_K - mean_K.mean())
    drawn_KB = shrunk_K[:, None] + np.random.default_rng(0).normal(0.0, np.sqrt(noise), (contenders, DRAWS))
    best_B = drawn_KB.argmax(axis=0)
    return float((drawn_KB[best_B, np.arange(DRAWS)] - shrunk_K[best_B]).mean())
