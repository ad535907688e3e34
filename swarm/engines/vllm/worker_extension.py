"""What vLLM's workers learn from us, mixed into their class (`worker_extension_cls`): hold the experts, put a recipe.

Only workers import this module: it needs vLLM.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead

from swarm.core.errors import EvaluationError
from swarm.core.recipes import Recipe
from swarm.engines.vllm.server import CatalogSpec
from swarm.experts.catalog import Catalog, open_catalog
from swarm.experts.merge import compose
from swarm.experts.merge_model import terms_of
from swarm.experts.updates import Update, to_device


class ModelConfig(Protocol):
    """What is used of vLLM's ModelConfig."""

    dtype: torch.dtype
    max_model_len: int


@dataclass(frozen=True)
class Held:
    """Base and experts, opened once: tensors lie in memory-mapped files, but for what thinning made."""

    catalog: Catalog
    updates: Mapping[str, Mapping[str, Update]]

    @classmethod
    def of(cls, spec: CatalogSpec) -> "Held":
        catalog = open_catalog(spec.base, spec.experts)
        touched = catalog.parameters()
        updates = {
            name: {e.name: e.update(name, catalog.base) for e in catalog.experts if name in e.source.parameters()}
            for name in touched
        }
        return cls(catalog, updates)

    def composed(
        self, recipe: Recipe, dtype: torch.dtype, device: torch.device, problems: list[Exception]
    ) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the composed checkpoint, made on the device, one at a time.

        A reload that stops half-way leaves vLLM without weights: what cannot be composed is kept in `problems`, and
        the base's tensor goes in.
        """
        for name in self.catalog.base.tensors.info:
            tensor = self.catalog.base.tensors.read(name).to(device)
            if name in self.updates:
                try:
                    tensor = self._composed(recipe, name, tensor, dtype)
                except (EvaluationError, RuntimeError) as error:
                    problems.append(error)
            yield name, tensor.to(dtype) if tensor.is_floating_point() else tensor

    def _composed(self, recipe: Recipe, name: str, pristine: Tensor, dtype: torch.dtype) -> Tensor:
        updates = {owner: to_device(update, pristine.device) for owner, update in self.updates[name].items()}
        tensor = compose(pristine, terms_of(recipe, name, updates), recipe.weights.algebra, dtype)
        if not bool(tensor.isfinite().all()):
            raise EvaluationError(f"{name} is not finite: the coefficients are out of range")
        return tensor


class SwarmWorker:
    """Methods for `collective_rpc`. Names of ours begin with swarm_; the others are vLLM's worker's own."""

    model_config: ModelConfig
    device: torch.device
    swarm_held: Held

    def swarm_open(self, spec: CatalogSpec) -> int:
        """Open base and experts. Returns how many tokens a request may have."""
        self.swarm_held = Held.of(spec)
        return self.model_config.max_model_len

    @torch.no_grad()
    def swarm_put(self, recipe: Recipe) -> None:
        """Compose every tensor and load it as vLLM loads a checkpoint, into the weights that are there.

        The whole checkpoint, because vLLM builds a fused or packed weight anew from all of its parts.
        """
        problems: list[Exception] = []
        tensors = self.swarm_held.composed(recipe, self.model_config.dtype, self.device, problems)
        self.reload_weights(weights_iterator=tensors)  # type: ignore[attr-defined]
        if self.swarm_held.catalog.base.tied:
            repack_heads(self.get_model())  # type: ignore[attr-defined]
        if problems:
            raise problems[0]


def repack_heads(model: nn.Module) -> None:
    """On a CPU a head multiplies by a packed copy of its weight; the reload renews that of tied embeddings only."""
    for module in model.modules():
        if isinstance(module, ParallelLMHead):
            module.quant_method.process_weights_after_loading(module)
