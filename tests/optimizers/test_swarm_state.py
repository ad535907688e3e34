"""The rules of bests, worst and moves are the same for a whole generation and for one particle.

Shape suffixes: N particles.
"""

from dataclasses import replace

import numpy as np
import pytest

from support.optimizer_runs import concave, same, space
from swarm.optimizers import Observation
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.pso import PSO
from swarm.optimizers.swarm_state import SwarmState, at_personal_bests, initial_swarm, with_utilities

NAN = float("nan")
UTILITIES = [
    [1.0, 3.0, 3.0, 2.0],
    [NAN, 2.0, 2.0, NAN],
    [3.0, 3.0, -1.0, -1.0],
    [NAN, NAN, NAN, NAN],
    [0.0, -0.0, 5.0, 5.0],
]


def swarm(seed: int = 0) -> SwarmState:
    x_ND, v_ND = np.random.default_rng(seed).uniform(size=(2, 4, 3))
    return initial_swarm(space(3), seed, x_ND, v_ND)


def moved(state: SwarmState, seed: int) -> SwarmState:
    x_ND = np.random.default_rng(100 + seed).uniform(size=(4, 3))
    return replace(state, generation=replace(state.generation, x_ND=x_ND))


def test_a_generations_results_are_those_of_its_particles_in_their_order():
    together = singly = swarm()
    for number, utilities in enumerate(UTILITIES):
        together, singly = moved(together, number), moved(singly, number)
        together = with_utilities(together, np.arange(4), np.array(utilities))
        for i, utility in enumerate(utilities):
            singly = with_utilities(singly, np.array([i]), np.array([utility]))
        assert same(together, singly)


def test_of_equals_the_first_counts_and_only_a_strictly_better_one_replaces_it():
    first = with_utilities(swarm(), np.arange(4), np.array([1.0, 3.0, 3.0, 1.0]))
    x_ND = first.generation.x_ND
    np.testing.assert_array_equal(first.global_best_D, x_ND[1])
    np.testing.assert_array_equal(first.global_worst_D, x_ND[0])
    again = with_utilities(moved(first, 1), np.arange(4), np.array([3.0, 3.0, 1.0, 1.0]))
    np.testing.assert_array_equal(again.global_best_D, x_ND[1])
    np.testing.assert_array_equal(again.global_worst_D, x_ND[0])
    assert again.stale_N.tolist() == [0, 1, 1, 1], "particle 0 alone has a new personal best"
    np.testing.assert_array_equal(again.personal_best_ND[1:], x_ND[1:])


def test_a_restart_moves_those_particles_alone():
    state = moved(with_utilities(swarm(), np.arange(4), np.array([1.0, NAN, 2.0, 3.0])), 1)
    restarted = at_personal_bests(state, np.array([0, 1]))
    np.testing.assert_array_equal(restarted.generation.x_ND[0], state.personal_best_ND[0])
    np.testing.assert_array_equal(restarted.generation.x_ND[1:], state.generation.x_ND[1:])  # 1 has no personal best
    assert not restarted.v_ND[:2].any()
    np.testing.assert_array_equal(restarted.v_ND[2:], state.v_ND[2:])
    assert restarted.stale_N.tolist() == [0, 0, 0, 0]
    assert same(at_personal_bests(state, np.array([], dtype=int)), state)


@pytest.mark.parametrize("optimizer", [PSO, ModelSwarms])
def test_a_step_moves_one_particle_by_the_rules_of_a_generation(optimizer):
    """Where all of a generation are known already but one, that one moves as it does in the generation."""
    together, alone = optimizer(particles=6), optimizer(particles=6, schedule="async")
    state = together.init(space(3), 0)
    observations = [Observation(p.iteration, p.particle, concave(p.x_D)) for p in together.ask(state)]
    for observation in observations[:-1]:
        i, utility = np.array([observation.particle]), np.array([observation.utility])
        state = with_utilities(state, i, utility)
    _, (proposal,) = alone.step(state, observations[-1])
    after = together.tell(together.init(space(3), 0), observations)
    np.testing.assert_array_equal(proposal.x_D, after.generation.x_ND[-1])


def test_a_particle_that_is_not_scored_moves_until_it_is():
    optimizer = ModelSwarms(particles=6, schedule="async", drop_iteration=0.5)
    state = optimizer.init(space(3), 0)
    scored = [i for i in range(1, 40) if optimizer.scored(0, i, np.array([2])).all()]
    iterations, observation = [], Observation(0, 2, 1.0)
    while len(iterations) < len(scored):
        state, (proposal,) = optimizer.step(state, observation)
        iterations.append(proposal.iteration)
        observation = Observation(proposal.iteration, 2, concave(proposal.x_D))
    assert iterations == scored
    assert len(scored) < 30
