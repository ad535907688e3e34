"""What it costs to set a dial: another weighting in a live model, between two calls.

    python tests/benchmarks/dials.py --threads 2

Eight LoRA experts (the zoo's, repeated) of SmolLM2-135M, on a CPU. Adapter: one composed adapter beside the base's
weights; after the sets, its tensors are compared bit for bit with those of a fresh `swarm export --format adapter`, and
its logits with those of PEFT, which loads that export. Stacked: coefficients beside the base's weights. Merged: the
composed weights, whose bits are compared with those of `swarm export --format hf`. The floor is the matrix products of
the merged form alone, without reading the base or rounding, so that no way of merging in float32 can be faster. Then
what a call costs in each form, as the first two add work to every layer.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from common import Metric, main, options, say, zoo_path
from loading import load_model
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor

from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.engines.transformers.composed_layers import NAME
from swarm.engines.transformers.dial_model import DialModel, Form
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.adapter_names import PREFIX
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.merge_model import composed_tensors
from swarm.export import Exported
from swarm.export.adapter import write_adapter

BENCHMARK = "dials"
TARGET = "<= 50"  # ms
EXPERTS, SETS, TOKENS = 8, 20, 16
TEXT = "The greatest common divisor of 12 and 18 is"
FORMS: tuple[Form, ...] = ("adapter", "stacked", "merged")


def opened(zoo: str) -> Catalog:
    """The zoo's experts, over and over until there are enough."""
    folder = zoo_path(zoo)
    known = sorted((folder / "experts").iterdir())
    return open_catalog(folder / "base", [ExpertSpec(f"e{i}", known[i % len(known)]) for i in range(EXPERTS)])


def recipe(catalog: Catalog, step: int, without: int = -1) -> Recipe:
    """Another weighting for each step, in which every expert has a part, or all but one."""
    values = {name: (float(i != without) * (0.02 * (i + 1) + 0.003 * step),) for i, name in enumerate(catalog.names)}
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), values))


@dataclass(frozen=True)
class Times:
    """Milliseconds of each call: of the clock, and of the processors, which a busy machine changes less."""

    clock: list[float]
    processor: list[float]


def times(call: Callable[[int], object], number: int) -> Times:
    """After one call that is not timed."""
    call(0)
    clock, processor = [], []
    for step in range(1, number + 1):
        start, worked = time.perf_counter(), time.process_time()
        call(step)
        clock.append(1000 * (time.perf_counter() - start))
        processor.append(1000 * (time.process_time() - worked))
    return Times(clock, processor)


def sets(dial: DialModel, catalog: Catalog, words: str) -> Iterator[Metric]:
    recipes = [recipe(catalog, step) for step in range(SETS + 1)]
    found = times(lambda step: dial.put([recipes[step]]), SETS)
    target = None if dial.form == "merged" else TARGET
    yield Metric(BENCHMARK, f"{words}: set, median of {SETS}", statistics.median(found.clock), "ms", target)
    yield Metric(BENCHMARK, f"{words}: set, fastest", min(found.clock), "ms")
    yield Metric(BENCHMARK, f"{words}: set, slowest", max(found.clock), "ms")
    yield Metric(BENCHMARK, f"{words}: set, processor time, median", statistics.median(found.processor), "ms")


def other_experts(dial: DialModel, catalog: Catalog, words: str) -> Iterator[Metric]:
    """Sets that each leave out another expert, so that the adapter's rank stays and its rows change."""
    recipes = [recipe(catalog, step, without=step % EXPERTS) for step in range(SETS + 1)]
    found = times(lambda step: dial.put([recipes[step]]), SETS)
    yield Metric(BENCHMARK, f"{words}: set with other experts in use, median", statistics.median(found.clock), "ms")
    processor = statistics.median(found.processor)
    yield Metric(BENCHMARK, f"{words}: set with other experts in use, processor time", processor, "ms")


def differing(dial: DialModel, catalog: Catalog, dtype: torch.dtype) -> int:
    """Tensors of the live model that are not those of an export."""
    live, exported = dial.model.state_dict(), composed_tensors(catalog, recipe(catalog, SETS), dtype)
    return sum(not torch.equal(live[name], tensor) for name, tensor in exported if name in live)


@torch.no_grad()
def exported_adapter(dial: DialModel, catalog: Catalog, dtype: torch.dtype, words: str) -> Iterator[Metric]:
    """What differs between the live model, an adapter exported with the same coefficients, and PEFT's model of it."""
    exported = Exported(catalog, recipe(catalog, SETS), str(dtype).removeprefix("torch."), None, "", "1-1")
    with TemporaryDirectory() as folder:
        write_adapter(exported, Path(folder))
        written = load_file(Path(folder) / "adapter_model.safetensors")
        base = load_model(catalog.base.path, dtype)
        peft = PeftModel.from_pretrained(base, folder).eval()
    live = {name.replace(f".{NAME}", ""): tensor for name, tensor in dial.model.state_dict().items()}
    unlike = sum(not torch.equal(live[name.removeprefix(PREFIX)], tensor) for name, tensor in written.items())
    yield Metric(BENCHMARK, f"{words}: of {len(written)} tensors, unlike an exported adapter's", unlike, "", "<= 0")
    ids = dial.tokenizer(TEXT, return_tensors="pt")["input_ids"]
    differ = int((dial.model(ids).logits != peft(ids).logits).sum())
    yield Metric(BENCHMARK, f"{words}: logits unlike PEFT's with it", differ, "", "<= 0")


def floor(merged: MergedWeights) -> float:
    """Milliseconds of processor time of the matrix products alone; the fewest of a few."""
    pairs = [(each.stacked.left_OC, each.stacked.right_CI) for each in merged.parameters if each.stacked]
    outs: list[Tensor] = [torch.empty(left.shape[0], right.shape[1]) for left, right in pairs]

    def products(step: int) -> None:
        for (left_OC, right_CI), out in zip(pairs, outs, strict=True):
            torch.mm(left_OC, right_CI, out=out)

    return min(times(products, 7).processor)


def texts(dial: DialModel, words: str, repetitions: int) -> Iterator[Metric]:
    """What it takes to write TOKENS tokens after a short prompt."""
    wanted = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": False}
    found = times(lambda step: dial.generate([TEXT], wanted), repetitions)
    yield Metric(BENCHMARK, f"{words}: write {TOKENS} tokens, median", statistics.median(found.clock), "ms")
    processor = statistics.median(found.processor)
    yield Metric(BENCHMARK, f"{words}: write {TOKENS} tokens, processor time, median", processor, "ms")


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    catalog = opened(arguments.zoo)
    say(f"{EXPERTS} experts, {torch.get_num_threads()} threads")
    for dtype in (torch.bfloat16, torch.float32):
        name = str(dtype).removeprefix("torch.")
        for form in FORMS:
            dial = DialModel(catalog, dtype, "cpu", form)
            words = f"{form}, {name}"
            yield from sets(dial, catalog, words)
            if form == "adapter":
                yield from exported_adapter(dial, catalog, dtype, words)
                yield from other_experts(dial, catalog, words)
            if form == "merged":
                yield Metric(
                    BENCHMARK, f"{words}: tensors unlike an export's", differing(dial, catalog, dtype), "", "<= 0"
                )
            yield from texts(dial, words, arguments.repetitions)
            del dial
    with torch.no_grad():
        merged = MergedWeights(DialModel(catalog, torch.float32, "cpu", "merged").model, catalog)
        yield Metric(BENCHMARK, "merged: its matrix products alone, processor time, fewest", floor(merged), "ms")


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--zoo", choices=("smollm2", "tiny"), default="smollm2", help="whose experts (default smollm2)")
    main(run, parser)
