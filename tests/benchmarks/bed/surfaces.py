"""Records SmolLM2: the answer margins of 600 examples at 120 weightings of six experts.

An example's margin is the minimum, over the tokens of its right answer and the end token, of the right token's logit
minus the largest other: greedy decoding gives the right answer where it is above zero. A search on the real model takes
half an hour; between the recorded weightings the margins are smooth, so an interpolation of them replaces the model in
discovery.py, where a thousand searches are compared.

    cd tests/benchmarks && python -m bed.surfaces FILE.npz     # half an hour on one core; resumes where it stopped

Shape suffixes: M weightings, A reference points, D experts, P examples.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from common import say, zoo_path
from loading import load_model, load_tokenizer

from bed.margins import margins
from bed.recorded import NAMES
from swarm.compositions.weights import Weights
from swarm.core.examples import Example
from swarm.core.space import Array, Space
from swarm.data.examples import read_examples
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.optimizers.initial_design import clip, combination, reference_points
from swarm.zoo.training import encode

PER_TASK = 100
POINTS = 120
ROWS = 50


def weightings(space: Space) -> Array:
    """Reference points, combinations, combinations with noise on each coefficient, uniform points. Shape MD."""
    rng = np.random.default_rng(0)
    known_AD = reference_points(space)
    near = [combination(space, rng) for _ in range(50)]
    noisy = [clip(combination(space, rng) + rng.normal(0.0, 0.25, space.dimensions), space) for _ in range(40)]
    anywhere = rng.uniform(space.low_D, space.high_D, (POINTS - len(known_AD) - 90, space.dimensions))
    x_MD: Array = np.vstack([known_AD, near, noisy, anywhere])
    return x_MD[rng.permutation(len(x_MD))]


def chosen(path: Path) -> list[Example]:
    """The first examples of each task, sorted by length."""
    count: dict[str, int] = {}
    kept = []
    for example in read_examples(path):
        count[example.task] = count.get(example.task, 0) + 1
        if count[example.task] <= PER_TASK:
            kept.append(example)
    return sorted(kept, key=lambda example: len(str(example.prompt)))


def opened(zoo: Path) -> Catalog:
    return open_catalog(zoo / "base", [ExpertSpec(name=name, path=zoo / "experts" / name) for name in NAMES])


def record(target: Path) -> None:
    zoo = zoo_path("smollm2")
    catalog, composition = opened(zoo), Weights()
    examples = chosen(zoo / "data" / "examples.jsonl")
    x_MD = weightings(composition.space(catalog))
    model = load_model(zoo / "base", torch.bfloat16).eval()
    tokenizer = load_tokenizer(zoo / "base")
    composer = MergedWeights(model, catalog)
    batches = [encode(tokenizer, examples[i : i + ROWS]) for i in range(0, len(examples), ROWS)]
    known = dict(np.load(target)) if target.exists() else {}
    rows: list[Array] = list(known.get("margins_MP", []))
    for i in range(len(rows), len(x_MD)):
        began = time.monotonic()
        composer.put(composition.recipe(tuple(x_MD[i].tolist()), catalog))
        rows.append(margins(model, batches))
        np.savez_compressed(
            target,
            x_MD=x_MD[: i + 1],
            margins_MP=np.array(rows, np.float32),
            tasks_P=np.array([example.task for example in examples]),
        )
        say(f"{i + 1} of {len(x_MD)}: {(rows[-1] > 0).mean():.3f} right, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path, metavar="FILE.npz")
    record(parser.parse_args(sys.argv[1:]).target)
