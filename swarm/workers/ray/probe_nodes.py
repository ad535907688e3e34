"""Probing the nodes of a running cluster before a search, and putting objects into a store that may be full.

Nothing here waits longer than 35 seconds for an answer.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import ObjectStoreFullError, OutOfDiskError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from swarm.core.errors import ConfigError, RunError
from swarm.workers.preflight import node_report
from swarm.workers.preflight.checks import Node, NodeRequirements, check_nodes
from swarm.workers.preflight.node_report import NodeReport, report_node
from swarm.workers.preflight.placement import Placement, place, slots_on
from swarm.workers.ray.connect import address_of, alive_nodes, check_reachable, connect, first_line, place_of
from swarm.workers.ray.local import check_startable, local_resources
from swarm.workers.settings import ClusterSettings, LocalCluster, RayCluster

PROBE_SECONDS = 30.0  # a process must start for it, which took 10 on a machine with a load of five times its cores
READ_SECONDS = 5.0  # of PROBE_SECONDS, for reading files
PUT_SECONDS = 10.0
GIB = 1024.0**3
PROBE_OPTIONS = {"num_cpus": 0, "max_retries": 0}  # no cores, so that a fully occupied node answers too


def check_feasible(settings: ClusterSettings) -> None:
    """Raise ConfigError for everything that is certain to fail before Ray is joined or started. Takes seconds."""
    if isinstance(settings, LocalCluster) or ray.is_initialized():
        return
    if address := address_of(settings):
        check_reachable(address, place_of(settings))
    else:
        check_startable()
        place(settings, [local_resources()])


def count_workers(settings: ClusterSettings) -> int:
    """How many workers a run would begin with. A running cluster is joined for that, and left. Raises ConfigError."""
    if isinstance(settings, LocalCluster):
        return 1
    if settings.workers != "auto":
        return settings.workers
    if ray.is_initialized():
        return place(settings, [node["Resources"] for node in alive_nodes()]).workers
    if not address_of(settings):
        return place(settings, [local_resources()]).workers
    connect(settings)
    try:
        return place(settings, [node["Resources"] for node in alive_nodes()]).workers
    finally:
        ray.shutdown()


def survey(requirements: NodeRequirements, settings: RayCluster) -> list[str]:
    """Join the cluster, probe it and leave it: its size and notes, one fact per line. Raises ConfigError."""
    joined = not ray.is_initialized()
    check_feasible(settings)
    connect(settings)
    try:
        nodes = alive_nodes()
        placement = place(settings, [node["Resources"] for node in nodes])
        notes = probe_nodes(requirements, placement)
        usable = sum(slots_on([node["Resources"]], placement.cpus, placement.gpus) > 0 for node in nodes)
        size = f"{placement.cpus} cores and {placement.gpus:g} GPUs"
        return [f"ok: {len(nodes)} nodes, {usable} of them for {placement.workers} workers of {size} each", *notes]
    finally:
        if joined:
            ray.shutdown()


def probe_nodes(requirements: NodeRequirements, placement: Placement) -> list[str]:
    """Probe every node that can hold a worker; returns notes. Ray is connected.

    Raises ConfigError for the first thing that would keep a worker from working.
    """
    cpus, gpus = placement.cpus, placement.gpus
    nodes = [(node, slots) for node in alive_nodes() if (slots := slots_on([node["Resources"]], cpus, gpus))]
    reports = _reports([node for node, _ in nodes], requirements.paths, gpus > 0)
    probed = [Node(_name(node), slots, reports[node["NodeID"]]) for node, slots in nodes if node["NodeID"] in reports]
    return check_nodes(requirements, probed, placement) + _occupied(placement)


def put(value: object, what: str) -> "ray.ObjectRef[Any]":
    """ray.put with a time limit. `what` names the object, as in "the examples". Raises RunError.

    Measured: a full store spills to disk; if the disk is full too, ray.put raises OutOfDiskError within a second; if
    the store's process hangs, ray.put waits for ever.
    """
    done = _within(PUT_SECONDS, lambda: ray.put(value))
    if done is None:
        problem = f"did not accept {what} within {PUT_SECONDS:g} s"
    elif isinstance(done.error, ObjectStoreFullError | OutOfDiskError):
        problem = f"has no room for {what}, and neither has the disk that it spills to"
    elif done.error is not None:
        raise done.error
    else:
        return done.value
    raise RunError(
        f"cluster: Ray's object store ({_store()}) {problem}; free disk space under Ray's temporary folder, end other "
        "jobs, or start Ray with a larger --object-store-memory, then run swarm resume"
    )


@dataclass
class CallResult:
    """What a call returned or raised."""

    value: Any = None
    error: BaseException | None = None


def _within(seconds: float, call: Callable[[], object]) -> CallResult | None:
    """What a call returned or raised; None if it takes longer: it then continues in a thread of its own."""
    done: list[CallResult] = []

    def run() -> None:
        try:
            done.append(CallResult(call()))
        except BaseException as error:
            done.append(CallResult(error=error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return done[0] if done else None


def _reports(nodes: Sequence[Mapping[str, Any]], paths: Sequence[str], gpus: bool) -> dict[str, NodeReport]:
    """The nodes' reports by id, without nodes that have left. Raises ConfigError for a node that does not answer."""
    probe = ray.remote(report_node)
    # By value, so that a node without Swarm, or with another version, can answer.
    ray.cloudpickle.register_pickle_by_value(node_report)
    try:
        asked = {
            probe.options(scheduling_strategy=_on(node), **PROBE_OPTIONS).remote(paths, READ_SECONDS, gpus): node
            for node in nodes
        }
    finally:
        ray.cloudpickle.unregister_pickle_by_value(node_report)
    done, late = ray.wait(list(asked), num_returns=len(asked), timeout=PROBE_SECONDS) if asked else ([], [])
    for ref in late:
        ray.cancel(ref, force=True)
    reports: dict[str, NodeReport] = {}
    for ref in [*done, *late]:
        node = asked[ref]
        try:
            reports[node["NodeID"]] = ray.get(ref, timeout=0)
        except RayError as error:
            if node["NodeID"] in {each["NodeID"] for each in alive_nodes()}:
                raise _silent(node, "" if ref in late else first_line(error)) from None
    return reports


def _on(node: Mapping[str, Any]) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _silent(node: Mapping[str, Any], reason: str) -> ConfigError:
    why = f"cannot be probed ({reason})" if reason else f"did not answer within {PROBE_SECONDS:g} s"
    return ConfigError(f"cluster: node {_name(node)} {why}; repair it, or wait until ray status no longer lists it")


def _name(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})"


def _occupied(placement: Placement) -> list[str]:
    """A note if others occupy resources that the workers need, since the workers then wait."""
    free = ray.available_resources()
    cpus, gpus = placement.workers * placement.cpus, placement.workers * placement.gpus
    for name, unit, needed in (("CPU", "cores", cpus), ("GPU", "GPUs", gpus)):
        if free.get(name, 0.0) < needed - 1e-6:
            return [
                f"{free.get(name, 0.0):g} of the {needed:g} {unit} that the workers need are free now; "
                "the other workers start when more become free"
            ]
    return []


def _store() -> str:
    size = ray.cluster_resources().get("object_store_memory", 0.0)
    used = size - ray.available_resources().get("object_store_memory", 0.0)
    return f"{size / GIB:.2f} GiB in the cluster, {used / GIB:.2f} GiB used"
