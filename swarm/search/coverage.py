"""How much of what could be reached a front covers: its hypervolume, and that beside the baselines', with intervals.

The examples of a split are common to all members, so a bootstrap draws them once for all of them.

Shape suffixes: M members, K objectives, P examples of an objective, R resamples, of which the first is no resample but
the examples as they are.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from swarm.core.candidates import Evaluation
from swarm.core.space import Array
from swarm.preferences.front import hypervolume
from swarm.search.front import stacked
from swarm.statistics.intervals import CONFIDENCE, Difference, Score

RESAMPLES = 500


def coverage(evaluations: Sequence[Evaluation], reference: Mapping[str, float]) -> Score:
    """The hypervolume above the reference point of these evaluations, all of one split, by their mean scores.

    reference: objective -> where gains count from; its objectives alone count. The interval is the percentile
    bootstrap's over the examples (Efron & Tibshirani 1993, ch. 13), less what noise in the drawn examples adds to
    every front on average.
    """
    covered_R = _covered(_means(evaluations, reference), reference)
    examples = min(len(evaluations[0].examples[name]) for name in reference)
    return Score(float(covered_R[0]), *_interval(covered_R), examples)


def coverage_gain(
    members: Sequence[Evaluation], baselines: Sequence[Evaluation], reference: Mapping[str, float]
) -> Difference:
    """The hypervolume of the members minus that of the baselines, as `coverage`; both have the same examples drawn."""
    means_RMK = _means([*members, *baselines], reference)
    ours_R, theirs_R = (
        _covered(rows_RMK, reference) for rows_RMK in (means_RMK[:, : len(members)], means_RMK[:, len(members) :])
    )
    return Difference(float(ours_R[0] - theirs_R[0]), *_interval(ours_R - theirs_R))


def _means(evaluations: Sequence[Evaluation], reference: Mapping[str, float]) -> Array:
    """Mean scores, RMK: of all examples, then of as many examples drawn from them; always the same draws."""
    rng, examples, columns = np.random.default_rng(0), stacked(evaluations), []
    for name in reference:
        n = examples[name].shape[1]
        drawn_RP = np.vstack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)])
        columns.append(drawn_RP @ examples[name].T / n)
    return np.stack(columns, axis=2)


def _covered(means_RMK: Array, reference: Mapping[str, float]) -> Array:
    reference_K = np.array(list(reference.values()))
    return np.array([hypervolume(means_MK, reference_K) for means_MK in means_RMK])


def _interval(values_R: Array) -> tuple[float, float]:
    seen, drawn_R = values_R[0], values_R[1:]
    low, high = np.quantile(drawn_R, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    excess = drawn_R.mean() - seen
    return float(low - excess), float(high - excess)
