"""How fast a recipe is composed in a live model, as a share of the bandwidth of a plain copy.

Full updates: four checkpoints of a base of `--weights` million weights, in layers of the shapes of SmolLM2-135M and of
Llama-3.2-1B, bfloat16, all held in memory. Bytes: the base and four experts are read, the result is written; the copy
(`copy_`) reads and writes as many in total. LoRA: the SmolLM2 zoo's base and experts, in seconds per recipe. Every
repetition composes another recipe. Compiled: what a worker does from `merge_compiled.MIN_WEIGHTS` weights in full
updates on; eager: what it does with fewer, or without a C++ compiler. Compilation happens before the clock starts and
is reported apart; later workers load its result from disk.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from itertools import count

import torch
from common import Metric, by_turns, main, options, say, spread, zoo_path
from loading import load_model
from torch import Tensor

from swarm.compositions.weights import Weights
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.experts.merge import merge_plan
from swarm.experts.merge_compiled import CompiledMerge
from swarm.experts.merge_model import execute_plans
from swarm.experts.updates import Replacement

BENCHMARK = "composing"
TARGET = ">= 0.5"
EXPERTS = 4
SHAPES = {  # of one layer
    "135M": ((576, 576), (192, 576), (192, 576), (576, 576), (1536, 576), (1536, 576), (576, 1536), (576,)),
    "1B": ((2048, 2048), (512, 2048), (512, 2048), (2048, 2048), (8192, 2048), (8192, 2048), (2048, 8192), (2048,)),
}


def full_updates(size: str, weights: int, repetitions: int) -> Iterator[Metric]:
    """A linear combination of full checkpoints, against a plain copy."""
    shapes = SHAPES[size]
    layers = max(1, weights // sum(torch.Size(shape).numel() for shape in shapes))
    base, *experts, live = ([_tensor(shape) for _ in range(layers) for shape in shapes] for _ in range(EXPERTS + 2))
    elements = sum(tensor.numel() for tensor in base)
    moved = (EXPERTS + 2) * elements  # read and written
    source = torch.zeros(moved // 2, dtype=torch.bfloat16)
    target = torch.empty_like(source)
    step = count(1)

    compiled = CompiledMerge()

    def put(compiled: CompiledMerge | None) -> None:
        shares = [0.1 * (i + 1) + 0.001 * next(step) for i in range(EXPERTS)]
        terms = [
            [(c, Replacement(value)) for c, value in zip(shares, values, strict=True)]
            for values in zip(*experts, strict=True)
        ]
        execute_plans(
            [(out, merge_plan(b, t, "delta", None)) for out, b, t in zip(live, base, terms, strict=True)], compiled
        )

    start = time.perf_counter()
    put(compiled)
    yield Metric(BENCHMARK, f"{size} shapes: first compiled recipe", time.perf_counter() - start, "s")
    say(f"composing {elements / 1e6:.0f} million weights from {EXPERTS} checkpoints, {torch.get_num_threads()} threads")
    sides = {"compiled": lambda: put(compiled), "copy": lambda: target.copy_(source), "eager": lambda: put(None)}
    seconds = by_turns(sides, repetitions)
    for name in seconds:
        yield Metric(BENCHMARK, f"{size} shapes: {name}", moved * 2 / statistics.median(seconds[name]) / 1e9, "GB/s")
    for name, target_share in {"compiled": TARGET, "eager": None}.items():
        ratios = [copied / composed for composed, copied in zip(seconds[name], seconds["copy"], strict=True)]
        what = f"{size} shapes: {name}: share of a copy's bandwidth"
        yield Metric(BENCHMARK, what, statistics.median(ratios), "x", target_share)
        yield from spread(BENCHMARK, what, ratios)


def lora(repetitions: int) -> Iterator[Metric]:
    """Seconds per recipe of the SmolLM2 zoo's adapters."""
    zoo = zoo_path("smollm2")
    experts = [ExpertSpec(path.name, path) for path in sorted((zoo / "experts").iterdir())]
    catalog = open_catalog(zoo / "base", experts)
    composer = MergedWeights(load_model(zoo / "base", torch.bfloat16), catalog)
    step = count(1)

    def put() -> None:
        composer.put(Weights().recipe([0.1 + 0.01 * next(step)] * len(experts), catalog))

    say(f"composing SmolLM2 from {len(experts)} adapters")
    seconds = by_turns({"put": put}, repetitions)["put"]
    yield Metric(BENCHMARK, f"SmolLM2 with {len(experts)} LoRA experts", statistics.median(seconds), "s")
    yield from spread(BENCHMARK, f"SmolLM2 with {len(experts)} LoRA experts", seconds, "s")


def _tensor(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, dtype=torch.bfloat16)


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    torch.manual_seed(0)
    for size in SHAPES:
        yield from full_updates(size, arguments.weights * 1_000_000, arguments.repetitions)
    if not arguments.no_zoo:
        yield from lora(arguments.repetitions)


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument(
        "--weights", type=int, default=100, help="millions of weights of the full updates (default 100)"
    )
    parser.add_argument("--no-zoo", action="store_true", help="without the SmolLM2 zoo")
    main(run, parser)
