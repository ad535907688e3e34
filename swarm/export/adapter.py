"""One PEFT LoRA adapter that is the whole composition, exactly: see `experts/composed_adapter.py`."""

from collections import Counter
from pathlib import Path

import torch

from swarm.core.errors import UserError
from swarm.core.files import write_json
from swarm.experts.composed_adapter import ComposedModule, composed_adapter
from swarm.experts.safetensors_writer import check_finite, tensor_stream
from swarm.export.base import Exported, kind_of, local_path
from swarm.export.hf import copy_tokenizer

REMEDY = "use --format hf, or in a config export.format: hf"


def check_adapter(what: Exported) -> None:
    """Raise UserError where an expert in use has no low-rank factors."""
    for expert in what.active:
        if kind_of(expert) != "adapter":
            raise UserError(f"no LoRA adapter can hold expert {expert.name} ({kind_of(expert)}); {REMEDY}")
        for parameter in expert.source.parameters():
            if not what.catalog.base.layout.places[parameter].whole or not parameter.endswith(".weight"):
                raise UserError(
                    f"expert {expert.name} adapts {parameter}, a part of the fused experts of a mixture, which no "
                    f"adapter of single modules can hold; {REMEDY}"
                )


def write_adapter(what: Exported, folder: Path) -> None:
    """Fill `folder`. Raises UserError where the recipe cannot be an adapter."""
    check_adapter(what)
    adapter = composed_adapter(what.catalog, what.recipe)
    if not adapter.modules:
        subject = f"the candidate {what.candidate_id}" if what.candidate_id else "what is composed"
        raise UserError(f"{subject} is the base itself, so it has no adapter; {REMEDY}")
    if len(adapter.orientations) > 1:
        raise UserError(f"the experts store some weights as (in, out) and some as (out, in), PEFT needs one; {REMEDY}")
    for name, module in adapter.modules.items():
        _check_product(name, module)
    (commonest, _), *_ = Counter(adapter.ranks).most_common(1)
    copy_tokenizer(what.catalog.base.path, folder)
    write_json(folder / "adapter_config.json", adapter.config(local_path(what.catalog.base.path), commonest))
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
