"""What `swarm check` foretells of a run: dimensions, evaluations, memory, disk, time. Nothing is started.

A cluster that runs is looked at.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from swarm.core.requests import Generation
from swarm.run.plan import Plan
from swarm.run.requirements import disk_of, free_disk, memory_of, needs_of, parameters_of
from swarm.search.status import Budget
from swarm.workers.preflight.placement import place
from swarm.workers.ray.connect import address_of
from swarm.workers.ray.probe_nodes import local_resources, survey
from swarm.workers.settings import ClusterSettings, LocalCluster

FLOPS_PER_PARAMETER = 2
CPU_FLOPS = 1e11  # a modest core pair in bfloat16: an order of magnitude, not a promise
GIB = 1024.0**3


@dataclass(frozen=True)
class Forecast:
    """The plan of a run in figures. Tokens and seconds are estimates.

    worker_gib: memory that each worker has of its own; node_gib: weight files that the workers of a node share.
    """

    base: str
    parameters: int
    experts: dict[str, str]
    coordinates: int
    evaluations: int
    examples: dict[str, dict[str, int]]
    tokens: int
    workers: str
    worker_gib: float
    node_gib: float
    disk_gib: float
    cpu_minutes: float
    smallest_gain: float
    notes: list[str]

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def forecast(plan: Plan) -> Forecast:
    """What this plan would do and need."""
    evaluations = Budget.of(plan.config.optimizer).evaluations
    tokens = evaluations * _tokens(plan)
    parameters = parameters_of(plan)
    needed = memory_of(plan)
    return Forecast(
        base=str(plan.catalog.base.path),
        parameters=parameters,
        experts={expert.name: expert.kind for expert in plan.catalog.experts},
        coordinates=plan.space.dimensions,
        evaluations=evaluations,
        examples={name: _sizes(plan, name) for name in plan.splits},
        tokens=tokens,
        workers=_workers(plan.config.cluster),
        worker_gib=needed.private / GIB,
        node_gib=needed.shared / GIB,
        disk_gib=disk_of(plan) / GIB,
        cpu_minutes=tokens * parameters * FLOPS_PER_PARAMETER / CPU_FLOPS / 60,
        smallest_gain=_smallest_gain(plan),
        notes=plan.notes,
    )


def lines(plan: Plan) -> list[str]:
    """The forecast in words, one fact a line."""
    f = forecast(plan)
    free = free_disk(Path()) / GIB
    splits = [
        f"{name}: " + ", ".join(f"{split} {n}" for split, n in sizes.items()) for name, sizes in f.examples.items()
    ]
    return [
        f"base         {f.base} ({f.parameters / 1e6:,.1f} M parameters)",
        f"experts      {len(f.experts)}: " + ", ".join(f"{name} ({kind})" for name, kind in f.experts.items()),
        f"search       {f.coordinates} coordinates, {plan.config.optimizer.type}, up to {f.evaluations:,} evaluations",
        *(f"examples     {line}" for line in splits),
        f"tokens       about {f.tokens:,} in the search",
        f"workers      {f.workers}",
        f"memory       about {f.worker_gib:.2f} GiB a worker, and {f.node_gib:.2f} GiB of files shared on a node",
        f"disk         about {f.disk_gib:.2f} GiB for best/ as a whole model; {free:.2f} GiB are free here",
        f"time         very roughly {f.cpu_minutes:,.0f} minutes of two CPU cores; far less on a GPU",
        f"power        on the test split a gain below about {100 * f.smallest_gain:.1f} points looks like luck",
        *(f"note         {note}" for note in f.notes),
    ]


def look(plan: Plan) -> list[str]:
    """Look at the cluster that the config or RAY_ADDRESS names: what it holds and notes, a fact a line; else nothing.

    Raises ConfigError where its nodes lack what a worker needs.
    """
    cluster = plan.config.cluster
    if isinstance(cluster, LocalCluster) or not address_of(cluster):
        return []
    return survey(needs_of(plan), cluster)


def _workers(cluster: ClusterSettings) -> str:
    """The workers in words. Raises ConfigError for what this machine cannot hold; a cluster is asked at the start."""
    if isinstance(cluster, LocalCluster):
        return "1, in this process"
    if address := address_of(cluster):
        return f"{cluster.workers} on the Ray cluster at {address}"
    planned = place(cluster, [local_resources()])
    return f"{planned.workers} on a local Ray, {planned.cpus} cores and {planned.gpus:g} GPUs each"


def _sizes(plan: Plan, name: str) -> dict[str, int]:
    splits = plan.splits[name]
    return {"search": len(splits.search), "select": len(splits.select), "test": len(splits.test)}


def _tokens(plan: Plan) -> int:
    """Tokens of one evaluation: prompts once, continuations, and what is written at most."""
    workload = plan.workloads["search"]
    items = workload.slice(0, workload.total).requests.items
    written = sum(item.request.max_new_tokens for item in items if isinstance(item.request, Generation))
    fed = sum(max(0, len(item.continuation) - 1) for item in items)
    return sum(map(len, {item.prompt for item in items})) + fed + written


def _smallest_gain(plan: Plan) -> float:
    """Half width of a 95 % interval of a paired difference of right-or-wrong scores, a fifth of them changing."""
    n = sum(len(splits.test) for splits in plan.splits.values())
    return 1.96 * math.sqrt(0.2 / n)
