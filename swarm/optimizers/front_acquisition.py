"""Which candidates widen a front most: the expected gain of hypervolume over joint samples of what is known.

Hypervolume is a mean over directions of the best scalarised value (Golovin & Zhang 2020, arXiv 2006.04655, lemma 5):
s_w(y) = min_k (max(y_k - r_k, 0) / w_k)^K, w on the positive part of the unit sphere. In each joint sample the front is
the sample's own, and what breaks a floor there is worth nothing (sampled feasibility). With one objective this is the
expected improvement over the best in the sample.

Shape suffixes: N known points, M candidates, S samples, W directions, K objectives, D coordinates.
"""

import numpy as np

from swarm.core.space import Array
from swarm.optimizers.front_model import FrontModel, Sampled

SAMPLES = 32
DIRECTIONS = 64
OPTIMISM = 1.0  # standard deviations above the mean, of a candidate that is looked at first
LEAST_PART = 1e-3  # of a direction: a part of zero would divide by it
DIGITS = 9  # of gains that are compared, relative to the largest


def directions(count: int, objectives: int, rng: np.random.Generator) -> Array:
    """Random directions, uniform on the positive part of the unit sphere. Shape: count x K."""
    w_WK = np.abs(rng.normal(size=(count, objectives)))
    return np.asarray(np.maximum(w_WK / np.linalg.norm(w_WK, axis=1, keepdims=True), LEAST_PART))


def scalarised(gains_AK: Array, w_WK: Array) -> Array:
    """s_w of gains over the reference point. The leading axes stay, and the directions follow. Shape AW."""
    positive = np.maximum(gains_AK, 0.0)
    value = positive[..., None, 0] / w_WK[:, 0]
    for k in range(1, w_WK.shape[1]):
        np.minimum(value, positive[..., None, k] / w_WK[:, k], out=value)
    return np.asarray(value ** w_WK.shape[1])


def feasible_values(sampled: Sampled, w_WK: Array) -> Array:
    """The scalarised values in each sample; nothing where a floor is broken there. Shape SMW."""
    values_SMW = scalarised(sampled.gains_SMK, w_WK)
    return np.where(sampled.slack_SM[:, :, None] >= 0.0, values_SMW, 0.0)


def greedy(model: FrontModel, pending_KD: Array, x_MD: Array, count: int, rng: np.random.Generator) -> list[int]:
    """The rows of `count` candidates that together widen the front most, one after the other.

    pending_KD: positions that are being scored: what they will turn out to be is in the samples, too.
    Where no candidate is likely to keep the floors, the one that comes nearest on average.
    """
    known_ND = np.vstack([model.x_ND, pending_KD])
    n = len(known_ND)
    sampled = model.sampled(np.vstack([known_ND, x_MD]), SAMPLES, rng)
    values_SNW = feasible_values(sampled, directions(DIRECTIONS, len(model.objectives), rng))
    best_S1W, values_SMW = values_SNW[:, :n].max(1, keepdims=True), values_SNW[:, n:]
    slack_M = sampled.slack_SM[:, n:].mean(0)
    rows: list[int] = []
    for _ in range(min(count, len(x_MD))):
        gain_M = np.maximum(values_SMW - best_S1W, 0.0).mean(axis=(0, 2))
        largest = float(gain_M.max())
        worth_M = np.round(gain_M / largest, DIGITS) if largest > 0.0 else slack_M.copy()
        worth_M[rows] = -np.inf
        rows.append(int(worth_M.argmax()))
        best_S1W = np.maximum(best_S1W, values_SMW[:, rows[-1:]])
    return rows


def optimistic(model: FrontModel, x_MD: Array, w_WK: Array) -> Array:
    """The scalarised value of candidates in each direction, OPTIMISM standard deviations above the mean. Shape MW.

    Where floors are likely to be broken even so, what is missing, below zero.
    """
    upper_MK = model.expected(x_MD) + OPTIMISM * model.deviation(x_MD)
    values_MW = scalarised(upper_MK - model.reference_K, w_WK)
    if not model.floors:
        return values_MW
    slack_M1 = model.kept(x_MD, OPTIMISM)[:, None]
    return np.where(slack_M1 >= 0.0, values_MW, slack_M1)


def best_rows(values_MW: Array, count: int) -> list[int]:
    """The rows that are best in some direction: each direction names its best ones in turn, until there are enough."""
    order_MW = np.argsort(-values_MW, axis=0, kind="stable")
    return [int(row) for row in dict.fromkeys(order_MW[:count].ravel())][:count]


def leaders(model: FrontModel, x_ND: Array, w_WK: Array) -> Array:
    """For each direction the position that is best in it by the means, of those that keep the floors by them.

    Where none does, the one that is nearest to that. Shape WD.
    """
    slack_N = model.kept(x_ND)
    if not (slack_N >= 0.0).any():
        return np.repeat(x_ND[[int(slack_N.argmax())]], len(w_WK), axis=0)
    kept_ND = x_ND[slack_N >= 0.0]
    values_NW = scalarised(model.expected(kept_ND) - model.reference_K, w_WK)
    found_WD: Array = kept_ND[values_NW.argmax(axis=0)]
    return found_WD
