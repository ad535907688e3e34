"""What a seed makes of the cluster, of the search, and of the misfortunes of both."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from support.simulation.chance import Chance
from swarm.optimizers import Optimizer
from swarm.optimizers.grid import Grid
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.pso import PSO
from swarm.optimizers.random_search import RandomSearch
from swarm.workers.settings import RayCluster


@dataclass(frozen=True)
class Kill:
    """The driver ends at its n-th step (an order, a wait, a line) or at its n-th line in the journal."""

    at: Literal["step", "line"]
    n: int


Poison = Literal["lethal", "broken", "hanging", "failed"]


@dataclass(frozen=True)
class World:
    """A cluster: how long things take, in seconds, and how often they go wrong, from 0 to 1.

    spread: the slowest worker's time over the fastest one's. crash, broken, hang, straggle: of an attempt. late: of an
    answer to be on its way for long. sudden: of a worker to die at some moment, whatever it does. stillborn: to die as
    it starts. lag: of the driver to be busy while more happens. leaves: times that a node leaves and comes back.
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
    sudden: float = 0.0
    stillborn: float = 0.0
    lag: float = 0.0
    leaves: int = 0


@dataclass(frozen=True)
class Scenario:
    """One seed's run. kills: how each session but the last ends. poison: chance of a candidate."""

    seed: int
    world: World
    cluster: RayCluster
    optimizer: Optimizer[Any]
    together: int
    poison: float
    racing: bool
    kills: tuple[Kill, ...]
    chance: Chance = field(repr=False)

    def poison_of(self, candidate_id: str) -> Poison | None:
        """What is wrong with a candidate: the same in every session and at every worker."""
        rng = self.chance.of("poison", candidate_id)
        kinds: tuple[Poison, ...] = ("lethal", "broken", "hanging", "failed")
        return rng.choice(kinds) if rng.random() < self.poison else None


def scenario(seed: int) -> Scenario:
    """The scenario of a seed. About one in eight has nothing but slow and fast workers in it."""
    chance = Chance(f"swarm-{seed}")
    rng = chance.of("scenario")
    calm = rng.random() < 0.12
    world = _calm(rng) if calm else _stormy(rng)
    return Scenario(
        seed=seed,
        world=world,
        cluster=_cluster(rng, world),
        optimizer=_optimizer(rng),
        together=rng.choice((1, 1, 1, 2, 3)),
        poison=0.0 if calm else rng.choice((0.0, 0.02, 0.08)),
        racing=rng.random() < 0.3,
        kills=() if calm else tuple(_kill(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))),
        chance=chance,
    )


def _kill(rng: Random) -> Kill:
    return Kill("line", rng.randint(1, 25)) if rng.random() < 0.4 else Kill("step", rng.randint(1, 160))


def _calm(rng: Random) -> World:
    return World(nodes=rng.randint(1, 3), slots=rng.randint(1, 3))


def _stormy(rng: Random) -> World:
    """Each misfortune is there, or not, by itself: rare ones together would hide each other."""

    def sometimes(most: float) -> float:
        return rng.choice((0.0, most / 3, most))

    return World(
        nodes=rng.randint(2, 4),
        slots=rng.randint(2, 3),
        crash=sometimes(0.15),
        broken=sometimes(0.06),
        hang=sometimes(0.05),
        straggle=sometimes(0.1),
        late=sometimes(0.2),
        sudden=sometimes(0.3),
        stillborn=sometimes(0.02),
        lag=sometimes(0.5),
        leaves=rng.choice((0, 0, 1, 3)),
    )


def _cluster(rng: Random, world: World) -> RayCluster:
    """Enough lives for a poisonous bundle: with fewer, every session ends over it, and resuming does not help."""
    places = world.nodes * world.slots
    workers, attempts = rng.choice(("auto", rng.randint(1, places))), rng.randint(1, 3)
    lives = 2 * (attempts + 3)
    return RayCluster(
        workers=workers,
        attempts=attempts,
        respawns=max(rng.randint(1, 5), -(-lives // (places if workers == "auto" else workers))),
        prefetch=rng.choice((0, 1, 1, 2)),
        hedge=rng.choice((None, 2.0, 3.0, 3.0)),
        deadline_seconds=900.0,  # beyond what any attempt takes that does end
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
        lambda: Grid(points=2, particles=8, iterations=50),
    )
    return rng.choice(kinds)()
