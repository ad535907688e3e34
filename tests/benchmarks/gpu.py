"""Measurements that need a large GPU, on Llamas of 1B and 8B with random weights: under 8 minutes on one card.

- scoring: floating-point operations per second in a pass over multiple-choice items (2 per weight and position, and the
  head at the options' positions; attention is not counted), as a share of what one plain matrix product reaches
- swap: bytes that composing reads and writes per second, against a copy of as many bytes on the device
- stacked against merged: the same 8 particles with both methods, for several numbers of items per particle
- writing: tokens per second with 1, 4 and 8 particles in one batch
- reloading: a candidate as the research code scores it (`reloading.py`), against ours

`--device cpu --toy` runs all of it at a toy shape in seconds: this tests the script, and its figures mean nothing.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from common import Metric, Skip, by_turns, main, options, paired, say
from gpu_models import LLAMAS, TOY, Shape, choices, make_catalog, texts
from reloading import InMemory, Reloading, candidates

from swarm.compositions.weights import Weights
from swarm.core.recipes import Recipe
from swarm.engines.base import Engine
from swarm.engines.encoding import Encoder, Requests
from swarm.engines.transformers.engine import DTYPES, TransformersSettings
from swarm.experts.catalog import Catalog

PARTICLES = 8


@dataclass(frozen=True)
class Bench:
    """One shape on one device, with an engine open for each method of scoring."""

    shape: Shape
    catalog: Catalog
    merged: Engine
    stacked: Engine
    dtype: torch.dtype
    device: str
    repetitions: int

    @classmethod
    def of(cls, shape: Shape, folder: Path, arguments: argparse.Namespace) -> "Bench":
        dtype = DTYPES[arguments.dtype]
        catalog = make_catalog(shape, folder, arguments.device, dtype)
        merged, stacked = (
            TransformersSettings(
                dtype=arguments.dtype, device=arguments.device, method=method, particles=PARTICLES
            ).open(catalog)
            for method in ("merged", "stacked")
        )
        return cls(shape, catalog, merged, stacked, dtype, arguments.device, arguments.repetitions)

    def recipes(self, n: int, seed: int = 0) -> list[Recipe]:
        drawn = candidates(n, len(self.catalog.experts), seed)
        return [Weights().recipe(position, self.catalog) for position in drawn]

    def metric(self, name: str, value: float, unit: str, target: str | None = None) -> Metric:
        return Metric("gpu", f"{self.shape.name}: {name}", value, unit, target)

    def median(self, call: Callable[[], object]) -> float:
        """Median seconds of a call, including its work on the device."""

        def awaited() -> None:
            call()
            synchronize(self.device)

        return statistics.median(by_turns({"call": awaited}, self.repetitions)["call"])


def synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def scoring(bench: Bench) -> Iterator[Metric]:
    """Operations per second of a merged pass, against a plain matrix product."""
    requests = choices(bench.shape, bench.shape.ladder[-1])
    recipe = bench.recipes(1)
    (reply,) = bench.merged.answer(recipe, requests)
    seconds = bench.median(lambda: bench.merged.answer(recipe, requests))
    logits = sum(len(item.continuation) for item in requests.items)
    blocks = sum(info.elements for name, info in bench.catalog.base.tensors.info.items() if ".layers." in name)
    operations = 2 * (blocks * reply.tokens + bench.shape.vocabulary * bench.shape.hidden * logits)
    size = 8192 if bench.device.startswith("cuda") else 512
    a, b = (torch.randn(size, size, dtype=bench.dtype, device=bench.device) for _ in range(2))
    plain = 2 * size**3 / bench.median(lambda: a @ b)
    yield bench.metric("scoring: positions per pass", reply.tokens, "tokens")
    yield bench.metric("scoring: speed", reply.tokens / seconds, "tokens/s")
    yield bench.metric("scoring: operations", operations / seconds / 1e12, "TFLOP/s")
    yield bench.metric(f"scoring: plain product of {size} x {size}", plain / 1e12, "TFLOP/s")
    yield bench.metric("scoring: share of the plain product", operations / seconds / plain, "share")


def swap(bench: Bench) -> Iterator[Metric]:
    """Bytes that composing moves per second, against a copy on the device."""
    touched = sum(bench.catalog.base.tensors.info[name].elements for name in bench.catalog.parameters())
    moved = 2 * touched * bench.dtype.itemsize
    one = choices(bench.shape, 1)
    replies = [bench.merged.answer([recipe], one)[0] for recipe in bench.recipes(bench.repetitions + 1, seed=1)]
    compose = statistics.median(reply.compose_seconds for reply in replies[1:])
    source = torch.zeros(touched, dtype=bench.dtype, device=bench.device)
    target = torch.empty_like(source)
    copied = bench.median(lambda: target.copy_(source))
    yield bench.metric("swap: seconds to compose", compose, "s")
    yield bench.metric("swap: composing", moved / compose / 1e9, "GB/s")
    yield bench.metric("swap: copy on the device", moved / copied / 1e9, "GB/s")
    yield bench.metric("swap: compose / copy", compose / copied, "x")


def stacked_against_merged(bench: Bench) -> Iterator[Metric]:
    """The ratio of seconds of both methods for the same particles, for several numbers of items per particle."""
    recipes = bench.recipes(PARTICLES, seed=2)
    for items in bench.shape.ladder:
        requests = choices(bench.shape, items)
        tokens = bench.merged.answer(recipes[:1], requests)[0].tokens
        times = paired(
            partial(answered, bench, bench.stacked, recipes, requests),
            partial(answered, bench, bench.merged, recipes, requests),
            bench.repetitions,
        )
        yield bench.metric(f"{PARTICLES} particles, {tokens} tokens each: merged / stacked", times.ratio, "x")


def answered(bench: Bench, engine: Engine, recipes: Sequence[Recipe], requests: Requests) -> None:
    engine.answer(recipes, requests)
    synchronize(bench.device)


def writing(bench: Bench) -> Iterator[Metric]:
    """Tokens generated per second with 1, 4 and 8 particles in one batch."""
    requests = Encoder.of(bench.catalog.base.path).encode(texts(bench.shape.texts, bench.shape.new_tokens))
    for particles in (1, 4, PARTICLES):
        engine = bench.merged if particles == 1 else bench.stacked
        recipes = bench.recipes(particles, seed=3)
        written = [answer.n_tokens for reply in engine.answer(recipes, requests) for answer in reply.answers]
        seconds = bench.median(partial(engine.answer, recipes, requests))
        yield bench.metric(f"writing: {particles} particles together", sum(written) / seconds, "tokens/s")


def reloading(bench: Bench, target: str | None) -> Iterator[Metric]:
    """A candidate as the research code scores it, against ours: 200 items of 10 tokens."""
    base, adapters = bench.catalog.base.path, [expert.path for expert in bench.catalog.experts]
    requests = texts(20 if bench.shape is TOY else 200, 10)
    name = {value: key for key, value in DTYPES.items()}[bench.dtype]
    ours = InMemory(base, adapters, requests, {"dtype": name, "device": bench.device})
    theirs = Reloading(base, adapters, requests, bench.dtype, bench.device)
    drawn = candidates(bench.repetitions + 1, len(adapters), seed=4)
    ours_next, theirs_next = iter(drawn), iter(drawn)
    times = paired(lambda: ours.answers(next(ours_next)), lambda: theirs.answers(next(theirs_next)), bench.repetitions)
    yield from times.metrics("gpu", f"{bench.shape.name}: one candidate", ("ours", "reloading"), target)


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        raise Skip("there is no GPU here; docs/gpu-todo.md lists what needs one. --device cpu --toy tests the script")
    for shape in [TOY] if arguments.toy else [LLAMAS[name] for name in arguments.shapes]:
        with tempfile.TemporaryDirectory() as folder:
            yield from shape_metrics(shape, Path(folder), arguments)


def shape_metrics(shape: Shape, folder: Path, arguments: argparse.Namespace) -> Iterator[Metric]:
    """All measurements of one shape."""
    start = time.perf_counter()
    bench = Bench.of(shape, folder, arguments)
    say(f"gpu: {shape.name} built and opened after {time.perf_counter() - start:.0f} s")
    for check in (scoring, swap, stacked_against_merged, writing):
        yield from check(bench)
        say(f"gpu: {shape.name}: {check.__name__} done after {time.perf_counter() - start:.0f} s")
    yield from reloading(bench, ">= 10" if shape.name == "8B" else None)
    say(f"gpu: {shape.name} done after {time.perf_counter() - start:.0f} s")


def parser() -> argparse.ArgumentParser:
    made = options(__doc__)
    made.add_argument("--device", default="cuda")
    made.add_argument("--dtype", choices=list(DTYPES), default="bfloat16")
    made.add_argument("--shapes", nargs="+", choices=list(LLAMAS), default=list(LLAMAS))
    made.add_argument("--toy", action="store_true", help="a toy shape instead, to test the script")
    return made


if __name__ == "__main__":
    main(run, parser())
