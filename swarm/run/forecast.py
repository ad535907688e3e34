"""What `swarm check` predicts of a run: dimensions, evaluations, memory, disk, time. Nothing is started.

A cluster that is running already is inspected.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from swarm.core.requests import Generation
from swarm.core.sizes import GIB, duration_text, size_text
from swarm.preferences.goals import BOUND
from swarm.run.phases import predict_times
from swarm.run.plan import Plan
from swarm.run.requirements import cache_of, check_memory, disk_of, free_disk, memory_of, needs_of, parameters_of
from swarm.statistics.power import smallest_difference
from swarm.workers.preflight.placement import place
from swarm.workers.ray.connect import address_of
from swarm.workers.ray.local import local_resources
from swarm.workers.ray.probe_nodes import survey
from swarm.workers.settings import ClusterSettings

FLOPS_PER_PARAMETER = 2
DTYPE_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
CPU_FLOPS = 1e11  # two modest CPU cores in bfloat16: an order of magnitude


@dataclass(frozen=True)
class Forecast:
    """The plan of a run in figures.

    parameters: how many weights the base has.
    experts: name -> kind.
    coordinates: dimensions of the search.
    bounds: lowest and highest coefficient that a bounded optimizer tries.
    dtype: of the weights that are scored and exported.
    base_dtype: of most weights of the base's files, as safetensors names it.
    evaluations: the most candidates that the search scores.
    examples: objective -> split -> how many.
    tokens: of the whole search, at most.
    workers: how many and of what size, in words.
    worker_gib: memory per worker.
    node_gib: weight files that the workers of a node share.
    disk_gib: best/ as a whole model.
    cpu_minutes: of the search on two CPU cores, by the size of the model alone: an order of magnitude.
    seconds: estimate by phase, on the machine that the config names.
    time_basis: where `seconds` come from.
    smallest_gain: smallest difference in mean score that the test split can detect.
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
    seconds: dict[str, float]
    time_basis: str
    bounds: tuple[float, float]
    dtype: str
    base_dtype: str

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def forecast(plan: Plan) -> Forecast:
    """The figures of a plan."""
    evaluations = plan.budget().evaluations
    each = _tokens(plan)
    tokens = evaluations * each
    times = predict_times(plan, each)
    parameters = parameters_of(plan)
    needed = memory_of(plan)
    return Forecast(
        base=str(plan.catalog.base.path),
        parameters=parameters,
        experts={source.name: source.kind for source in plan.catalog.sources},
        coordinates=plan.space.dimensions,
        evaluations=evaluations,
        examples={name: _sizes(plan, name) for name in plan.splits},
        tokens=tokens,
        workers=_workers(plan.config.cluster),
        worker_gib=needed.private / GIB,
        node_gib=needed.shared / GIB,
        disk_gib=disk_of(plan) / GIB,
        cpu_minutes=tokens * parameters * FLOPS_PER_PARAMETER / CPU_FLOPS / 60,
        smallest_gain=smallest_difference(sum(len(splits.test) for splits in plan.splits.values())),
        notes=[*plan.notes, *plan.remarks, *filter(None, [times.problem])],
        seconds={phase: round(seconds, 3) for phase, seconds in times.seconds.items()},
        time_basis=times.basis,
        bounds=(float(plan.space.low_D.min()), float(plan.space.high_D.max())),
        dtype=plan.config.engine.dtype,
        base_dtype=_base_dtype(plan),
    )


def describe(plan: Plan) -> list[str]:
    """The forecast in words, one fact per line."""
    f = forecast(plan)
    free = free_disk(Path())
    splits = [
        f"{name}: " + ", ".join(f"{split} {n}" for split, n in sizes.items()) for name, sizes in f.examples.items()
    ]
    per_worker, per_node, best = (size_text(gib * GIB) for gib in (f.worker_gib, f.node_gib, f.disk_gib))
    return [
        f"base         {f.base} ({f.parameters / 1e6:,.1f} M parameters)",
        *(f"experts      {kind}: {', '.join(names)}" for kind, names in _by_kind(f.experts).items()),
        f"search       {f.coordinates} dimensions, each {f.bounds[0]:g} to {f.bounds[1]:g}",
        f"optimizer    {plan.config.optimizer.type}, up to {f.evaluations:,} evaluations",
        *_goals(plan),
        f"dtype        {f.dtype}{_of_the_base(f)}",
        *(f"examples     {line}" for line in splits),
        f"tokens       at most {f.tokens:,} in the search",
        f"workers      {f.workers}",
        f"memory       about {per_worker} per worker, plus {per_node} of files shared on each node",
        *_cache(plan),
        f"disk         about {best} for best/ as a whole model; {size_text(free)} free here",
        f"time         about {duration_text(sum(f.seconds.values()))} in all: {_by_phase(f.seconds)}",
        f"             ({f.time_basis})",
        f"power        smallest detectable difference on the test split: about {100 * f.smallest_gain:.1f} points",
        *(f"note         {note}" for note in f.notes),
    ]


def _cache(plan: Plan) -> list[str]:
    """What acts on logits, and what keeping the models' logits takes."""
    composition = plan.config.composition
    paths = composition.on_logits(plan.catalog)
    if not paths:
        return []
    listed, per_worker = ", ".join(["base", *paths]), size_text(cache_of(plan))
    return [
        f"logits       composition {composition.type}: {listed} run for each candidate, but for those of weight 0",
        f"             their logits in temporary files: {per_worker} per worker",
    ]


def _goals(plan: Plan) -> list[str]:
    """What counts beside the weighted mean: what is held apart, and what a floor asks for on the select split."""
    goals = plan.goals
    lines = [f"front        of {', '.join(goals.apart)}"] if goals.apart else []
    for objective in plan.config.objectives:
        if (floor := goals.floors.get(objective.name)) is None:
            continue
        n, asked = len(plan.splits[objective.name].select), ""
        if not floor.from_base and objective.signed_range == (0.0, 1.0) and 0.0 < floor.value < 1.0:
            error = math.sqrt(floor.value * (1.0 - floor.value) / n)
            needed = min(1.0, floor.value + BOUND * error)
            asked = f"; to keep it for certain a mean of about {needed:.3g} on the {n} select examples is needed"
        lines.append(f"floor        {objective.name}: {floor}{asked}")
    return lines


def inspect_cluster(plan: Plan) -> list[str]:
    """What the running cluster that the config or RAY_ADDRESS names holds, and notes, one per line.

    Without a cluster, notes on this machine. Raises ConfigError where nodes lack what a worker needs.
    """
    cluster = plan.config.cluster.on_ray
    return survey(needs_of(plan), cluster) if cluster and address_of(cluster) else check_memory(plan)


def _workers(cluster: ClusterSettings) -> str:
    """The workers in words. Raises ConfigError for what this machine cannot hold; `inspect_cluster` asks a cluster."""
    ray = cluster.on_ray
    if ray is None:
        return "1, in this process"
    if address := address_of(ray):
        return f"{ray.workers} on the Ray cluster at {address}"
    planned = place(ray, [local_resources()])
    return f"{planned.workers} on a local Ray; CPU cores per worker: {planned.cpus}, GPUs per worker: {planned.gpus:g}"


def _base_dtype(plan: Plan) -> str:
    sizes: Counter[str] = Counter()
    for info in plan.catalog.base.tensors.info.values():
        sizes[info.dtype] += info.elements
    return max(sizes, key=lambda dtype: sizes[dtype])


def _of_the_base(forecast: Forecast) -> str:
    """What is to be said where scores and the export have another dtype than the base."""
    stored = DTYPE_NAMES.get(forecast.base_dtype, "")
    return f" (the base is {stored})" if stored and stored != forecast.dtype else ""


def _by_kind(experts: Mapping[str, str]) -> dict[str, list[str]]:
    """Kind -> names."""
    return {kind: [name for name in experts if experts[name] == kind] for kind in dict.fromkeys(experts.values())}


def _sizes(plan: Plan, name: str) -> dict[str, int]:
    splits = plan.splits[name]
    return {"search": len(splits.search), "select": len(splits.select), "test": len(splits.test)}


def _tokens(plan: Plan) -> int:
    """Tokens of one evaluation at most: every distinct prompt once, continuations, and generated text."""
    workload = plan.workloads["search"]
    items = workload.slice(0, workload.total).requests.items
    generated = sum(item.request.max_new_tokens for item in items if isinstance(item.request, Generation))
    fed = sum(max(0, len(item.continuation) - 1) for item in items)
    return sum(map(len, {item.prompt for item in items})) + fed + generated


def _by_phase(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{phase} {duration_text(each)}" for phase, each in seconds.items())
