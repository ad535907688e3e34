"""A recipe as one PEFT LoRA adapter, for engines that serve adapters: which recipes are one, and its files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from swarm.core.files import write_json
from swarm.core.recipes import Recipe
from swarm.experts.catalog import HEADS, Catalog, Expert
from swarm.experts.lora import PREFIX, Adapter
from swarm.experts.merge import combined_factors, stacked_factors
from swarm.experts.parameter_groups import group_index

ALLOWED = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # ranks that vLLM has kernels for


@dataclass(frozen=True)
class Ranks:
    """The ranks of experts that are plain adapters of inner linear layers, parameter -> expert -> rank."""

    known: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, catalog: Catalog) -> "Ranks | None":
        """None where an expert is no such adapter."""
        if not catalog.experts or not all(_plain(expert) for expert in catalog.experts):
            return None
        return cls({name: _ranks(catalog, name) for name in catalog.parameters()})

    @property
    def allowed(self) -> int:
        """What a server is started with: room for all experts, side by side, or the most there can be."""
        largest = max(sum(ranks.values()) for ranks in self.known.values())
        return next((rank for rank in ALLOWED if rank >= largest), ALLOWED[-1])

    @property
    def modules(self) -> tuple[str, ...]:
        """The last part of the names of modules that are adapted: q_proj, down_proj."""
        return tuple(sorted({parameter.split(".")[-2] for parameter in self.known}))

    def admit(self, recipe: Recipe) -> bool:
        """True where the recipe is an adapter, not the base itself, and one that has room."""
        return 0 < max(self._rank(recipe, parameter) for parameter in self.known) <= self.allowed

    def _rank(self, recipe: Recipe, parameter: str) -> int:
        ranks = [self.known[parameter][name] for name in used(recipe, parameter) if name in self.known[parameter]]
        return sum(ranks) if recipe.weights.algebra == "delta" else max(ranks, default=0)


def used(recipe: Recipe, parameter: str) -> dict[str, float]:
    """expert -> its coefficient on a parameter, where that is other than 0."""
    group = group_index(recipe.weights.groups, parameter)
    return {name: values[group] for name, values in recipe.weights.coefficients.items() if values[group] != 0.0}


@torch.no_grad()
def write_composed(catalog: Catalog, recipe: Recipe, folder: Path) -> None:
    """Write the adapter of a recipe that is not the base itself into a new folder, factors in float32."""
    factors = _factors(catalog, recipe)
    folder.mkdir()
    tensors = {}
    for module, (a_RI, b_OR) in factors.items():
        tensors[f"{PREFIX}{module}.lora_A.weight"] = a_RI.contiguous()
        tensors[f"{PREFIX}{module}.lora_B.weight"] = b_OR.contiguous()
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    rank = max(a_RI.shape[0] for a_RI, _ in factors.values())
    config = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": rank,  # a scaling of 1 for every module, whatever its own rank: all is in the factors
        "bias": "none",
        "target_modules": sorted(factors),
    }
    write_json(folder / "adapter_config.json", config)


def _factors(catalog: Catalog, recipe: Recipe) -> dict[str, tuple[Tensor, Tensor]]:
    """module -> its composed factors (rank, in) and (out, rank), with coefficients and scalings in them."""
    combine = stacked_factors if recipe.weights.algebra == "delta" else combined_factors
    found = {}
    for parameter in catalog.parameters():
        coefficients = used(recipe, parameter)
        owners = [e for e in catalog.experts if e.name in coefficients and parameter in e.source.parameters()]
        if owners:
            terms = [(coefficients[e.name], e.update(parameter, catalog.base)) for e in owners]
            found[parameter.removesuffix(".weight")] = combine(terms)
    return found


def _plain(expert: Expert) -> bool:
    source = expert.source
    if not isinstance(source, Adapter) or source.saved or expert.sparsification.active:
        return False
    return not any(where.transposed or name.endswith(HEADS) for name, where in source.factors.items())


def _ranks(catalog: Catalog, parameter: str) -> dict[str, int]:
    sources = {e.name: e.source for e in catalog.experts if isinstance(e.source, Adapter)}
    return {
        name: source.files.info[source.factors[parameter].a].shape[0]
        for name, source in sources.items()
        if parameter in source.factors
    }
