"""What PSO and Model Swarms share beside their state: a step of one particle, for the async schedule."""

from abc import abstractmethod

from swarm.optimizers.base import Proposal, Result
from swarm.optimizers.generational import Generational
from swarm.optimizers.swarm_state import Movement, SwarmState, at_iteration, moved, with_result_of_one


class Swarming(Generational[SwarmState]):
    """An optimizer whose particles move by their own bests and the swarm's."""

    @abstractmethod
    def move(self, state: SwarmState, i: int) -> Movement:
        """Particle i into the iteration after the state's."""

    def settled(self, state: SwarmState, i: int) -> SwarmState:
        """Before particle i moves: what its course so far asks for."""
        return state

    def skips(self, state: SwarmState, i: int) -> bool:
        """Whether particle i is not scored in the state's iteration."""
        return False

    def step(self, state: SwarmState, result: Result) -> tuple[SwarmState, list[Proposal]]:
        i, utility = result.particle, result.utility
        state = at_iteration(state, result.iteration)
        while True:
            state = self.settled(with_result_of_one(state, i, utility), i)
            state, utility = moved(state, i, self.move(state, i)), float("nan")
            if not self.skips(state, i):
                proposal = Proposal(state.generation.iteration, i, state.generation.x_ND[i].copy())
                return state, [self.with_bounds(state, proposal)]
