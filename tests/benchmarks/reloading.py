"""Scoring a candidate as Model Swarms' research code does, against Swarm, on the same SmolLM2 items.

Theirs, after the public code of arXiv 2410.11163 (a fork of it was read): the experts' adapter files are read, the
weighted sums of their factors, A and B separately, are saved; base, adapter and tokenizer are loaded from disk for
every candidate; it generates greedily in batches of 10, in the order of the data. Differences from the original, all in
its favour: padding is masked, the merge uses memory-mapped files, and velocities, which the original also stores as
adapters, are left out.
Ours: one engine, opened once, gets the recipe (`algebra: factors`) and the same requests, encoded once.
Every repetition is another candidate; both sides get the same ones, in the same dtype on the same device.
This does not measure the authors' own program, which needs GPUs and a larger model: there loading costs more.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from common import ROOT, Metric, main, options, paired, say, zoo_path
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from swarm.compositions.weights import Weights
from swarm.config.load import load_config
from swarm.core.recipes import Recipe
from swarm.core.requests import Generation, Text
from swarm.data.examples import read_examples
from swarm.engines.encoding import Encoder
from swarm.engines.transformers.engine import DTYPES, TransformersSettings
from swarm.experts.catalog import ExpertSpec, open_catalog

BATCH_SIZE = 10  # BATCH_SIZE of evaluate.py in the research code
ADAPTER = "adapter_model.safetensors"


@dataclass(frozen=True)
class Reloading:
    """The research code's method: one call per candidate."""

    base: Path
    adapters: Sequence[Path]
    requests: Sequence[Generation]
    dtype: torch.dtype
    device: str = "cpu"

    def answers(self, coefficients: Sequence[float]) -> list[str]:
        """The texts that the candidate generates, one per request."""
        with tempfile.TemporaryDirectory() as folder, redirect_stderr(StringIO()):
            self._merge(coefficients, Path(folder))
            model = AutoModelForCausalLM.from_pretrained(self.base, dtype=self.dtype)
            model.load_adapter(folder)
            model.to(self.device)
        tokenizer = AutoTokenizer.from_pretrained(self.base, padding_side="left")
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        texts: list[str] = []
        for start in range(0, len(self.requests), BATCH_SIZE):
            texts += _written(model, tokenizer, self.requests[start : start + BATCH_SIZE], self.device)
        return texts

    def _merge(self, coefficients: Sequence[float], folder: Path) -> None:
        """Save the weighted sums of the adapters' factors, A and B separately, as an adapter."""
        total: dict[str, Tensor] = {}
        for coefficient, adapter in zip(coefficients, self.adapters, strict=True):
            for name, tensor in load_file(adapter / ADAPTER).items():
                weighted = coefficient * tensor
                total[name] = total[name].add_(weighted) if name in total else weighted
        save_file(total, folder / ADAPTER)
        shutil.copy(self.adapters[0] / "adapter_config.json", folder)


def _written(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, requests: Sequence[Generation], device: str
) -> list[str]:
    batch = tokenizer([request.prompt for request in requests], return_tensors="pt", padding=True).to(device)
    limit = max(request.max_new_tokens for request in requests)
    output = model.generate(**batch, max_new_tokens=limit, do_sample=False, pad_token_id=tokenizer.pad_token_id)
    new = output[:, batch["input_ids"].shape[1] :]
    texts = tokenizer.batch_decode(new, skip_special_tokens=True)
    return list(texts)


class InMemory:
    """Swarm's method: base and experts are opened once, a candidate is a recipe."""

    def __init__(self, base: Path, adapters: Sequence[Path], requests: Sequence[Generation], settings: dict) -> None:
        specs = [ExpertSpec(f"e{i}", path) for i, path in enumerate(adapters)]
        self._catalog = open_catalog(base, specs)
        self._engine = TransformersSettings(**settings).open(self._catalog)
        self._requests = Encoder.of(base).encode(requests)

    def recipe(self, coefficients: Sequence[float]) -> Recipe:
        return Weights(algebra="factors").recipe(tuple(coefficients), self._catalog)

    def answers(self, coefficients: Sequence[float]) -> list[str]:
        (reply,) = self._engine.answer([self.recipe(coefficients)], self._requests)
        return [answer.text for answer in reply.answers if isinstance(answer, Text)]


def candidates(n: int, experts: int, seed: int) -> list[tuple[float, ...]]:
    """Weights that sum to one, as Model Swarms' do."""
    rng = np.random.default_rng(seed)
    return [tuple(map(float, rng.dirichlet(np.ones(experts)))) for _ in range(n)]


def requests_of(data: Path, n: int) -> list[Generation]:
    """The shipped config's requests for `n` examples of all tasks, without stop texts: the research code has none."""
    (objective,) = load_config(ROOT / "configs" / "smollm2.yaml").objectives
    examples = read_examples(data)
    chosen = examples[:: max(1, len(examples) // n)][:n]
    asked = [request for example in chosen for request in objective.requests(example)]
    return [replace(request, stop=()) for request in asked if isinstance(request, Generation)]


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    zoo = zoo_path("smollm2")
    adapters = sorted((zoo / "experts").iterdir())
    requests = requests_of(zoo / "data" / "examples.jsonl", arguments.items)
    yield Metric("reloading", "items per candidate", len(requests), "items")
    yield from speed(zoo / "base", adapters, requests, arguments)
    few = requests[:: max(1, len(requests) // arguments.check_items)]
    yield from agreement(zoo / "base", adapters, few)


def speed(base: Path, adapters: Sequence[Path], requests: Sequence[Generation], arguments: argparse.Namespace):
    """Seconds per candidate, both sides."""
    ours = InMemory(base, adapters, requests, {"dtype": arguments.dtype})
    theirs = Reloading(base, adapters, requests, DTYPES[arguments.dtype])
    drawn = candidates(arguments.repetitions + 1, len(adapters), seed=0)
    ours_next, theirs_next = iter(drawn), iter(drawn)
    times = paired(
        lambda: ours.answers(next(ours_next)), lambda: theirs.answers(next(theirs_next)), arguments.repetitions
    )
    say(f"reloading: {arguments.repetitions} candidates done")
    yield from times.metrics("reloading", f"one candidate, {arguments.dtype}", ("ours", "reloading"), ">= 2")


def agreement(base: Path, adapters: Sequence[Path], requests: Sequence[Generation]) -> Iterator[Metric]:
    """The share of identical texts in float32, where rounding hardly matters."""
    (coefficients,) = candidates(1, len(adapters), seed=1)
    ours = InMemory(base, adapters, requests, {"dtype": "float32"}).answers(coefficients)
    theirs = Reloading(base, adapters, requests, torch.float32).answers(coefficients)
    same = np.mean([a.strip() == b.strip() for a, b in zip(ours, theirs, strict=True)])
    yield Metric("reloading", f"same texts in float32, {len(requests)} items", float(same), "share", ">= 0.97")


def parser() -> argparse.ArgumentParser:
    made = options(__doc__)
    made.add_argument("--items", type=int, default=200, help="items per candidate (default 200)")
    made.add_argument("--check-items", type=int, default=40, help="items whose texts are compared (default 40)")
    made.add_argument("--dtype", choices=list(DTYPES), default="bfloat16")
    return made


if __name__ == "__main__":
    main(run, parser())
