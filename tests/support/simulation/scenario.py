"""What a seed decides: the cluster, the search, and the faults of both."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from support.ahead import Ahead
from support.simulation.random_streams import RandomStreams
from swarm.optimizers import Optimizer
from swarm.optimizers.grid import Grid
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.pso import PSO
from swarm.optimizers.random_search import RandomSearch
from swarm.workers.settings import RayCluster


@dataclass(frozen=True)
class Kill:
    """The driver is killed at its n-th step (an order, a wait, a line) or at its n-th line in the journal."""

    at: Literal["step", "line"]
    n: int


Poison = Literal["lethal", "broken", "hanging", "failed"]


@dataclass(frozen=True)
class ClusterModel:
    """A cluster: how long things take, in seconds, and how often they fail, from 0 to 1.

    slots: workers per node.
    seconds: of one candidate, at the fastest worker.
    spread: the slowest worker's time over that of the fastest.
    start: seconds to load base and experts.
    answer: seconds that an answer is in transit.
    crash, broken, hang, straggle: rates per attempt.
    late: rate of answers that are in transit for long.
    sudden_death: rate of workers that die at a random moment, whatever they do.
    start_failure: rate of workers that die while they start.
    lag: rate at which the driver is busy while more happens.
    leaves: times that a node leaves and comes back.
    """

    nodes: int = 3
    slots: int = 3
    seconds: tuple[float, float] = (1.0, 3.0)
    spread: float = 4.0
    start: tuple[float, float] = (5.0, 40.0)
    answer: tuple[float, float] = (0.01, 0.2)
    crash: float = 0.0
    broken: float = 0.0
    hang: float = 0.0
    straggle: float = 0.0
    late: float = 0.0
    sudden_death: float = 0.0
    start_failure: float = 0.0
    lag: float = 0.0
    leaves: int = 0


@dataclass(frozen=True)
class Scenario:
    """The run of one seed.

    together: candidates in a bundle.
    poison: rate of poisonous candidates.
    racing: whether a race may stop candidates early.
    kills: how each session but the last ends.
    """

    seed: int
    model: ClusterModel
    cluster: RayCluster
    optimizer: Optimizer[Any]
    together: int
    poison: float
    racing: bool
    kills: tuple[Kill, ...]
    streams: RandomStreams = field(repr=False)

    def poison_of(self, candidate_id: str) -> Poison | None:
        """What is wrong with a candidate: the same in every session and at every worker."""
        rng = self.streams.of("poison", candidate_id)
        kinds: tuple[Poison, ...] = ("lethal", "broken", "hanging", "failed")
        return rng.choice(kinds) if rng.random() < self.poison else None


def scenario(seed: int) -> Scenario:
    """The scenario of a seed. About one in eight has no faults, only slow and fast workers."""
    streams = RandomStreams(f"swarm-{seed}")
    rng = streams.of("scenario")
    faultless = rng.random() < 0.12
    model = _faultless(rng) if faultless else _faulty(rng)
    return Scenario(
        seed=seed,
        model=model,
        cluster=_cluster(rng, model),
        optimizer=_optimizer(rng),
        together=rng.choice((1, 1, 1, 2, 3)),
        poison=0.0 if faultless else rng.choice((0.0, 0.02, 0.08)),
        racing=rng.random() < 0.3,
        kills=() if faultless else tuple(_kill(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))),
        streams=streams,
    )


def _kill(rng: Random) -> Kill:
    return Kill("line", rng.randint(1, 25)) if rng.random() < 0.4 else Kill("step", rng.randint(1, 160))


def _faultless(rng: Random) -> ClusterModel:
    return ClusterModel(nodes=rng.randint(1, 3), slots=rng.randint(1, 3))


def _faulty(rng: Random) -> ClusterModel:
    """Each kind of fault occurs or not, independently: if all occurred always, they would hide each other."""

    def sometimes(most: float) -> float:
        return rng.choice((0.0, most / 3, most))

    return ClusterModel(
        nodes=rng.randint(2, 4),
        slots=rng.randint(2, 3),
        crash=sometimes(0.15),
        broken=sometimes(0.06),
        hang=sometimes(0.05),
        straggle=sometimes(0.1),
        late=sometimes(0.2),
        sudden_death=sometimes(0.3),
        start_failure=sometimes(0.02),
        lag=sometimes(0.5),
        leaves=rng.choice((0, 0, 1, 3)),
    )


def _cluster(rng: Random, model: ClusterModel) -> RayCluster:
    """Enough respawns for a poisonous bundle: with fewer, it would end every session, and resuming would not help."""
    slots = model.nodes * model.slots
    workers, attempts = rng.choice(("auto", rng.randint(1, slots))), rng.randint(1, 3)
    deaths = 2 * (attempts + 3)
    return RayCluster(
        workers=workers,
        attempts=attempts,
        respawns=max(rng.randint(1, 5), -(-deaths // (slots if workers == "auto" else workers))),
        prefetch=rng.choice((0, 1, 1, 2)),
        hedge=rng.choice((None, 2.0, 3.0, 3.0)),
        deadline_seconds=900.0,  # longer than any attempt that ends
        start_seconds=900.0,
    )


def _optimizer(rng: Random) -> Optimizer[Any]:
    schedule = rng.choice(("sync", "async", "async"))
    limit: dict[str, Any] = rng.choice(({}, {"evaluations": rng.randint(9, 38)}, {"patience": 2}))
    usual = {"schedule": schedule, "particles": 8, "iterations": 5, "patience": None} | limit
    drops = rng.choice(({}, {"drop_particle": 0.2, "drop_iteration": 0.1}))
    kinds: tuple[Callable[[], Optimizer[Any]], ...] = (
        lambda: PSO(**usual),
        lambda: PSO(**usual),
        lambda: ModelSwarms(**usual, **drops),
        lambda: RandomSearch(**usual),
        lambda: Ahead(**usual | {"schedule": "sync"}),
        lambda: Grid(points=2, particles=8, iterations=50),
    )
    return rng.choice(kinds)()
