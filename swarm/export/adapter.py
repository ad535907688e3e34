"""One PEFT LoRA adapter that is the whole composition: see `experts/composed_adapter.py`.

Exactly, or on request the nearest one of a lower rank: see `experts/rank_reduction.py`.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch

from swarm.core.errors import ConfigError, UserError
from swarm.core.files import write_json
from swarm.experts.composed_adapter import ComposedModule
from swarm.experts.rank_reduction import reduced_to_rank
from swarm.experts.safetensors_writer import check_finite, tensor_stream
from swarm.export.base import Exported, kind_of, named_path
from swarm.export.hf import copy_tokenizer

REMEDY = "use --format hf, or in a config export.format: hf"


def check_adapter(what: Exported) -> None:
    """Raise UserError where an expert in use has no low-rank factors."""
    for expert in what.merged:
        if kind_of(expert) != "adapter":
            raise UserError(f"no LoRA adapter can hold expert {expert.name} ({kind_of(expert)}); {REMEDY}")
        for parameter in expert.source.parameters():
            if not what.catalog.base.layout.places[parameter].whole or not parameter.endswith(".weight"):
                raise UserError(
                    f"expert {expert.name} adapts {parameter}, a part of the fused experts of a mixture, which no "
                    f"adapter of single modules can hold; {REMEDY}"
                )


def at_rank(what: Exported, rank: int, format: str) -> Exported:
    """What is exported, with its adapter at a rank: its loss is that of `what.reduced`. Raises UserError."""
    if rank < 1:
        raise ConfigError(f"--rank: {rank} keeps nothing; give 1 or more, or drop --rank for the exact adapter")
    if format != "adapter":
        raise ConfigError(
            f"--rank: {rank} is for an adapter and --format is {format}; add --format adapter, or drop --rank"
        )
    check_adapter(what)
    return replace(what, reduced=reduced_to_rank(what.adapter, rank))


def write_adapter(what: Exported, folder: Path) -> None:
    """Fill `folder`. Raises UserError where the recipe cannot be an adapter."""
    check_adapter(what)
    adapter = what.adapter
    if not adapter.modules:
        subject = f"the candidate {what.candidate_id}" if what.candidate_id else "what is composed"
        raise UserError(f"{subject} is the base itself, so it has no adapter; {REMEDY}")
    if len(adapter.orientations) > 1:
        raise UserError(f"the experts store some weights as (in, out) and some as (out, in), PEFT needs one; {REMEDY}")
    for name, module in adapter.modules.items():
        _check_product(name, module)
    (commonest, _), *_ = Counter(adapter.ranks).most_common(1)
    copy_tokenizer(what.catalog.base.path, folder)
    write_json(folder / "adapter_config.json", adapter.config(named_path(what.catalog.base.path, what), commonest))
    tensors = adapter.tensors()
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    with tensor_stream(folder / "adapter_model.safetensors", shapes, {"format": "pt"}) as stream:
        for key, tensor in tensors.items():
            stream.add(key, tensor)


def _check_product(name: str, module: ComposedModule) -> None:
    """Raise ExpertError where finite factors have a product that is not: it is made only where it could be so."""
    largest = module.rank * float(module.a_RI.abs().max()) * float(module.b_OR.abs().max())
    if not largest <= torch.finfo(torch.float32).max:
        check_finite(name, module.b_OR @ module.a_RI)
