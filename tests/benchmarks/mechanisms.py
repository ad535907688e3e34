"""What a candidate costs wherever its coefficients act: weights, logits, a control layer, as ratios to the base.

    python tests/benchmarks/mechanisms.py --threads 1

SmolLM2-135M and its experts on a CPU, sides by turns. Scoring: answers that are given, a new candidate each time; what
does not depend on coefficients is kept from the first. Generation: seconds per token that is written, as texts end at
different lengths. Memory: tensors that a candidate holds beside the base's, as a share of it.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from common import Metric, by_turns, main, options, zoo_path
from loading import load_model
from torch import nn
from transformers import PreTrainedModel

from swarm.core.recipes import Group, LogitRecipe, Recipe, WeightRecipe
from swarm.core.requests import Continuation, Generation, Request
from swarm.engines.encoding import Encoder, Requests
from swarm.engines.transformers.engine import TransformersEngine, TransformersSettings
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.control_layer import write_control_layer
from swarm.experts.layer_copy import control_layer_of, with_control_layer

BENCHMARK = "mechanisms"
DTYPE = {"tiny": "float32", "smollm2": "bfloat16"}


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Ratios of seconds, and shares of memory."""
    folder = zoo_path(arguments.zoo)
    experts = sorted((folder / "experts").iterdir())[:2]
    names = [path.name for path in experts]
    with tempfile.TemporaryDirectory() as work:
        layer = _control_layer(folder / "base", Path(work) / "style")
        specs = [ExpertSpec(path.name, path) for path in experts] + [ExpertSpec("style", layer)]
        catalog = open_catalog(folder / "base", specs)
        asked = [json.loads(line) for line in (folder / "data" / "examples.jsonl").read_text().splitlines()]
        scored = [Continuation(each["prompt"], f" {each['answer']}") for each in asked[: arguments.examples]]
        written = [Generation(each["prompt"], arguments.tokens) for each in asked[: arguments.examples // 4]]
        held = TransformersSettings.model_validate({"dtype": DTYPE[arguments.zoo]}).open(catalog)
        variants = {
            "base": ({}, {}),
            "two experts on weights": (dict.fromkeys(names, 0.5), {}),
            "one expert on logits": ({}, {names[0]: 0.5}),
            "two experts on logits": ({}, dict.fromkeys(names, 0.5)),
            "control layer": ({}, {"style": 0.5}),
            "one on weights, one on logits": ({names[0]: 0.5}, {names[1]: 0.5}),
        }
        asked_of: dict[str, Sequence[Request]] = {"scoring": scored, "generation": written}
        for what, requests in asked_of.items():
            yield from _ratios(held, catalog, variants, what, requests, arguments.repetitions)
        yield from _memory(held)


def _ratios(
    held: TransformersEngine,
    catalog: Catalog,
    variants: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]],
    what: str,
    requests: Sequence[Request],
    repetitions: int,
) -> Iterator[Metric]:
    encoded, steps = Encoder.of(catalog.base.path).encode(requests), iter(range(100_000))

    def side(weights: Mapping[str, float], logits: Mapping[str, float]) -> Callable[[], int]:
        return lambda: _answered(held, catalog, weights, logits, encoded, 1.0 + 1e-4 * next(steps))

    sides = {name: side(*given) for name, given in variants.items()}
    tokens = {name: call() for name, call in sides.items()}
    seconds = by_turns(sides, repetitions)
    for name, own in seconds.items():
        more = tokens["base"] / tokens[name]
        ratios = sorted(more * each / base for each, base in zip(own, seconds["base"], strict=True))
        yield Metric(BENCHMARK, f"{what}: {name} / base", ratios[len(ratios) // 2], "x")


def _answered(
    held: TransformersEngine,
    catalog: Catalog,
    weights: Mapping[str, float],
    logits: Mapping[str, float],
    requests: Requests,
    factor: float,
) -> int:
    """Another candidate at every call. Returns how many tokens it was scored on, or wrote."""
    values = {name: (weights.get(name, 0.0) * factor,) for name in catalog.names}
    on_logits = LogitRecipe("logits", {name: value * factor for name, value in logits.items()}) if logits else None
    found = held.answer([Recipe(WeightRecipe("delta", (Group("all", ("*",)),), values), on_logits)], requests)
    return sum(each.n_tokens for each in found[0].answers)


def _memory(held: TransformersEngine) -> Iterator[Metric]:
    """Of each model that generation has opened: tensors that are not the base's own, over the base's."""
    whole: PreTrainedModel = held._model
    own = {tensor.data_ptr() for tensor in whole.parameters()}
    base = sum(tensor.nbytes for tensor in whole.parameters())
    layer = sum(tensor.nbytes for tensor in whole.get_decoder().layers[0].parameters())
    yield Metric(BENCHMARK, "memory: control layer / base", layer / base, "x")
    for key, opened in held._paths._opened.items():
        if key.startswith("control:"):  # here it stands before a copy, as experts change the base
            continue
        model: nn.Module = opened.forward._model
        beside = sum(tensor.nbytes for tensor in model.parameters() if tensor.data_ptr() not in own)
        yield Metric(BENCHMARK, f"memory: {key.partition(':')[0]} that generates / base", beside / base, "x")


@torch.no_grad()
def _control_layer(base: Path, folder: Path) -> Path:
    """A control layer of random changes: costs do not depend on what it has learnt."""
    catalog = open_catalog(base, [])
    made = control_layer_of(with_control_layer(load_model(base, torch.float32), None))
    tensors = {name: tensor + 1e-3 * torch.randn_like(tensor) for name, tensor in made.state_dict().items()}
    folder.mkdir()
    write_control_layer(folder, tensors, str(base), catalog.base.tensors.fingerprint)
    return folder


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--zoo", choices=sorted(DTYPE), default="smollm2")
    parser.add_argument("--examples", type=int, default=60, help="answers that are scored (default 60)")
    parser.add_argument("--tokens", type=int, default=16, help="of each text that is generated (default 16)")
    main(run, parser)
