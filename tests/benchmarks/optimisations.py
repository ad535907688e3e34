"""What each part of the scoring engine gains: the same requests with it and without it.

SmolLM2 in bfloat16; for the costs of generation, the tiny zoo in float32. Without means: one prompt per continuation,
no shared prefix, the prefix recomputed at every rung, batches of rows of any length, logits at every column, all layers
run for every candidate; requests encoded and packed for every candidate, every text decoded after every token or
decoded again, small matrices composed with several threads, a Gaussian process fitted with all of numpy's threads.
Margins have a cost: generation with them is compared with the same texts without.
"""

import argparse
import random
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from bed.problem import box
from common import Metric, main, options, paired, spread, zoo_path
from peft import LoraConfig, get_peft_model
from threadpoolctl import ThreadpoolController
from transformers import AutoModelForCausalLM

from swarm.compositions.weights import Weights
from swarm.core.recipes import Recipe
from swarm.core.requests import Continuation, Generation
from swarm.engines.encoding import Encoded, Encoder, Requests
from swarm.engines.transformers.answering import Path as LogitsFrom
from swarm.engines.transformers.batches import Batcher
from swarm.engines.transformers.engine import TransformersEngine, TransformersSettings
from swarm.engines.transformers.frozen_layers_cache import FrozenLayersCache
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.engines.transformers.packing import BatchLimits, packings
from swarm.engines.transformers.scoring import log_likelihoods
from swarm.experts import merge_model
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.optimizers import thread_limits
from swarm.optimizers.base import Observation
from swarm.optimizers.bayesian import Bayesian

APART = BatchLimits(8192, 1 << 20, share=False)


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    """One metric per part, with its spread."""
    zoo = zoo_path("tiny" if arguments.toy else "smollm2")
    n = 2 if arguments.toy else 24
    catalog = open_catalog(zoo / "base", [])
    engine = TransformersSettings(dtype="bfloat16").open(catalog)
    nothing = Weights().recipe([], catalog)
    times = arguments.repetitions

    def ratio(what: str, ours: Callable[[], object], without: Callable[[], object]) -> Iterator[Metric]:
        found = paired(ours, without, times)
        yield Metric("optimisations", what, found.ratio, "x")
        yield from spread("optimisations", what, found.ratios)

    choices = asked(n, prefix=0, own=60, options=4, length=10)
    yield from ratio("prompt computed once for its four options of 10 tokens", *_shared(engine, nothing, choices))
    single = asked(n, prefix=0, own=60, options=4, length=1)
    yield from ratio("prompt computed once for four options of one token", *_shared(engine, nothing, single))
    shots = asked(n, prefix=200, own=30, options=1, length=4)
    yield from ratio("few-shot prefix of 200 tokens computed once", *_shared(engine, nothing, shots))
    yield from ratio("few-shot prefix of 200 tokens computed once for four rungs", *_rungs(engine, nothing))
    yield from ratio("rows of 30 to 150 tokens in batches of similar length", *_alike(engine, nothing, n))
    yield from ratio("logits only where a continuation is predicted", *_picked(engine, choices))
    with tempfile.TemporaryDirectory() as folder:
        upper = _upper_layers(zoo / "base", Path(folder))
        yield from ratio("lower half of the layers computed once per run", *_frozen_layers(upper, choices))
    yield from _host_work(arguments, ratio)


def asked(prompts: int, prefix: int, own: int, options: int, length: int) -> Requests:
    """Prompts with a common prefix and `own` further tokens, each with `options` continuations of `length` tokens."""
    draw = random.Random(0)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(draw.randrange(10, 200) for _ in range(count))

    common = tokens(prefix)
    items = []
    for _ in range(prompts):
        prompt = common + tokens(own)
        items += [Encoded(Continuation("", ""), prompt, tokens(length)) for _ in range(options)]
    return Requests(tuple(items))


def _shared(engine: TransformersEngine, recipe: Recipe, requests: Requests) -> tuple[Callable[[], object], ...]:
    ours, apart = engine._answering.batcher, Batcher(APART, torch.device("cpu"), frozenset())

    def side(batcher: Batcher) -> None:
        kept = engine._answering
        engine._answering = replace(kept, batcher=batcher)
        engine.answer([recipe], requests)
        engine._answering = kept

    return lambda: side(ours), lambda: side(apart)


def _rungs(engine: TransformersEngine, recipe: Recipe) -> tuple[Callable[[], object], ...]:
    """Four rungs of six examples; without: as if other weights had been composed in between."""
    whole = asked(24, prefix=200, own=30, options=1, length=4)
    rungs = [Requests(whole.items[k : k + 6]) for k in range(0, 24, 6)]

    def side(recompute: bool) -> None:
        for rung in rungs:
            if recompute or rung is rungs[0]:
                engine._answering.prefixes.use(None)
            engine.answer([recipe], rung)

    return lambda: side(False), lambda: side(True)


def _alike(engine: TransformersEngine, recipe: Recipe, n: int) -> tuple[Callable[[], object], ...]:
    items = tuple(asked(1, prefix=0, own=30 + 120 * i // (4 * n), options=1, length=4).items[0] for i in range(4 * n))
    requests = Requests(items)
    cpu = torch.device("cpu")
    ours, mixed = (Batcher(BatchLimits(8192, 1 << 20, busy=busy), cpu, frozenset()) for busy in (0.125, 1.0))

    def side(batcher: Batcher) -> None:
        kept = engine._answering
        engine._answering = replace(kept, batcher=batcher)
        engine.answer([recipe], requests)
        engine._answering = kept

    return lambda: side(ours), lambda: side(mixed)


def _picked(engine: TransformersEngine, requests: Requests) -> tuple[Callable[[], object], ...]:
    """The engine's own pass, and the same columns with log-probabilities from all logits."""
    forward = engine._forward
    batches = packings(requests.items, BatchLimits(2048, 1 << 20), torch.device("cpu"))

    @torch.inference_mode()
    def everywhere() -> None:
        for packing in batches:
            rows = torch.zeros(len(packing.ids_BT), dtype=torch.long)
            mask_BTS = packing.mask()
            mask = None if mask_BTS is None else forward._additive(mask_BTS)
            logits = forward(
                packing.ids_BT, rows, attention_mask=mask, position_ids=packing.positions_BT, use_cache=False
            )
            logits.float().log_softmax(-1).flatten(0, 1)[packing.picks_M, packing.targets_M].tolist()

    own = LogitsFrom.of_model(forward, engine._answering.prefixes, 1)
    return lambda: log_likelihoods(own.logits_of, requests.items, batches, 1), everywhere


def _upper_layers(base: Path, folder: Path) -> Catalog:
    """Two untrained adapters of the upper half of the layers; they cost what trained ones do."""
    specs = []
    for name in ("one", "two"):
        model = AutoModelForCausalLM.from_pretrained(base)
        layers = range(model.config.num_hidden_layers // 2, model.config.num_hidden_layers)
        lora = LoraConfig(
            task_type="CAUSAL_LM", r=8, target_modules=["q_proj", "v_proj", "up_proj"], layers_to_transform=list(layers)
        )
        with warnings.catch_warnings(action="ignore"):
            get_peft_model(model, lora).save_pretrained(folder / name)
        specs.append(ExpertSpec(name, folder / name))
    return open_catalog(base, specs)


def _frozen_layers(catalog: Catalog, requests: Requests) -> tuple[Callable[[], object], ...]:
    engine, plain = (TransformersSettings(dtype="bfloat16").open(catalog) for _ in range(2))
    assert engine._forward._frozen_layers.depth > 0, "the lower layers are untouched"
    plain._forward._frozen_layers = FrozenLayersCache([])
    recipe = Weights().recipe([0.5, 0.5], catalog)
    return lambda: engine.answer([recipe], requests), lambda: plain.answer([recipe], requests)


def _host_work(arguments: argparse.Namespace, ratio: Callable[..., Iterator[Metric]]) -> Iterator[Metric]:
    """Work outside the model, measured on a tiny model that generates 200 words."""
    zoo = zoo_path("tiny")
    catalog = open_catalog(zoo / "base", [])
    engine, nothing = TransformersSettings(dtype="float32").open(catalog), Weights().recipe([], catalog)
    encoder = Encoder.of(zoo / "base")
    words = ["".join(random.Random(i).choices("abcdefgh", k=4)) for i in range(20 if arguments.toy else 200)]
    requests = [Generation(f"upper: {word} ->", 8, stop=("\n",)) for word in words]
    known = encoder.encode(requests)
    stopping: Any = engine._answering.generator._stopping
    may_stop, non_stop = stopping._may_stop, stopping._non_stop

    def decoded(everywhere: bool) -> None:
        stopping._may_stop = (lambda token, stop: True) if everywhere else may_stop
        stopping._non_stop = defaultdict(set) if everywhere else non_stop
        without_cache()
        stopping._may_stop, stopping._non_stop = may_stop, non_stop

    def without_cache() -> None:
        stopping._cached_decode.cache_clear()
        engine.answer([nothing], known)

    yield from ratio("tiny zoo: texts decoded only where they may end", lambda: decoded(False), lambda: decoded(True))
    yield from ratio(
        "tiny zoo: texts that were generated before", lambda: engine.answer([nothing], known), without_cache
    )
    with_targets = encoder.encode(
        [replace(r, targets=(word.upper(),)) for r, word in zip(requests, words, strict=True)]
    )
    yield from ratio(
        "tiny zoo: with margins",
        lambda: engine.answer([nothing], with_targets),
        lambda: engine.answer([nothing], known),
    )
    yield from ratio(
        "tiny zoo: a fit to 80 utilities and a pass, the fit in one thread",
        *_fitted(lambda: engine.answer([nothing], known)),
    )
    yield from ratio("tiny zoo: small matrices composed in one thread", *_composed(zoo))
    yield from ratio(
        "tiny zoo: requests encoded and packed once per run",
        lambda: engine.answer([nothing], known),
        lambda: engine.answer([nothing], encoder.encode(requests)),
    )


def _fitted(scored: Callable[[], object]) -> tuple[Callable[[], object], ...]:
    """A Gaussian process fitted to 80 utilities, then a pass; the fit with one BLAS thread, or with all."""
    space = box(tuple(map(str, range(10))))
    optimizer, draw = Bayesian(particles=80), np.random.default_rng(0)
    state = optimizer.init(space, seed=0)
    results = [Observation(0, each.particle, draw.normal()) for each in optimizer.ask(state)]

    def side(blas: ThreadpoolController) -> None:
        with patch.object(thread_limits, "BLAS", blas):
            optimizer.tell(state, results)
        scored()

    return lambda: side(thread_limits.BLAS), lambda: side(thread_limits.BLAS.select(internal_api="none"))


def _composed(zoo: Path) -> tuple[Callable[[], object], ...]:
    specs = [ExpertSpec(path.name, path) for path in sorted((zoo / "experts").iterdir())]
    catalog = open_catalog(zoo / "base", specs)
    made = MergedWeights(
        AutoModelForCausalLM.from_pretrained(zoo / "base", local_files_only=True, use_safetensors=True), catalog
    )
    step, fewest = count(1), merge_model.MIN_ELEMENTS_FOR_THREADS

    def side(threads: bool) -> None:
        merge_model.MIN_ELEMENTS_FOR_THREADS = 0 if threads else fewest
        for _ in range(20):
            made.put(Weights().recipe([0.001 * next(step)] * len(specs), catalog))
        merge_model.MIN_ELEMENTS_FOR_THREADS = fewest

    return lambda: side(False), lambda: side(True)


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--toy", action="store_true", help="a few requests on the tiny zoo, to test the script")
    main(run, parser)
