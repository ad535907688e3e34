"""The winner's score on the test split, predicted before that split is used.

The best of several candidates on the select split scores higher there than it will on new examples: the winner's
curse. This selection bias is estimated by a parametric bootstrap. The contenders' true means are estimated by
shrinking the observed means towards their common mean (empirical Bayes; Efron & Morris 1973), the more, the more of
their spread noise explains. Each draw adds new noise and selects the best; the bias is the mean noise of the selected
one. An example that is hard for every contender cannot change the choice, so the noise is the residual after
subtracting each example's mean.

Where other examples have a share in the choice, the noise of the select split sways it less: it is added to means of
which the other part stands fixed.

Shape suffixes: K contenders, P examples, B draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swarm.core.space import Array
from swarm.statistics.intervals import ANY, Range, Score, mean_interval

DRAWS = 4_000


@dataclass(frozen=True)
class Prior:
    """What was known of the contenders before, and has a part in the choice.

    means_K: the mean score of each on other examples.
    share: of the examples that are scored now, in what decides; 1 less the share of the others.
    """

    means_K: Sequence[float]
    share: float


def predicted(
    scores_KP: Sequence[Sequence[float]], winner: int, prior: Prior | None = None, range_: Range = ANY
) -> Score:
    """The winner's mean on new examples with its 95 % interval.

    scores_KP: the scores of all contenders on the same examples. winner: the row of the selected one.
    prior: what else decided who wins; None: nothing. range_: the lowest and the highest score that there can be.
    The observed mean and both ends of its interval are reduced by the selection bias.
    """
    seen = mean_interval(scores_KP[winner], range_)
    bias = selection_bias(np.asarray(scores_KP, dtype=np.float64), prior)
    return Score(seen.mean - bias, seen.low - bias, seen.high - bias, seen.n)


def within(score: Score, low: float, high: float) -> Score:
    """The same prediction where it lies in the range of the scores: the correction knows no bounds."""
    mean, below, above = (min(max(value, low), high) for value in (score.mean, score.low, score.high))
    return Score(mean, below, above, score.n)


def selection_bias(scores_KP: Array, prior: Prior | None = None) -> float:
    """By how much the observed mean of the selected one exceeds its true mean, on average, in the unit of the scores.

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
    share = 1.0 if prior is None else prior.share
    fixed_K = np.zeros(contenders) if prior is None else (1.0 - share) * np.asarray(prior.means_K, dtype=np.float64)
    shrunk_K = shrunk(fixed_K + share * mean_K, share * noise)
    drawn_KB = shrunk_K[:, None] + np.random.default_rng(0).normal(0.0, np.sqrt(noise), (contenders, DRAWS))
    best_B = (fixed_K[:, None] + share * drawn_KB).argmax(axis=0)
    return float((drawn_KB[best_B, np.arange(DRAWS)] - shrunk_K[best_B]).mean())


def shrunk(mean_K: Array, noise: float) -> Array:
    """Estimates of the true means: nearer to their common mean, the more of their variance is noise."""
    true = max(0.0, float(mean_K.var(ddof=1)) - noise)
    shrunk_K: Array = mean_K.mean() + true / (true + noise) * (mean_K - mean_K.mean())
    return shrunk_K
