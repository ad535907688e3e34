"""Whether every node has what a worker needs: figures and files in, one clear line or notes out. No Ray here.

What cannot be is refused. What may go wrong, and may not, is a note: Ray chooses the nodes, and knows no memory.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swarm.core.errors import ConfigError
from swarm.workers.preflight.node_report import Mark, NodeReport, marks, versions
from swarm.workers.preflight.placement import Share

GIB = 1024.0**3
TIGHT = 0.85  # the forecast of memory is within 15 %
MISSING = "No such file or directory"


@dataclass(frozen=True)
class Held:
    """Something that lies on disk for every worker, and the marks of its files here. owner: "expert medical"."""

    owner: str
    path: str
    marks: Mapping[str, Mark]

    @classmethod
    def of(cls, owner: str, path: Path, files: Sequence[Path]) -> "Held":
        return cls(owner, str(path), marks([str(file) for file in files], math.inf))


@dataclass(frozen=True)
class Needs:
    """What workers need of a node: files, versions, and bytes of memory: each of its own, and once a node."""

    held: tuple[Held, ...]
    versions: Mapping[str, str]
    private: float
    shared: float

    @classmethod
    def of(cls, held: Sequence[Held], private: float, shared: float) -> "Needs":
        """With the versions that are here."""
        return cls(tuple(held), versions(), private, shared)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for held in self.held for path in held.marks)


@dataclass(frozen=True)
class Node:
    """A node that can hold `room` workers, and what it said. name: "10.0.0.7 (ab12cd34)"."""

    name: str
    room: int
    report: NodeReport


def verdict(needs: Needs, nodes: Sequence[Node], share: Share) -> list[str]:
    """Notes. Raises ConfigError for the first thing that keeps a worker from its work."""
    notes = []
    for held in needs.held:
        notes += _files(held, nodes)
    _versions(needs, nodes)
    return notes + _memory(needs, nodes, share)


def _files(held: Held, nodes: Sequence[Node]) -> list[str]:
    """Raises ConfigError where a file is not the one that is here; a note where there was no time to read it."""
    for node in nodes:
        problems = {path: problem for path in held.marks if (problem := node.report.marks[path].problem)}
        if problems:
            path, problem = next(iter(problems.items()))
            where = held.path if len(problems) == len(held.marks) else path
            why = "is not" if problem == MISSING else f"cannot be read ({problem})"
            alike = [n.name for n in nodes if any(n.report.marks[p].problem for p in held.marks)]
            raise ConfigError(
                f"{held.owner}: {where} {why} on {_named(alike)}; copy it there or put it on shared storage"
            )
    for path, mark in held.marks.items():
        others = [node.name for node in nodes if _differ(mark, node.report.marks[path])]
        if others:
            raise ConfigError(
                f"{held.owner}: {path} on {_named(others)} is not the file that is here; "
                "copy it there again or put it on shared storage"
            )
    unread = [node.name for node in nodes if any(not node.report.marks[path].digest for path in held.marks)]
    return [f"{held.owner}: on {_named(unread)} only its size was compared: the disk is slow"] if unread else []


def _differ(here: Mark, there: Mark) -> bool:
    return here.size != there.size or (there.digest != "" and here.digest != there.digest)


def _versions(needs: Needs, nodes: Sequence[Node]) -> None:
    """Raises ConfigError where scores could differ from node to node. CPU and CUDA builds of one torch are equal."""
    for package, here in needs.versions.items():
        found = {node.name: node.report.versions.get(package, "") for node in nodes}
        for there in found.values():
            if there.partition("+")[0] != here.partition("+")[0]:
                alike = _named([name for name, each in found.items() if each == there])
                what = (
                    f"is {there} on {alike} and {here} here" if there else f"is missing on {alike}; here it is {here}"
                )
                raise ConfigError(f"cluster: {package} {what}; install the same version on all nodes")


def _memory(needs: Needs, nodes: Sequence[Node], share: Share) -> list[str]:
    """Raises ConfigError where the workers do not fit, however Ray places them."""
    fits = {node.name: _fits(needs, node, share) for node in nodes}
    held = sum(min(node.room, fits[node.name]) for node in nodes)
    small = [node for node in nodes if fits[node.name] < min(node.room, share.workers)]
    # With an autoscaler, nodes are still to come.
    if held < share.workers <= sum(node.room for node in nodes):
        raise ConfigError(
            f"cluster.workers: {share.workers} workers need {_gib(needs.private)} each and {_gib(needs.shared)} of "
            f"files on a node; {_named([small[0].name])} has {_free(small[0], share)}, which is enough for "
            f"{fits[small[0].name]}; {_remedy(held)}"
        )
    notes = []
    for node in small:
        notes.append(
            f"{_named([node.name])} has {_free(node, share)}, enough for {fits[node.name]} of the "
            f"{min(node.room, share.workers)} workers that Ray may place there; "
            "a higher cluster.cpus_per_worker places fewer"
        )
    tight = [n for n in nodes if n not in small and _used(needs, n, share) > TIGHT]
    if tight:
        notes.append(
            f"memory is tight on {_named([node.name for node in tight])}: workers take about "
            f"{100 * _used(needs, tight[0], share):.0f} % of {_free(tight[0], share)}; fewer cluster.workers are safer"
        )
    return notes


def _remedy(held: int) -> str:
    if held:
        return f"set cluster.workers to {held} or fewer"
    return "use nodes with more memory, a smaller engine.dtype or fewer engine.batch_tokens"


def _fits(needs: Needs, node: Node, share: Share) -> int:
    """Workers that the node's memory holds. What a GPU worker has of its own lies on its GPUs."""
    left = math.inf if node.report.memory is None else node.report.memory - needs.shared
    if left < 0:
        return 0
    if not share.gpus:
        return int(left // needs.private) if left < math.inf else sys.maxsize
    if node.report.gpus is None:
        return sys.maxsize
    if share.gpus >= 1:
        return sum(free * share.gpus >= needs.private for free in node.report.gpus) // int(share.gpus)
    return sum(min(int(1 / share.gpus + 1e-9), int(free // needs.private)) for free in node.report.gpus)


def _used(needs: Needs, node: Node, share: Share) -> float:
    """The part of the node's memory that its workers take at most; of its GPUs', where they have some."""
    workers = min(node.room, share.workers)
    if share.gpus:
        together = min(workers, int(1 / share.gpus + 1e-9)) if share.gpus < 1 else 1 / share.gpus
        return needs.private * together / max(min(node.report.gpus), 1.0) if node.report.gpus else 0.0
    return (needs.shared + workers * needs.private) / node.report.memory if node.report.memory else 0.0


def _free(node: Node, share: Share) -> str:
    gpus = ", ".join(_gib(free) for free in node.report.gpus or ()) if share.gpus else ""
    memory = _gib(node.report.memory) + " of memory free" if node.report.memory is not None else ""
    return " and ".join(part for part in (memory, gpus and f"{gpus} free on its GPUs") if part)


def _named(names: Sequence[str]) -> str:
    return f"node {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _gib(size: float) -> str:
    return f"{size / GIB:.2f} GiB"
