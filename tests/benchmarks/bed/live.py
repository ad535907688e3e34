"""Problems on live models: every score is a forward pass of a small Llama with the weighting put in place.

An answer is right where every one of its tokens is the likeliest after the right ones before it: what greedy decoding
gives, by one pass. A part of the zoo's examples is hidden; a seed draws its samples from the rest.

Shape suffixes: P examples, D coordinates.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from bed.margins import margins
from bed.problem import SIZE, Sampled, Scorer, box
from bed.zoos import located
from swarm.compositions.weights import Weights
from swarm.data import read_examples
from swarm.engines.composer import Composer
from swarm.experts import Catalog, ExpertSpec, open_catalog
from swarm.types import Array, Example, Space
from swarm.zoo.training import Batch, encode

SEEN = 800  # examples that samples are drawn from; the others are hidden


@dataclass(frozen=True)
class Live:
    """A problem on the zoo of this name."""

    name: str
    zoo: str

    @cached_property
    def space(self) -> Space:
        return box(self._catalog.names)

    def scorer(self, seed: int, split: Sampled) -> Scorer:
        order = np.random.default_rng([seed, 5]).permutation(SEEN)
        rows = order[:SIZE] if split == "search" else order[SIZE : 2 * SIZE]
        batch = self._batch(rows)
        return lambda x_D: self._right(x_D, batch)

    def truth(self, x_D: Array) -> float:
        return float(self._right(x_D, self._hidden).mean())

    def _right(self, x_D: Array, batch: Batch) -> Array:
        self._composer.put(Weights().recipe(tuple(x_D.tolist()), self._catalog))
        return (margins(self._model, [batch]) > 0).astype(float)

    def _batch(self, rows: np.ndarray) -> Batch:
        return encode(self._tokenizer, [self._examples[row] for row in rows])

    @cached_property
    def _folder(self) -> Path:
        return located(self.zoo)

    @cached_property
    def _catalog(self) -> Catalog:
        specs = [ExpertSpec(name=path.name, path=path) for path in sorted((self._folder / "experts").iterdir())]
        return open_catalog(self._folder / "base", specs)

    @cached_property
    def _examples(self) -> list[Example]:
        examples = read_examples(self._folder / "data" / "examples.jsonl")
        return [examples[i] for i in np.random.default_rng(6).permutation(len(examples))]

    @cached_property
    def _hidden(self) -> Batch:
        return self._batch(np.arange(SEEN, len(self._examples)))

    @cached_property
    def _tokenizer(self):
        return AutoTokenizer.from_pretrained(self._folder / "base")

    @cached_property
    def _model(self):
        return AutoModelForCausalLM.from_pretrained(self._folder / "base", dtype=torch.bfloat16).eval()

    @cached_property
    def _composer(self) -> Composer:
        return Composer(self._model, self._catalog)
