"""Whether LoRA adapters can stand beside a quantised base: tested when the engine opens.

Nothing can be merged there, so a batch of several recipes is held against each recipe by itself, one sequence at a
time, and every layer that experts change has to be called.

Shape suffixes: T columns, V vocabulary.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from swarm.engines.transformers.capability_probe import (
    PREFIX,
    REFUSALS,
    CapabilityProbe,
    Sample,
    random_requests,
    sample_recipe,
)
from swarm.engines.transformers.packing import BatchLimits
from swarm.engines.transformers.stacked import PerRowAdapters
from swarm.experts.catalog import Catalog


@dataclass(frozen=True)
class QuantisedProbe(CapabilityProbe):
    """Asks a quantised model with adapters beside it for what follows prompts of random tokens."""

    def can_stand_beside(self, adapters: PerRowAdapters, catalog: Catalog, scoring: BatchLimits) -> bool:
        """True where recipes in one batch get the logits of each by itself. Leaves the base in place."""
        recipes = [sample_recipe(catalog, sign) for sign in (1.0, -1.0)]
        limits, alone = replace(scoring, share=False), []
        sample = Sample(random_requests(self.vocabulary, PREFIX), torch.empty(0))
        try:
            for recipe in recipes:
                adapters.put([recipe])
                alone.append(self._by_itself(sample))
            adapters.put(recipes)
            agree = self._agree(
                replace(sample, expected_MV=torch.cat(alone)), lambda s: self._scored(s, limits, particles=2)
            )
            return agree and not adapters.uncalled()
        except REFUSALS:
            return False
        finally:
            adapters.clear()

    @torch.inference_mode()
    def _by_itself(self, sample: Sample) -> Tensor:
        """The logits of every continuation, one request after another."""
        found = []
        for item in sample.requests:
            ids = torch.tensor([item.prompt + item.continuation[:-1]], device=self.forward.device)
            logits_TV = self.forward(ids, torch.zeros_like(ids[:, 0]), use_cache=False)[0].float()
            found.append(logits_TV[len(item.prompt) - 1 :])
        return torch.cat(found)
