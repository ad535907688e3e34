"""The workers of a run: opened when they are first needed, with the examples of a split once those are needed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from swarm.core.examples import Split
from swarm.run.listener import Listener
from swarm.run.plan import Plan
from swarm.run.requirements import needs_of
from swarm.workers.pool import LocalPool, Pool
from swarm.workers.ray.backend import RayBackend
from swarm.workers.scheduling.coordinator import Coordinator

OpenPool = Callable[[Plan, Callable[[str], None]], Pool]


def open_pool(plan: Plan, note: Callable[[str], None]) -> Pool:
    """The workers that the config asks for. note: called with what the user should know about their nodes."""
    cluster = plan.config.cluster.on_ray
    if cluster is None:
        return LocalPool(plan.spec)
    return Coordinator(RayBackend(plan.spec, cluster, needs_of(plan), note), cluster, note)


@dataclass
class RunWorkers:
    """The pool of a run, and which splits it has."""

    plan: Plan
    listener: Listener
    open_pool: OpenPool = open_pool
    _pool: Pool | None = field(default=None, init=False)
    _loaded: set[Split] = field(default_factory=set, init=False)

    def having(self, split: Split) -> Pool:
        """The pool, with the examples of a split."""
        if self._pool is None:
            self.listener.phase("starting workers")
            self._pool = self.open_pool(self.plan, self.listener.note)
            for note in self._pool.notes:
                self.listener.note(note)
        if split not in self._loaded:
            self._pool.load(split, self.plan.workloads[split])
            self._loaded.add(split)
        return self._pool

    def close(self) -> None:
        """End them."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
            self._loaded.clear()
