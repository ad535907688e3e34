"""How many workers a cluster takes, and what each gets: arithmetic over the nodes' resources."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarm.core.errors import ConfigError
from swarm.workers.settings import RayCluster

CORES_PER_WORKER = 4
CORES_PER_GPU = 8  # at most, so that nodes with fewer cores hold such a worker too


@dataclass(frozen=True)
class Share:
    """What every worker gets of the cluster."""

    workers: int
    cpus: int
    gpus: float


def share(settings: RayCluster, nodes: Sequence[Mapping[str, float]]) -> Share:
    """Workers and their size from what each node has. Raises ConfigError for what the nodes cannot hold."""
    cores = int(sum(node.get("CPU", 0.0) for node in nodes))
    gpus = sum(node.get("GPU", 0.0) for node in nodes)
    gpus_each = settings.gpus_per_worker if settings.gpus_per_worker != "auto" else min(1.0, gpus)
    least = settings.cpus_per_worker if settings.cpus_per_worker != "auto" else 1
    fitting = room_on(nodes, least, gpus_each)
    if settings.workers != "auto":
        workers = settings.workers
    elif gpus_each or settings.cpus_per_worker != "auto":
        workers = max(1, fitting)
    else:
        workers = max(1, sum(_workers_on(int(node.get("CPU", 0.0))) for node in nodes))
    if settings.autoscaling:
        return Share(workers, least, gpus_each)
    if room_on(nodes, 0, gpus_each) < workers:
        raise ConfigError(
            f"cluster.gpus_per_worker: {workers} workers with {gpus_each:g} GPUs each do not fit on the cluster's "
            f"{gpus:g} GPUs; ask for fewer workers or GPUs"
        )
    if fitting < workers:
        raise ConfigError(
            f"cluster.workers: {workers} workers with {least} cores each do not fit on the cluster's {cores} cores "
            f"({len(nodes)} nodes); ask for fewer workers or set cpus_per_worker"
        )
    most = min(cores // workers, CORES_PER_GPU * math.ceil(gpus_each)) if gpus_each else cores // workers
    sizes = range(most, least, -1) if settings.cpus_per_worker == "auto" else ()
    cpus_each = next((cpus for cpus in sizes if room_on(nodes, cpus, gpus_each) >= workers), least)
    return Share(workers, cpus_each, gpus_each)


def capacity(settings: RayCluster, size: Share, nodes: Sequence[Mapping[str, float]]) -> int:
    """How many workers of this size the nodes hold, counted as `share` counts them."""
    if size.gpus or settings.cpus_per_worker != "auto":
        return room_on(nodes, size.cpus, size.gpus)
    counted = sum(_workers_on(int(node.get("CPU", 0.0))) for node in nodes)
    return min(counted, room_on(nodes, size.cpus, 0))


def room_on(nodes: Sequence[Mapping[str, float]], cpus: int, gpus: float) -> int:
    """How many workers of this size the nodes hold; a worker lies on one node."""
    needs = [(name, each) for name, each in (("CPU", cpus), ("GPU", gpus)) if each > 0]
    if not needs:
        return sys.maxsize
    return sum(min(_times(name, node.get(name, 0.0), each) for name, each in needs) for node in nodes)


def _times(name: str, has: float, each: float) -> int:
    """How often a share fits into what a node has; one of a part of a GPU never lies on two GPUs."""
    # 1e-9: three workers with a third each fill one.
    if name == "GPU" and each < 1:
        return int(has) * int(1 / each + 1e-9)
    return int(has / each + 1e-9)


def _workers_on(cores: int) -> int:
    """Workers that a node without GPUs takes: a few cores each, but two where it can."""
    return max(min(2, cores), cores // CORES_PER_WORKER)
