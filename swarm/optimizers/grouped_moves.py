"""Candidates where each expert has a coefficient for each group of parameters: many coordinates.

A random step in a hundred coordinates hardly ever improves on what is known. So there are ways uphill on the process's
mean, positions whose groups differ less, and steps of few kinds: of all groups of an expert alike, of all coordinates,
of one expert's groups, and of one group.

What groups gain on the search split is partly luck, the more so the more coordinates there are. So some moves keep the
groups closer together, whatever the process expects: selection has then the choice (search/selection.py).

Shape suffixes: K centres, M candidates, T step lengths, E experts, D coordinates. Positions are points of the
unit cube.
"""

import numpy as np

from swarm.core.expert_groups import ExpertGroups
from swarm.core.space import Array
from swarm.optimizers.acquisition import LOCAL_STEPS, best_expected
from swarm.optimizers.gaussian_process import DIGITS, GaussianProcess

STEPS = 1300  # random ones
CLIMBS = 12  # steps uphill
CLIMB_LENGTHS = 0.003 * 2.0 ** np.arange(8)  # root mean square over coordinates; the best one is taken
SHARES = (0.0, 0.25, 0.5, 0.75)  # of the deviations that remain
EVENED_EVERY = 5  # moves
CLIMBED = 2  # of the centres: those that ways uphill start from


def evened(iteration: int, particle: int) -> float | None:
    """The share of the deviations that remains in every fifth move; None in the others."""
    return None if (iteration + particle) % EVENED_EVERY else SHARES[iteration % len(SHARES)]


def half_alike(groups: ExpertGroups, u_MD: Array) -> Array:
    """Random factors of a move, the same for all groups of an expert in the first half of the moves. Shape MD."""
    half = len(u_MD) // 2
    first_ME = u_MD[:half, np.unique(groups.expert_D, return_index=True)[1]]
    return np.vstack([groups.repeated(first_ME), u_MD[half:]])


def grouped_candidates(
    process: GaussianProcess, x_KD: Array, centres: int, rng: np.random.Generator, share: float
) -> Array:
    """Around the best expected of these positions. Shape MD.

    centres: how many of them.
    share: of the number of random steps.
    """
    groups = process.groups
    assert groups is not None, "without groups there are the candidates of acquisition.py"
    centres_KD = best_expected(x_KD, process.expected(x_KD), centres)
    ways_MD = np.vstack([climbed(process, centres_KD[:CLIMBED], alike) for alike in (False, True)])
    top_KD = np.vstack([best_expected(ways_MD, process.expected(ways_MD), 1), centres_KD[:1]])
    ways_MD = np.vstack([ways_MD, closer(groups, top_KD)])
    top_1D = best_expected(ways_MD, process.expected(ways_MD), 1)
    steps_MD = grouped_steps(groups, np.vstack([top_1D, centres_KD]), rng, max(1, round(share * STEPS)))
    return np.vstack([ways_MD, steps_MD])


def climbed(process: GaussianProcess, x_MD: Array, alike: bool) -> Array:
    """What lies on the ways uphill from these positions on the process's mean, them included. Shape: more x D.

    alike: all groups of an expert move alike.
    """
    found = [x_MD]
    for _ in range(CLIMBS):
        way_MD = process.uphill(x_MD)
        if alike and process.groups is not None:
            way_MD = process.groups.scaled(way_MD, 0.0)
        norm_M1 = np.sqrt(np.square(way_MD).mean(axis=1, keepdims=True))
        way_MD = np.round(way_MD / np.maximum(norm_M1, np.finfo(float).tiny), DIGITS)
        x_MTD = np.clip(x_MD[:, None] + CLIMB_LENGTHS[:, None] * way_MD[:, None], 0.0, 1.0)
        expected_MT = process.expected(x_MTD.reshape(-1, x_MD.shape[1])).reshape(x_MTD.shape[:2])
        higher_M = expected_MT.max(axis=1) > process.expected(x_MD)
        if not higher_M.any():
            break
        x_MD = np.where(higher_M[:, None], x_MTD[np.arange(len(x_MD)), expected_MT.argmax(axis=1)], x_MD)
        found.append(x_MD)
    return np.vstack(found)


def closer(groups: ExpertGroups, x_MD: Array) -> Array:
    """The positions with a share of all deviations, and with those of one expert gone. Shape: more x D."""
    kept_EE = 1.0 - np.eye(groups.experts)
    return np.vstack([groups.scaled(x_MD, factor) for factor in (*SHARES, *kept_EE)])


def grouped_steps(groups: ExpertGroups, centres_KD: Array, rng: np.random.Generator, size: int) -> Array:
    """Random steps of log-uniform length, more from the first centres, of four kinds. Shape: size x D."""
    d, e = len(groups.expert_D), groups.experts
    centre_M = np.minimum(rng.exponential(2.0, size).astype(int), len(centres_KD) - 1)
    length_M1 = np.exp(rng.uniform(np.log(LOCAL_STEPS[0]), np.log(LOCAL_STEPS[1]), (size, 1)))
    few_M1 = np.where(rng.uniform(size=(size, 1)) < 0.5, max(2.0 / e, 0.3), 1.0)  # the chance that an expert changes
    alike_MD = groups.repeated(rng.normal(size=(size, e)) * (rng.uniform(size=(size, e)) < few_M1))
    each_MD = rng.normal(size=(size, d))
    expert_MD = each_MD * (rng.integers(e, size=(size, 1)) == groups.expert_D)
    group_MD = each_MD * (rng.integers(groups.group_D.max() + 1, size=(size, 1)) == groups.group_D)
    kind_M1 = rng.integers(4, size=(size, 1))
    step_MD = np.select([kind_M1 == 0, kind_M1 == 1, kind_M1 == 2], [alike_MD, each_MD, expert_MD], group_MD)
    moved_MD: Array = np.clip(centres_KD[centre_M] + length_M1 * step_MD, 0.0, 1.0)
    return moved_MD
