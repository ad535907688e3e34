"""When the kernel of a Gaussian process is fitted anew: at counts of observations that are known beforehand.

To find the likeliest kernel takes as long as some fifty fits with a known one, and it hardly changes with one
observation more. So between two such counts it stays, and all else is fitted to every observation. The kernel depends
on the history alone: a resumed search finds the same one.

Shape suffixes: N observations, D coordinates.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from swarm.core.expert_groups import ExpertGroups
from swarm.core.space import Array
from swarm.optimizers.gaussian_process import GaussianProcess, Kernel
from swarm.optimizers.generational import ParticleGeneration
from swarm.optimizers.history_cache import History, HistoryCache

GROWTH = 10  # a count is followed by the next one when there is a tenth more,
MOST_BETWEEN = 50  # or after so many observations
_kernels: HistoryCache[Kernel | None] = HistoryCache()


def scheduled(observations: int) -> int:
    """The latest count at which the kernel is fitted."""
    count = 0
    while (following := count + max(1, min(count // GROWTH, MOST_BETWEEN))) <= observations:
        count = following
    return count


def scheduled_kernel(
    history: History,
    observations: Callable[[History], tuple[Array, Array]],
    groups: ExpertGroups | None = None,
) -> Kernel | None:
    """The kernel that was likeliest at the latest scheduled count; None where there was nothing to fit then.

    observations: of a history, as the process takes them.
    """
    count = scheduled(sum(len(generation.utilities_N) for generation in history))
    if (kernel := _kernels.get(count, history)) is not None:
        return kernel
    known = first_observations(history, count)
    x_ND, y_N = observations(known)
    if len(y_N) < 2 or np.ptp(y_N) == 0.0:
        return None
    kernel = GaussianProcess.fitted(x_ND, y_N, groups=groups).fit.kernel
    _kernels.put(count, history[: len(known)], kernel)
    return kernel


def first_observations(history: History, count: int) -> History:
    """The generations of a history with its first observations alone."""
    found: list[ParticleGeneration] = []
    for generation in history:
        left, size = count, len(generation.utilities_N)
        if left <= 0:
            break
        found.append(generation if size <= left else _shortened(generation, left))
        count -= size
    return tuple(found)


def _shortened(generation: ParticleGeneration, count: int) -> ParticleGeneration:
    return replace(
        generation,
        x_ND=generation.x_ND[:count],
        open_N=generation.open_N[:count],
        utilities_N=generation.utilities_N[:count],
    )
