"""Looking at the nodes of a running cluster before a search, and putting objects where the store may be full.

Nothing here waits longer than 15 seconds for an answer.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
import torch
from ray.exceptions import ObjectStoreFullError, OutOfDiskError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from swarm.core.errors import ConfigError, RunError
from swarm.workers.preflight import node_report as looking
from swarm.workers.preflight.checks import Needs, Node, verdict
from swarm.workers.preflight.node_report import NodeReport, look
from swarm.workers.preflight.placement import Share, room_on, share
from swarm.workers.ray.connect import address_of, alive, connect, first_line
from swarm.workers.ray.reach import reach
from swarm.workers.settings import ClusterSettings, LocalCluster, RayCluster

PROBE_SECONDS = 10.0
READ_SECONDS = 5.0  # of them, for files
PUT_SECONDS = 10.0
GIB = 1024.0**3
FREE = {"num_cpus": 0, "max_retries": 0}  # a node whose cores are all taken answers too


def here() -> dict[str, float]:
    """What a Ray on this machine would hold at most."""
    return {"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count())}


def feasible(settings: ClusterSettings) -> None:
    """Raise ConfigError for what can be known to fail before Ray is joined or started: at once, or in seconds."""
    if isinstance(settings, LocalCluster) or ray.is_initialized():
        return
    if address := address_of(settings):
        reach(address)
    else:
        share(settings, [here()])


def survey(needs: Needs, settings: RayCluster) -> list[str]:
    """Join the cluster, look at it and leave it: what it holds and notes, a fact a line. Raises ConfigError."""
    joined = not ray.is_initialized()
    feasible(settings)
    connect(settings)
    try:
        nodes = alive()
        size = share(settings, [node["Resources"] for node in nodes])
        notes = preflight(needs, size)
        able = sum(room_on([node["Resources"]], size.cpus, size.gpus) > 0 for node in nodes)
        has = f"{size.cpus} cores and {size.gpus:g} GPUs"
        return [f"ok: {len(nodes)} nodes, {able} of them for {size.workers} workers of {has} each", *notes]
    finally:
        if joined:
            ray.shutdown()


def preflight(needs: Needs, size: Share) -> list[str]:
    """Look at every node that can hold a worker; returns notes. Ray is connected.

    Raises ConfigError with one line for what would keep a worker from its work.
    """
    found = alive()
    nodes = [(node, room) for node in found if (room := room_on([node["Resources"]], size.cpus, size.gpus))]
    reports = _looks([node for node, _ in nodes], needs.paths, size.gpus > 0)
    seen = [Node(_name(node), room, reports[node["NodeID"]]) for node, room in nodes if node["NodeID"] in reports]
    return verdict(needs, seen, size) + _busy(size)


def put(value: object, what: str) -> "ray.ObjectRef[Any]":
    """ray.put that ends. `what` names the object: "the examples". Raises RunError.

    Measured: a full store spills to disk; with that full too, ray.put raises OutOfDiskError within a second; where the
    store's process hangs, ray.put waits for ever.
    """
    done = _within(PUT_SECONDS, lambda: ray.put(value))
    if done is None:
        problem = f"did not take {what} within {PUT_SECONDS:g} s"
    elif isinstance(done.error, ObjectStoreFullError | OutOfDiskError):
        problem = f"is full, and so is the disk that it spills to: {what} cannot be put there"
    elif done.error is not None:
        raise done.error
    else:
        return done.value
    raise RunError(
        f"cluster: Ray's object store ({_store()}) {problem}; free disk under Ray's temporary folder, end other jobs, "
        "or start Ray with a larger --object-store-memory, then swarm resume"
    )


@dataclass
class Done:
    """What a call came to."""

    value: Any = None
    error: BaseException | None = None


def _within(seconds: float, call: Callable[[], object]) -> Done | None:
    """What a call returns or raises; None where it goes on for longer: then it is left to itself."""
    done: list[Done] = []

    def run() -> None:
        try:
            done.append(Done(call()))
        except BaseException as error:
            done.append(Done(error=error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return done[0] if done else None


def _looks(nodes: Sequence[Mapping[str, Any]], paths: Sequence[str], gpus: bool) -> dict[str, NodeReport]:
    """What the nodes said, by id; one that has left is left out. Raises ConfigError for a silent one."""
    probe = ray.remote(look)
    # By value: a node that has no swarm, or another, can still be asked.
    ray.cloudpickle.register_pickle_by_value(looking)
    try:
        asked = {
            probe.options(scheduling_strategy=_on(node), **FREE).remote(paths, READ_SECONDS, gpus): node
            for node in nodes
        }
    finally:
        ray.cloudpickle.unregister_pickle_by_value(looking)
    done, late = ray.wait(list(asked), num_returns=len(asked), timeout=PROBE_SECONDS) if asked else ([], [])
    for ref in late:
        ray.cancel(ref, force=True)
    reports: dict[str, NodeReport] = {}
    for ref in [*done, *late]:
        node = asked[ref]
        try:
            reports[node["NodeID"]] = ray.get(ref, timeout=0)
        except RayError as error:
            if node["NodeID"] in {each["NodeID"] for each in alive()}:
                raise _silent(node, "" if ref in late else first_line(error)) from None
    return reports


def _on(node: Mapping[str, Any]) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _silent(node: Mapping[str, Any], reason: str) -> ConfigError:
    why = f"cannot be looked at ({reason})" if reason else f"did not answer within {PROBE_SECONDS:g} s"
    return ConfigError(f"cluster: node {_name(node)} {why}; repair it, or wait until ray status no longer shows it")


def _name(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})"


def _busy(size: Share) -> list[str]:
    """A note where others hold what the workers need: then the workers wait."""
    free = ray.available_resources()
    for name, unit, needed in (("CPU", "cores", size.workers * size.cpus), ("GPU", "GPUs", size.workers * size.gpus)):
        if free.get(name, 0.0) < needed - 1e-6:
            return [
                f"{free.get(name, 0.0):g} of the {needed:g} {unit} that the workers need are free now; "
                "the others start when they are"
            ]
    return []


def _store() -> str:
    size = ray.cluster_resources().get("object_store_memory", 0.0)
    used = size - ray.available_resources().get("object_store_memory", 0.0)
    return f"{size / GIB:.2f} GiB in the cluster, {used / GIB:.2f} GiB used"
