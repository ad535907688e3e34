"""Problems on live models: every score is a forward pass of a small Llama with the weighting composed in place.

An answer is right if each of its tokens is the most likely one after the right tokens before it: greedy decoding would
give it, and one pass is enough. Examples are drawn from all words: each seed draws its own, and the hidden population
comes from another seed.

Shape suffixes: P examples, D dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from loading import load_model, load_tokenizer

from bed.margins import margins
from bed.problem import SIZE, Sampled, Scorer
from bed.zoos import located
from swarm.compositions.weights import Weights
from swarm.core.examples import Example
from swarm.core.space import Array, Space
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.zoo.string_tasks import evaluation_examples
from swarm.zoo.training import TrainingBatch, encode

HIDDEN_SEED = 999
HIDDEN_PER_TASK = 200
PER_TASK = 100  # examples that the samples of a seed are drawn from
LENGTHS = (4, 4)  # of the words


@dataclass(frozen=True)
class Live:
    """A problem on the zoo named `zoo`."""

    name: str
    zoo: str

    @cached_property
    def space(self) -> Space:
        return self.composition.space(self._catalog)

    @property
    def composition(self) -> Weights:
        return Weights()

    @property
    def experts(self) -> tuple[str, ...]:
        return tuple(self._catalog.names)

    def scorer(self, seed: int, split: Sampled) -> Scorer:
        drawn = evaluation_examples(1000 + seed, PER_TASK, LENGTHS)
        order = np.random.default_rng([seed, 5]).permutation(len(drawn))
        rows = order[:SIZE] if split == "search" else order[SIZE : 2 * SIZE]
        batch = self._batch([drawn[row] for row in rows])
        return lambda x_D: self._margins(x_D, batch)

    def truth(self, x_D: Array) -> float:
        return float((self._margins(x_D, self._hidden) > 0).mean())

    def _margins(self, x_D: Array, batch: TrainingBatch) -> Array:
        self._composer.put(self.composition.recipe(tuple(x_D.tolist()), self._catalog))
        return margins(self._model, [batch])

    def _batch(self, examples: Sequence[Example]) -> TrainingBatch:
        return encode(self._tokenizer, examples)

    @cached_property
    def _folder(self) -> Path:
        return located(self.zoo)

    @cached_property
    def _catalog(self) -> Catalog:
        specs = [ExpertSpec(name=path.name, path=path) for path in sorted((self._folder / "experts").iterdir())]
        return open_catalog(self._folder / "base", specs)

    @cached_property
    def _hidden(self) -> TrainingBatch:
        return self._batch(evaluation_examples(HIDDEN_SEED, HIDDEN_PER_TASK, LENGTHS))

    @cached_property
    def _tokenizer(self):
        return load_tokenizer(self._folder / "base")

    @cached_property
    def _model(self):
        return load_model(self._folder / "base", torch.bfloat16).eval()

    @cached_property
    def _composer(self) -> MergedWeights:
        return MergedWeights(self._model, self._catalog)
