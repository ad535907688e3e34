"""Methods that are mixed into the class of vLLM's workers (`worker_extension_cls`): open the experts, put a recipe.

Only vLLM's workers import this module: it needs vLLM.
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
    """What is used of vLLM's ModelConfig. max_model_len: the longest request, in tokens."""

    dtype: torch.dtype
    max_model_len: int


@dataclass(frozen=True)
class OpenedExperts:
    """Base and experts, opened once. Their tensors are in memory-mapped files, except those that sparsification made.

    catalog: base and experts.
    updates: parameter -> expert -> its update.
    """

    catalog: Catalog
    updates: Mapping[str, Mapping[str, Update]]

    @classmethod
    def of(cls, spec: CatalogSpec) -> "OpenedExperts":
        catalog = open_catalog(spec.base, spec.experts)
        touched = catalog.parameters()
        updates = {
            name: {e.name: e.update(name, catalog.base) for e in catalog.experts if e.changes(name)} for name in touched
        }
        return cls(catalog, updates)

    def composed(
        self, recipe: Recipe, dtype: torch.dtype, device: torch.device, problems: list[Exception]
    ) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the composed checkpoint, with its name, composed on the device one at a time.

        A reload that stops halfway leaves vLLM without weights. So an error is appended to `problems`, and the base's
        tensor is given instead.
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
    """Methods for `collective_rpc`. Names that begin with swarm_ are ours, all others belong to vLLM's worker."""

    model_config: ModelConfig
    device: torch.device
    swarm_experts: OpenedExperts

    def swarm_open(self, spec: CatalogSpec) -> int:
        """Open base and experts. Returns the length of the longest request, in tokens."""
        self.swarm_experts = OpenedExperts.of(spec)
        return self.model_config.max_model_len

    @torch.no_grad()
    def swarm_put(self, recipe: Recipe) -> None:
        """Compose every tensor and load it into the existing weights, in the way that vLLM loads a checkpoint.

        The whole checkpoint is loaded, because vLLM rebuilds a fused or packed weight from all of its parts. Raises the
        first error of composing once that is done.
        """
        problems: list[Exception] = []
        tensors = self.swarm_experts.composed(recipe, self.model_config.dtype, self.device, problems)
        self.reload_weights(weights_iterator=tensors)  # type: ignore[attr-defined]
        if self.swarm_experts.catalog.base.tied:
            repack_heads(self.get_model())  # type: ignore[attr-defined]
        if problems:
            raise problems[0]


def repack_heads(model: nn.Module) -> None:
    """Pack the weights of heads that are tied to the embeddings anew.

    On a CPU a head multiplies by a packed copy of its weight, which the reload does not renew where the two are tied.
    """
    for module in model.modules():
        if isinstance(module, ParallelLMHead):
            module.quant_method.process_weights_after_loading(module)
