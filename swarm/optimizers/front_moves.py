"""Candidates for a front: around the members of the posterior front, between them, combinations of experts.

Shape suffixes: M candidates, N known points, K objectives, W directions, D coordinates. Positions are points of the
unit cube.
"""

import numpy as np

from swarm.core.space import Array, Space
from swarm.optimizers.acquisition import LOCAL_STEPS, mixtures
from swarm.optimizers.front_acquisition import best_rows, directions, optimistic
from swarm.optimizers.front_model import FrontModel
from swarm.optimizers.positions import distinct_rows

LOCAL, BETWEEN, ANYWHERE, EXPERTS = 1500, 300, 100, 100  # candidates of each kind
BEYOND = 0.3  # by how much of its length a line between two members goes on at both ends
ASIDE = 0.02  # standard deviation of the steps off such a line
REFINED = 200  # candidates of each refinement step
REFINEMENT_STEPS = (0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125)  # their standard deviations
REFINED_CENTRES = 40
REFINED_DIRECTIONS = 16
SAMPLED = 300  # candidates that are looked at in joint samples


def around(model: FrontModel, space: Space, rng: np.random.Generator, share: float = 1.0) -> Array:
    """Candidates of the kinds above. Shape MD. share: of their numbers."""
    local, between, anywhere, experts = (max(1, round(share * n)) for n in (LOCAL, BETWEEN, ANYWHERE, EXPERTS))
    front_ND = model.x_ND[model.front()]
    drawn = [steps(front_ND, local, rng), lines(front_ND, between, rng)]
    return np.vstack([*drawn, rng.uniform(size=(anywhere, space.dimensions)), mixtures(space, experts, rng)])


def refined_front(
    model: FrontModel, x_MD: Array, known_ND: Array, rng: np.random.Generator, share: float = 1.0
) -> Array:
    """The most promising of these candidates and of finer steps around them; none of the known ones. Shape MD."""
    w_WK = directions(REFINED_DIRECTIONS, len(model.objectives), rng)
    size, centres, sampled = (max(1, round(share * n)) for n in (REFINED, REFINED_CENTRES, SAMPLED))
    values_MW = optimistic(model, x_MD, w_WK)
    for step in REFINEMENT_STEPS:
        near_MD = x_MD[rng.choice(best_rows(values_MW, centres), size=size)]
        near_MD = np.clip(near_MD + rng.normal(0.0, step, near_MD.shape), 0.0, 1.0)
        x_MD, values_MW = np.vstack([x_MD, near_MD]), np.vstack([values_MW, optimistic(model, near_MD, w_WK)])
    rows = distinct_rows(np.vstack([known_ND, x_MD]))
    fresh = rows[rows >= len(known_ND)] - len(known_ND)
    found_MD: Array = x_MD[fresh[best_rows(values_MW[fresh], sampled)]]
    return found_MD


def steps(front_ND: Array, count: int, rng: np.random.Generator) -> Array:
    """Steps of log-uniform length from members of the front; half of them change few coordinates. Shape: count x D."""
    dimensions = front_ND.shape[1]
    centre_MD = front_ND[rng.integers(len(front_ND), size=count)]
    length_M1 = np.exp(rng.uniform(np.log(LOCAL_STEPS[0]), np.log(LOCAL_STEPS[1]), (count, 1)))
    few = max(2.0 / dimensions, 0.3)  # the chance that a coordinate changes
    share_M1 = np.where(rng.uniform(size=(count, 1)) < 0.5, few, 1.0)
    changed_MD = rng.uniform(size=(count, dimensions)) < share_M1
    moved_MD: Array = np.clip(centre_MD + length_M1 * rng.normal(size=centre_MD.shape) * changed_MD, 0.0, 1.0)
    return moved_MD


def lines(front_ND: Array, count: int, rng: np.random.Generator) -> Array:
    """Points on lines through two members of the front, and a little aside. Shape: count x D."""
    a_MD, b_MD = (front_ND[rng.integers(len(front_ND), size=count)] for _ in range(2))
    along_M1 = rng.uniform(-BEYOND, 1.0 + BEYOND, (count, 1))
    aside_MD = rng.normal(0.0, ASIDE, a_MD.shape)
    between_MD: Array = np.clip(a_MD + along_M1 * (b_MD - a_MD) + aside_MD, 0.0, 1.0)
    return between_MD
