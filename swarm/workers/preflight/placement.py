"""How many workers a cluster holds and how large each is: arithmetic on the nodes' resources."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarm.core.errors import ConfigError
from swarm.workers.settings import RayCluster

CORES_PER_WORKER = 4  # with workers: auto and no GPUs
MAX_CORES_PER_GPU = 8  # so that nodes with fewer cores hold such a worker too


@dataclass(frozen=True)
class Placement:
    """The workers of a cluster, all of one size.

    workers: how many.
    cpus: cores per worker.
    gpus: GPUs per worker, or a part of one.
    """

    workers: int
    cpus: int
    gpus: float


def place(settings: RayCluster, nodes: Sequence[Mapping[str, float]]) -> Placement:
    """Derive the placement from each node's resources. Raises ConfigError if the nodes cannot hold the workers."""
    cores = int(sum(node.get("CPU", 0.0) for node in nodes))
    gpus = sum(node.get("GPU", 0.0) for node in nodes)
    gpus_each = settings.gpus_per_worker if settings.gpus_per_worker != "auto" else min(1.0, gpus)
    least = settings.cpus_per_worker if settings.cpus_per_worker != "auto" else 1
    slots = slots_on(nodes, least, gpus_each)
    if settings.workers != "auto":
        workers = settings.workers
    elif gpus_each or settings.cpus_per_worker != "auto":
        workers = max(1, slots)
    else:
        workers = max(1, sum(_workers_on(int(node.get("CPU", 0.0))) for node in nodes))
    if settings.autoscaling:
        return Placement(workers, least, gpus_each)
    if slots_on(nodes, 0, gpus_each) < workers:
        raise ConfigError(
            f"cluster.gpus_per_worker: {workers} workers with {gpus_each:g} GPUs each do not fit on the cluster's "
            f"{gpus:g} GPUs; {_fewer(workers=slots_on(nodes, 0, gpus_each) > 0, gpus=True)}"
        )
    if slots < workers:
        raise ConfigError(
            f"cluster.workers: {workers} workers with {least} cores each do not fit on the cluster's {cores} cores "
            f"({len(nodes)} nodes); {_fewer(workers=slots > 0, cores=least > 1)}"
        )
    most = min(cores // workers, MAX_CORES_PER_GPU * math.ceil(gpus_each)) if gpus_each else cores // workers
    sizes = range(most, least, -1) if settings.cpus_per_worker == "auto" else ()
    cpus_each = next((cpus for cpus in sizes if slots_on(nodes, cpus, gpus_each) >= workers), least)
    return Placement(workers, cpus_each, gpus_each)


def _fewer(**helps: bool) -> str:
    """The remedy for workers that do not fit: fewer of what there can be less of."""
    ways = [
        what if what == "workers" else f"{what.replace('gpus', 'GPUs')} per worker" for what in helps if helps[what]
    ]
    return f"ask for fewer {' or '.join(ways)}" if ways else "start Ray with more cores on its nodes"


def capacity(settings: RayCluster, placement: Placement, nodes: Sequence[Mapping[str, float]]) -> int:
    """How many workers of this size the nodes hold, counted as `place` counts them."""
    if placement.gpus or settings.cpus_per_worker != "auto":
        return slots_on(nodes, placement.cpus, placement.gpus)
    counted = sum(_workers_on(int(node.get("CPU", 0.0))) for node in nodes)
    return min(counted, slots_on(nodes, placement.cpus, 0))


def slots_on(nodes: Sequence[Mapping[str, float]], cpus: int, gpus: float) -> int:
    """How many workers of this size the nodes hold. A worker never spans two nodes."""
    needs = [(name, each) for name, each in (("CPU", cpus), ("GPU", gpus)) if each > 0]
    if not needs:
        return sys.maxsize
    return sum(min(_times(name, node.get(name, 0.0), each) for name, each in needs) for node in nodes)


def _times(name: str, has: float, each: float) -> int:
    """How many times `each` fits into what a node has. A worker with a part of a GPU never spans two GPUs."""
    # 1e-9 for rounding: three workers with a third of a GPU each fill one.
    if name == "GPU" and each < 1:
        return int(has) * int(1 / each + 1e-9)
    return int(has / each + 1e-9)


def _workers_on(cores: int) -> int:
    """Workers on a node without GPUs: CORES_PER_WORKER cores each, but two workers if it has two cores."""
    return max(min(2, cores), cores // CORES_PER_WORKER)
