"""A recipe over LoRA experts as one LoRA adapter: the factors of every module, and PEFT's configuration.

Algebra `delta`: the experts' factors side by side, with coefficient and scaling in B, so a module's rank is the sum of
the ranks of the experts in use on it. Algebra `factors`: A(c) and B(c) themselves. lora_alpha = r for every module, so
whoever loads the adapter scales by 1.

The factors are written by `module_factors.py`, which a live adapter calls as well.

Shape suffixes: O rows and I columns of a weight (out, in), R rank.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from swarm.core.recipes import Recipe
from swarm.experts.adapter_names import PREFIX
from swarm.experts.catalog import Catalog
from swarm.experts.lora import EMBEDDING_PARTS, LINEAR_PARTS
from swarm.experts.module_factors import factors_of_module
from swarm.experts.parameter_groups import group_index


@dataclass(frozen=True)
class ComposedModule:
    """The composed factors of one module, in float32.

    a_RI, b_OR: the factors; their product is the module's whole update.
    embedding: True for an embedding, which PEFT names otherwise.
    transposed: True where the base stores the weight as (in, out) though it is not an embedding (Conv1D).
    """

    a_RI: Tensor
    b_OR: Tensor
    embedding: bool
    transposed: bool

    @property
    def rank(self) -> int:
        return self.a_RI.shape[0]


@dataclass(frozen=True)
class ComposedAdapter:
    """An adapter in memory.

    modules: module -> its factors; empty where the recipe is the base itself.
    task_type: PEFT's word for what the base does.
    """

    modules: Mapping[str, ComposedModule]
    task_type: str = "CAUSAL_LM"

    @property
    def ranks(self) -> tuple[int, ...]:
        return tuple(module.rank for module in self.modules.values())

    @property
    def orientations(self) -> frozenset[bool]:
        """Whether linear weights are stored as (in, out). PEFT's fan_in_fan_out can say it only for all of them."""
        return frozenset(module.transposed for module in self.modules.values() if not module.embedding)

    def tensors(self) -> dict[str, Tensor]:
        """The factors under the names that PEFT reads."""
        found = {}
        for name, module in self.modules.items():
            a_part, b_part = EMBEDDING_PARTS if module.embedding else LINEAR_PARTS
            found[f"{PREFIX}{name}{a_part}"] = module.a_RI.contiguous()
            found[f"{PREFIX}{name}{b_part}"] = module.b_OR.contiguous()
        return found

    def config(self, base: str, rank: int) -> dict[str, object]:
        """The content of adapter_config.json.

        base: the folder of the base. rank: what is written as r; anchored patterns name the modules of another rank.
        """
        others = {f"^{re.escape(name)}": module.rank for name, module in self.modules.items() if module.rank != rank}
        return {
            "peft_type": "LORA",
            "task_type": self.task_type,
            "base_model_name_or_path": base,
            "r": rank,
            "lora_alpha": rank,
            "rank_pattern": others,
            "alpha_pattern": others,
            "target_modules": sorted(self.modules),
            "fan_in_fan_out": self.orientations == {True},
            "bias": "none",
            "lora_dropout": 0.0,
            "use_rslora": False,
            "inference_mode": True,
        }


@torch.no_grad()
def composed_adapter(catalog: Catalog, recipe: Recipe) -> ComposedAdapter:
    """The recipe's adapter. Every expert in use must have low-rank updates alone."""
    modules = {}
    for parameter in catalog.parameters():
        coefficients = coefficients_in_use(recipe, parameter)
        owners = [e for e in catalog.experts if e.name in coefficients and e.changes(parameter)]
        if owners:
            found = factors_of_module(owners, parameter, catalog.base, recipe.weights.algebra)
            a_RI, b_OR = found.factors.composed([coefficients[expert.name] for expert in owners])
            live = catalog.base.layout.places[parameter].live
            modules[live.removesuffix(".weight")] = ComposedModule(a_RI, b_OR, found.embedding, found.transposed)
    task_type = "SEQ_2_SEQ_LM" if catalog.base.architecture.encoder_decoder else "CAUSAL_LM"
    return ComposedAdapter(modules, task_type)


def coefficients_in_use(recipe: Recipe, parameter: str) -> dict[str, float]:
    """Expert -> its coefficient on a parameter, where that is other than 0."""
    group = group_index(recipe.weights.groups, parameter)
    return {name: values[group] for name, values in recipe.weights.coefficients.items() if values[group] != 0.0}
