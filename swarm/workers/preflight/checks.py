"""Whether every node has what a worker needs. Requirements and reports come in; an error or notes come out.

What is certain to fail is an error. What may fail is a note: Ray chooses the nodes and does not look at memory.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swarm.core.errors import ConfigError
from swarm.core.sizes import size_text
from swarm.workers.preflight.node_report import Fingerprint, NodeReport, fingerprints, versions
from swarm.workers.preflight.placement import Placement

TIGHT = 0.85  # the forecast of memory has an error of up to 15 %
HERE = "this machine"  # the name of the node where no cluster has been asked
MISSING = "No such file or directory"


@dataclass(frozen=True)
class RequiredFiles:
    """Files that every worker reads from disk.

    owner: whose they are, as in "expert medical".
    path: the file or folder that the user named.
    files: fingerprint by path, as they are on this machine.
    """

    owner: str
    path: str
    files: Mapping[str, Fingerprint]

    @classmethod
    def of(cls, owner: str, path: Path, files: Sequence[Path]) -> "RequiredFiles":
        return cls(owner, str(path), fingerprints([str(file) for file in files], math.inf))


@dataclass(frozen=True)
class NodeRequirements:
    """What workers need on a node.

    files: the base, the experts and the user's modules.
    versions: version by package, as on this machine.
    private: bytes of memory per worker.
    shared: bytes of memory per node, shared by its workers.
    """

    files: tuple[RequiredFiles, ...]
    versions: Mapping[str, str]
    private: float
    shared: float

    @classmethod
    def of(cls, files: Sequence[RequiredFiles], private: float, shared: float) -> "NodeRequirements":
        """With the versions on this machine."""
        return cls(tuple(files), versions(), private, shared)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for required in self.files for path in required.files)


@dataclass(frozen=True)
class Node:
    """A node that was probed.

    name: address and id, as in "10.0.0.7 (ab12cd34)".
    slots: how many workers it can hold by its cores and GPUs.
    """

    name: str
    slots: int
    report: NodeReport


def check_nodes(requirements: NodeRequirements, nodes: Sequence[Node], placement: Placement) -> list[str]:
    """Returns notes. Raises ConfigError for the first thing that keeps a worker from working."""
    notes = []
    for required in requirements.files:
        notes += _check_files(required, nodes)
    _check_versions(requirements, nodes)
    return notes + _check_memory(requirements, nodes, placement)


def _check_files(required: RequiredFiles, nodes: Sequence[Node]) -> list[str]:
    """Raises ConfigError if a node lacks a file or has another one; returns a note if a file could not be read."""
    for node in nodes:
        problems = {path: problem for path in required.files if (problem := node.report.files[path].problem)}
        if problems:
            path, problem = next(iter(problems.items()))
            missing = required.path if len(problems) == len(required.files) else path
            why = "is not" if problem == MISSING else f"cannot be read ({problem})"
            alike = [n.name for n in nodes if any(n.report.files[p].problem for p in required.files)]
            raise ConfigError(
                f"{required.owner}: {missing} {why} on {_names(alike)}; copy it there or put it on shared storage"
            )
    for path, here in required.files.items():
        others = [node.name for node in nodes if _differ(here, node.report.files[path])]
        if others:
            raise ConfigError(
                f"{required.owner}: {path} on {_names(others)} differs from the file on this machine; "
                "copy it there again or put it on shared storage"
            )
    unread = [node.name for node in nodes if any(not node.report.files[path].digest for path in required.files)]
    if not unread:
        return []
    return [f"{required.owner}: on {_names(unread)} only file sizes were compared, since the disk is slow"]


def _differ(here: Fingerprint, there: Fingerprint) -> bool:
    return here.size != there.size or (there.digest != "" and here.digest != there.digest)


def _check_versions(requirements: NodeRequirements, nodes: Sequence[Node]) -> None:
    """Raises ConfigError if scores could differ between nodes. CPU and CUDA builds of one torch count as equal."""
    for package, here in requirements.versions.items():
        found = {node.name: node.report.versions.get(package, "") for node in nodes}
        for there in found.values():
            if there.partition("+")[0] != here.partition("+")[0]:
                alike = _names([name for name, each in found.items() if each == there])
                what = f"is {there} on {alike} and {here} here" if there else f"is missing on {alike} and {here} here"
                raise ConfigError(f"cluster: {package} {what}; install the same version on all nodes")


def _check_memory(requirements: NodeRequirements, nodes: Sequence[Node], placement: Placement) -> list[str]:
    """Raises ConfigError if the workers cannot fit, however Ray places them; returns notes on nodes with too little."""
    fits = {node.name: _fits(requirements, node, placement) for node in nodes}
    held = sum(min(node.slots, fits[node.name]) for node in nodes)
    small = [node for node in nodes if fits[node.name] < min(node.slots, placement.workers)]
    # More workers than slots: an autoscaler will add nodes.
    if held < placement.workers <= sum(node.slots for node in nodes):
        raise ConfigError(
            f"cluster.workers: {_workers(placement.workers)} {size_text(requirements.private)} each and "
            f"{size_text(requirements.shared)} of files per node; {_names([small[0].name])} has "
            f"{_free(small[0], placement)}, which is enough for {fits[small[0].name]}; {_remedy(held)}"
        )
    notes = []
    for node in small:
        notes.append(
            f"{_names([node.name])} has {_free(node, placement)}, enough for {fits[node.name]} of the "
            f"{min(node.slots, placement.workers)} workers that Ray may place there; "
            "with a higher cluster.cpus_per_worker Ray places fewer"
        )
    tight = [n for n in nodes if n not in small and _used(requirements, n, placement) > TIGHT]
    if tight:
        notes.append(
            f"memory is tight on {_names([node.name for node in tight])}: workers take about "
            f"{100 * _used(requirements, tight[0], placement):.0f} % of {_free(tight[0], placement)}; "
            "fewer cluster.workers are safer"
        )
    return notes


def _workers(count: int) -> str:
    return "1 worker needs" if count == 1 else f"{count} workers need"


def _remedy(held: int) -> str:
    if held:
        return f"set cluster.workers to {held} or fewer"
    return "use nodes with more memory, a smaller engine.dtype or fewer engine.batch_tokens"


def _fits(requirements: NodeRequirements, node: Node, placement: Placement) -> int:
    """How many workers the node's memory holds. The private memory of a worker with GPUs is on its GPUs."""
    left = math.inf if node.report.memory is None else node.report.memory - requirements.shared
    if left < 0:
        return 0
    if not placement.gpus:
        return int(left // requirements.private) if left < math.inf else sys.maxsize
    if node.report.gpus is None:
        return sys.maxsize
    if placement.gpus >= 1:
        enough = sum(free * placement.gpus >= requirements.private for free in node.report.gpus)
        return enough // int(placement.gpus)
    per_gpu = int(1 / placement.gpus + 1e-9)
    return sum(min(per_gpu, int(free // requirements.private)) for free in node.report.gpus)


def _used(requirements: NodeRequirements, node: Node, placement: Placement) -> float:
    """The largest share of the node's memory that its workers may take; of GPU memory if they have GPUs."""
    workers = min(node.slots, placement.workers)
    if placement.gpus:
        together = min(workers, int(1 / placement.gpus + 1e-9)) if placement.gpus < 1 else 1 / placement.gpus
        return requirements.private * together / max(min(node.report.gpus), 1.0) if node.report.gpus else 0.0
    total = requirements.shared + workers * requirements.private
    return total / node.report.memory if node.report.memory else 0.0


def _free(node: Node, placement: Placement) -> str:
    gpus = ", ".join(size_text(free) for free in node.report.gpus or ()) if placement.gpus else ""
    memory = size_text(node.report.memory) + " of memory free" if node.report.memory is not None else ""
    return " and ".join(part for part in (memory, gpus and f"{gpus} free on its GPUs") if part)


def _names(names: Sequence[str]) -> str:
    if list(names) == [HERE]:
        return HERE
    return f"node {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
