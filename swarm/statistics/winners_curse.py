"""The winner's score on the test split, predicted before that split is used.

The best of several candidates on the select split scores higher there than it will on new examples: the winner's
curse. This selection bias is estimated by a parametric bootstrap. The contenders' true means are estimated by
shrinking the observed means towards their common mean (empirical Bayes; Efron & Morris 1973), the more, the more of
their spread noise explains. Each draw adds new noise and selects the best; the bias is the mean noise of the selected
one. An example that is hard for every contender cannot change the choice, so the noise is the residual after
subtracting each example's mean.

Shape suffixes: K contenders, P examples, B draws.
"""

from collections.abc import Sequence

import numpy as np

from swarm.core.space import Array
from swarm.statistics.intervals import Score, mean_interval

DRAWS = 4_000


def predicted(scores_KP: Sequence[Sequence[float]], winner: int) -> Score:
    """The winner's mean on new examples with its 95 % interval.

    scores_KP: the scores of all contenders on the same examples. winner: the row of the selected one.
    The observed mean and both ends of its interval are reduced by the selection bias.
    """
    seen = mean_interval(scores_KP[winner])
    bias = selection_bias(np.asarray(scores_KP, dtype=np.float64))
    return Score(seen.mean - bias, seen.low - bias, seen.high - bias, seen.n)


def within(score: Score, low: float, high: float) -> Score:
    """The same prediction where it lies in the range of the scores: the correction knows no bounds."""
    mean, below, above = (min(max(value, low), high) for value in (score.mean, score.low, score.high))
    return Score(mean, below, above, score.n)


def selection_bias(scores_KP: Array) -> float:
    """By how much the best observed mean exceeds its true mean, on average, in the unit of the scores.

    scores_KP: the scores of all contenders on the same examples. Zero for fewer than two contenders or examples.
    """
    contenders, examples = scores_KP.shape
    if contenders < 2 or examples < 2:
        return 0.0
    mean_K = scores_KP.mean(axis=1)
    residual_KP = scores_KP - scores_KP.mean(axis=0) - (mean_K - mean_K.mean())[:, None]
    noise = float(np.square(residual_KP).sum() / ((contenders - 1) * (examples - 1)) / examples)
    if noise == 0.0:
        return 0.0
    true = max(0.0, float(mean_K.var(ddof=1)) - noise)
    shrunk_K = mean_K.mean() + true / (true + noise) * (mean_K - mean_K.mean())
    drawn_KB = shrunk_K[:, None] + np.random.default_rng(0).normal(0.0, np.sqrt(noise), (contenders, DRAWS))
    best_B = drawn_KB.argmax(axis=0)
    return float((drawn_KB[best_B, np.arange(DRAWS)] - shrunk_K[best_B]).mean())
