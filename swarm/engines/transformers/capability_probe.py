"""Whether a model can share prompts and stack particles. It is tested when the engine opens, not inferred from a name.

Some models give other answers, or fail, when continuations of one prompt are packed into a row under a mask of ours:
those that derive positions from the mask, or have recurrent layers. A layer that is called on flattened rows cannot
have coefficients per row.

Shape suffixes: P particles, M logits, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.core.requests import Continuation
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.engines.transformers.packing import BatchLimits, packings
from swarm.engines.transformers.prefix_cache import PrefixCache
from swarm.engines.transformers.stacked import PerRowAdapters, base_recipe
from swarm.experts.catalog import Catalog

PROMPT = 20  # tokens
# Largest difference of the logits, relative to their spread. Merging rounds every weight, stacking rounds activations:
# in half precision the two differ even where a model can be stacked. In bfloat16, 5e-2 was too strict.
TOLERANCE = {torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 1e-1}
REFUSALS = (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError, AssertionError)


@dataclass(frozen=True)
class CapabilityProbe:
    """Asks a model for two prompts of random tokens with a common start, and three continuations of each.

    forward: the model.
    vocabulary: how many tokens its tokenizer knows.
    dtype: of its weights.
    """

    forward: Forward
    vocabulary: int
    dtype: torch.dtype

    def can_share(self) -> bool:
        """True where continuations that share prompts and prefixes get the logits of separate ones."""
        return self._agree(self._logits(share=False), lambda: self._logits(share=True))

    def can_stack(self, merged_weights: MergedWeights, adapters: PerRowAdapters, catalog: Catalog) -> bool:
        """True where stacked recipes get the logits of merged ones. Leaves the base in place."""
        recipes, merged = [_sample(catalog, sign) for sign in (1.0, -1.0)], []
        for recipe in recipes:
            merged_weights.put(recipe)
            merged.append(self._logits())
        merged_weights.put(base_recipe(recipes[0]))
        adapters.put(recipes)
        try:
            return self._agree(torch.cat(merged), lambda: self._logits(particles=2))
        finally:
            adapters.clear()

    def _agree(self, expected_MV: Tensor, found: Callable[[], Tensor]) -> bool:
        """Whether logits are the expected ones, relative to how far those lie from their mean."""
        try:
            difference = (expected_MV - found()).norm()
        except REFUSALS:
            return False
        spread = (expected_MV - expected_MV.mean(dim=1, keepdim=True)).norm()
        return bool(difference <= TOLERANCE[self.dtype] * spread)

    @torch.inference_mode()
    def _logits(self, share: bool = False, particles: int = 1) -> Tensor:
        """Float32, particle after particle, in the order of requests and tokens. Shape (P * M, V)."""
        prefixes, found = PrefixCache(self.forward), []
        limits = BatchLimits(1 << 12, 1 << 12, share, min_saved=1)
        for packing in packings(self._requests(), limits, self.forward.device):
            prefix = prefixes.get(packing.prefix, particles)
            logits_MV = self.forward.logits(packing, particles, prefix).float()
            logits_PMV = logits_MV.view(particles, -1, logits_MV.shape[1])
            found += [(owner, i, logits_PMV[:, i]) for i, owner in enumerate(packing.owner_M.tolist())]
        in_order = [logits_PV for _, _, logits_PV in sorted(found, key=lambda item: item[:2])]
        return torch.stack(in_order, dim=1).flatten(0, 1)

    def _requests(self) -> list[Encoded]:
        generator = torch.Generator().manual_seed(0)
        tokens: list[int] = torch.randint(self.vocabulary, (PROMPT + 16,), generator=generator).tolist()
        prompts = [tuple(tokens[:PROMPT]), (*tokens[: PROMPT - 2], tokens[-1], tokens[-2])]
        texts = [tuple(tokens[PROMPT + 4 * k : PROMPT + 4 * k + 4]) for k in range(3)]
        return [Encoded(Continuation("", ""), prompt, text) for prompt in prompts for text in texts]


def _sample(catalog: Catalog, sign: float) -> Recipe:
    """A recipe in which every expert has a part."""
    n = len(catalog.names)
    coefficients = {name: (sign * (1.0 if i % 2 else -0.5) / n,) for i, name in enumerate(catalog.names)}
    return Recipe(WeightRecipe("delta", (Group("all", ("*",)),), coefficients))
