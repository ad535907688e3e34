"""Members of a front for tests of rules."""

import numpy as np

from swarm.preferences import Members


def members(scores, reference=None, weights=None, groups=None, gains=None):
    """Objectives a, b, ...; reference point 0 unless said."""
    scores_MK = np.array(scores, dtype=float)
    m, k = scores_MK.shape
    return Members(
        tuple(f"m{row}" for row in range(m)),
        tuple("abcdef"[:k]),
        scores_MK,
        np.zeros(k) if reference is None else np.array(reference, dtype=float),
        np.ones(k) if weights is None else np.array(weights, dtype=float),
        {name: np.array(each, dtype=float) for name, each in (groups or {}).items()},
        {name: np.array(each, dtype=float) for name, each in (gains or {}).items()},
    )


def random_members(seed, with_groups=True):
    """Nine members, three objectives. Groups and improvements rise with the scores, as they do where they are means.

    The reference point lies below all scores, among them, or above most.
    """
    rng = np.random.default_rng(seed)
    scores_MK = rng.normal(size=(9, 3))
    groups = scores_MK @ rng.uniform(0.1, 1, size=(3, 4))
    noise_KP = rng.normal(size=(3, 20))
    gains = {name: scores_MK[:, k, None] + noise_KP[k] for k, name in enumerate("abc")}
    named = {f"g{g}": groups[:, g] for g in range(4)} if with_groups else {}
    return members(scores_MK, np.full(3, (-3.0, 0.0, 1.5)[seed % 3]), rng.uniform(0.1, 1, size=3), named, gains)


def first(rule, who):
    return rule.ranked(who)[0]
