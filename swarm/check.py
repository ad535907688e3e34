"""What `swarm check` foretells of a run: dimensions, evaluations, memory, disk, time. Nothing is started."""

import math
import os
from dataclasses import asdict, dataclass

import torch

from swarm.experts import Base, Catalog, Expert
from swarm.plan import Plan
from swarm.pool import ClusterSettings, LocalCluster
from swarm.sharing import share
from swarm.tensors import TensorInfo
from swarm.types import Example

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "F64": 8, "F32": 4, "F16": 2, "BF16": 2}
CHARACTERS_PER_TOKEN = 4
FLOPS_PER_PARAMETER = 2
CPU_FLOPS = 1e11  # a modest core pair in bfloat16: an order of magnitude, not a promise
GIB = 1024.0**3


@dataclass(frozen=True)
class Forecast:
    """The plan of a run in figures. Tokens and seconds are estimates; memory is of one worker."""

    base: str
    parameters: int
    experts: dict[str, str]
    coordinates: int
    evaluations: int
    examples: dict[str, dict[str, int]]
    tokens: int
    workers: str
    worker_gib: float
    disk_gib: float
    cpu_minutes: float
    smallest_gain: float
    notes: list[str]

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def forecast(plan: Plan) -> Forecast:
    """What this plan would do and need."""
    evaluations = _evaluations(plan)
    tokens = evaluations * _tokens(plan)
    parameters = sum(info.elements for info in plan.catalog.base.tensors.info.values())
    return Forecast(
        base=str(plan.catalog.base.path),
        parameters=parameters,
        experts={expert.name: expert.kind for expert in plan.catalog.experts},
        coordinates=plan.space.dimensions,
        evaluations=evaluations,
        examples={name: _sizes(plan, name) for name in plan.splits},
        tokens=tokens,
        workers=_workers(plan.config.cluster),
        worker_gib=_worker_bytes(plan.catalog, plan.config.engine.dtype) / GIB,
        disk_gib=parameters * DTYPE_BYTES[plan.config.engine.dtype] / GIB,
        cpu_minutes=tokens * parameters * FLOPS_PER_PARAMETER / CPU_FLOPS / 60,
        smallest_gain=_smallest_gain(plan),
        notes=plan.notes,
    )


def lines(plan: Plan) -> list[str]:
    """The forecast in words, one fact a line."""
    f = forecast(plan)
    splits = [
        f"{name}: " + ", ".join(f"{split} {n}" for split, n in sizes.items()) for name, sizes in f.examples.items()
    ]
    return [
        f"base         {f.base} ({f.parameters / 1e6:,.1f} M parameters)",
        f"experts      {len(f.experts)}: " + ", ".join(f"{name} ({kind})" for name, kind in f.experts.items()),
        f"search       {f.coordinates} coordinates, {plan.config.optimizer.type}, up to {f.evaluations:,} evaluations",
        *(f"examples     {line}" for line in splits),
        f"tokens       about {f.tokens:,} in the search",
        f"workers      {f.workers}; each needs about {f.worker_gib:.2f} GiB for weights",
        f"disk         about {f.disk_gib:.2f} GiB for best/ as a whole model",
        f"time         very roughly {f.cpu_minutes:,.0f} minutes of two CPU cores; far less on a GPU",
        f"power        on the test split a gain below about {100 * f.smallest_gain:.1f} points looks like luck",
        *(f"note         {note}" for note in f.notes),
    ]


def _workers(cluster: ClusterSettings) -> str:
    """The workers in words. Raises ConfigError for what this machine cannot hold; a cluster is asked at the start."""
    if isinstance(cluster, LocalCluster):
        return "1, in this process"
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    if address:
        return f"{cluster.workers} on the Ray cluster at {address}"
    planned = share(cluster, [{"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count())}])
    return f"{planned.workers} on a local Ray, {planned.cpus} cores and {planned.gpus:g} GPUs each"


def _evaluations(plan: Plan) -> int:
    optimizer = plan.config.optimizer
    particles = int(getattr(optimizer, "particles", 1))
    most = optimizer.iterations * particles
    return most if optimizer.evaluations is None else min(most, optimizer.evaluations)


def _sizes(plan: Plan, name: str) -> dict[str, int]:
    splits = plan.splits[name]
    return {"search": len(splits.search), "select": len(splits.select), "test": len(splits.test)}


def _tokens(plan: Plan) -> int:
    """Tokens of one evaluation, by characters: a tokenizer is not loaded for an estimate."""
    return sum(
        _characters(example) // CHARACTERS_PER_TOKEN + 1
        for examples in plan.examples("search").values()
        for example in examples
    )


def _characters(example: Example) -> int:
    prompt = example.prompt if isinstance(example.prompt, str) else "".join(m.content for m in example.prompt)
    options = list((example.choices or {}).values()) or [example.answer]
    return sum(len(prompt) + len(option) for option in options)


def _worker_bytes(catalog: Catalog, dtype: str) -> float:
    """The live model, pristine copies of what experts touch, and the experts' own tensors."""
    live = sum(info.elements for info in catalog.base.tensors.info.values()) * DTYPE_BYTES[dtype]
    pristine = sum(_bytes(catalog.base, name) for name in catalog.parameters())
    experts = sum(_held(expert, catalog.base) for expert in catalog.experts)
    return float(live + pristine + experts)


def _held(expert: Expert, base: Base) -> int:
    """Factors are held in float32; what is thinned becomes a float32 tensor as large as the base's."""
    if expert.thinning.active:
        return sum(4 * base.tensors.info[name].elements for name in expert.source.parameters())
    bytes_each = 4 if expert.kind == "adapter" else 0
    return sum(info.elements * bytes_each or _stored(info) for info in expert.source.files.info.values())


def _bytes(base: Base, name: str) -> int:
    return _stored(base.tensors.info[name])


def _stored(info: TensorInfo) -> int:
    return info.elements * DTYPE_BYTES.get(info.dtype, 1)


def _smallest_gain(plan: Plan) -> float:
    """Half width of a 95 % interval of a paired difference of right-or-wrong scores, a fifth of them changing."""
    n = sum(len(splits.test) for splits in plan.splits.values())
    return 1.96 * math.sqrt(0.2 / n)
