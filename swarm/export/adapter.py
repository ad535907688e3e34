"""One PEFT LoRA adapter that is the whole composition, exactly.

Delta: the experts' factors stacked, c_i s_i folded into B, so a parameter's rank is the sum of the ranks of the
experts that touch it. Factors: A(c) and B(c) themselves. lora_alpha = r everywhere, so PEFT scales by 1.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from swarm.core.errors import UserError
from swarm.core.files import write_json
from swarm.experts.catalog import Expert
from swarm.experts.lora import PREFIX, Adapter
from swarm.experts.merge import combined_factors, stacked_factors
from swarm.experts.merge_model import terms_of
from swarm.experts.safetensors_writer import tensor_stream
from swarm.experts.updates import LowRank, Term, oriented
from swarm.export.base import Exported, kind_of, local_path

REMEDY = "use --format hf"


@dataclass(frozen=True)
class Module:
    """One module's composed factors, a_RI (rank, in) and b_OR (out, rank), float32."""

    a_RI: Tensor
    b_OR: Tensor
    embedding: bool
    transposed: bool

    @property
    def rank(self) -> int:
        return self.a_RI.shape[0]

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The factors under the names that PEFT reads."""
        a, b = ("lora_embedding_A", "lora_embedding_B") if self.embedding else ("lora_A.weight", "lora_B.weight")
        return {f"{PREFIX}{name}.{a}": self.a_RI.contiguous(), f"{PREFIX}{name}.{b}": self.b_OR.contiguous()}


def check_adapter(what: Exported) -> None:
    """Raise UserError where an expert in use has no low-rank factors."""
    for expert in what.active:
        if kind_of(expert) != "adapter":
            raise UserError(f"expert {expert.name} is a {kind_of(expert)}, which no LoRA adapter can hold; {REMEDY}")


@torch.no_grad()
def write_adapter(what: Exported, folder: Path) -> None:
    """Fill `folder`. Raises UserError where the recipe is no adapter."""
    check_adapter(what)
    modules = _modules(what)
    if not modules:
        raise UserError(f"the candidate {what.candidate_id} is the base itself, so there is no adapter of it; {REMEDY}")
    tensors = {key: tensor for name, module in modules.items() for key, tensor in module.tensors(name).items()}
    write_json(folder / "adapter_config.json", _config(what, modules))
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    with tensor_stream(folder / "adapter_model.safetensors", shapes, {"format": "pt"}) as stream:
        for key, tensor in tensors.items():
            stream.add(key, tensor)


def _modules(what: Exported) -> dict[str, Module]:
    found = {}
    for parameter in what.catalog.parameters():
        owners = [expert for expert in what.active if parameter in expert.source.parameters()]
        updates = {expert.name: expert.update(parameter, what.catalog.base) for expert in owners}
        terms = [(c, update) for c, update in terms_of(what.recipe, parameter, updates) if c != 0.0]
        if terms:
            found[parameter.removesuffix(".weight")] = _module(what, parameter, terms, owners[0])
    return found


def _module(what: Exported, parameter: str, terms: list[Term], owner: Expert) -> Module:
    assert isinstance(owner.source, Adapter), "checked before"
    factors = owner.source.factors[parameter]
    turned = [(c, oriented(update, factors.transposed)) for c, update in terms if isinstance(update, LowRank)]
    combine = stacked_factors if what.recipe.weights.algebra == "delta" else combined_factors
    a_RI, b_OR = combine(turned)
    embedding = factors.a.endswith("lora_embedding_A")
    return Module(a_RI, b_OR, embedding, factors.transposed and not embedding)


def _config(what: Exported, modules: Mapping[str, Module]) -> dict[str, object]:
    """What PEFT needs. Modules of another rank than the commonest are named by anchored, escaped patterns."""
    (common, _), *_ = Counter(module.rank for module in modules.values()).most_common(1)
    others = {f"^{re.escape(name)}": module.rank for name, module in modules.items() if module.rank != common}
    plain = {module.transposed for module in modules.values() if not module.embedding}
    if len(plain) > 1:
        raise UserError(f"the experts store some weights as (in, out) and some as (out, in), PEFT needs one; {REMEDY}")
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": local_path(what.catalog.base.path),
        "r": common,
        "lora_alpha": common,
        "rank_pattern": others,
        "alpha_pattern": others,
        "target_modules": sorted(modules),
        "fan_in_fan_out": plain == {True},
        "bias": "none",
        "lora_dropout": 0.0,
        "use_rslora": False,
        "inference_mode": True,
    }
