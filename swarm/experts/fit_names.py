"""Experts whose tensors have other names than the base's files: translated to those, by where transformers loads them.

A checkpoint may be saved with another prefix than its base, by another version of transformers. An adapter has the
names of the live model that it was trained on.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import torch

from swarm.experts.adapter_config import AdapterConfig
from swarm.experts.expert import Base, Checkpoint
from swarm.experts.fused_factors import check_fused, part_of_view
from swarm.experts.loader_names import layout_of
from swarm.experts.lora import Adapter, Factors
from swarm.experts.safetensors_files import TensorFiles

T = TypeVar("T")
BASE_LAYER = ".base_layer"  # what PEFT adds to a module's name for each parameter of it that is wrapped further out


def fit_checkpoint(checkpoint: Base, base: Base) -> Checkpoint:
    """A fine-tune of the base, with the names of the base's files, without tensors that the base lacks and
    transformers does not load, and without buffers that are the base's own."""
    files = checkpoint.tensors
    names = {name: name for name in files.info}
    if names.keys() != base.tensors.info.keys():
        names = {name: name for name in files.info if name in base.tensors.info}
        for name, place in checkpoint.layout.places.items():
            if name in files.info:
                names.setdefault(base.layout.of_place.get(place, name), name)
    same = {name for name, file in names.items() if base.is_buffer(name) and _equal(base, name, files, file)}
    return Checkpoint(files, {name: file for name, file in names.items() if name not in same})


def _equal(base: Base, name: str, files: TensorFiles, file: str) -> bool:
    return torch.equal(base.tensors.read(name), files.read(file))


def fit_adapter(adapter: Adapter, base: Base, config: AdapterConfig) -> Adapter:
    """The adapter with the names of the base's files. config: of its folder."""
    foreign = [name for name in (*adapter.parameters(), *adapter.copies) if name not in base.tensors.info]
    places = layout_of(base.architecture, foreign).places if foreign else {}
    known = {name: base.layout.of_place.get(places[name], name) for name in foreign if name in places}
    if config.targets:
        config.check_patterns(base.architecture.parameters)
    factors: dict[str, Factors] = {}
    for name, each in adapter.factors.items():
        named = known.get(name, name)
        factors |= _of_fused(name, each, base, config, adapter.files) or {named: _facing(each, named, base)}

    def renamed(of: Mapping[str, T]) -> dict[str, T]:
        return {known.get(name, name): value for name, value in of.items()}

    return replace(
        adapter,
        factors=factors,
        saved=renamed(adapter.saved),
        copies=renamed(adapter.copies),
        shifts=renamed(adapter.shifts),
        tokens=renamed(adapter.tokens),
    )


def _facing(factors: Factors, name: str, base: Base) -> Factors:
    """The factors in the orientation of the base's parameter.

    The file's fan_in_fan_out says one thing of all modules, and PEFT corrects it for each of them.
    """
    return replace(factors, transposed=factors.embedding or name in base.in_out)


def _of_fused(name: str, factors: Factors, base: Base, config: AdapterConfig, files: TensorFiles) -> dict[str, Factors]:
    """Names in the base's files -> the factors' part in them, where they are factors of a parameter itself.

    Empty where they are not. PEFT names them by the parameter's module and wraps one parameter of it in the other.
    """
    live = _target(name.removesuffix(".weight"), base, config)
    if live is None:
        return {}
    shape = base.architecture.parameters[live]
    experts = shape[0] if len(shape) == 3 else 1
    swapped = bool(getattr(base.architecture.model.get_submodule(live.rpartition(".")[0]), "is_transposed", False))
    if len(shape) == 3:
        check_fused(files, factors.a, factors.b, shape, swapped, live)
    rank = factors.rank // experts
    config.check_rank(live, rank)
    scaling = config.scaling(live, rank)
    plain = replace(factors, rank=rank, scaling=scaling, transposed=False)
    found = {}
    for file in base.layout.of_live.get(live, ()):
        place = base.layout.places[file]
        part = part_of_view(shape, place.shape, place.stride, place.offset, swapped) if len(shape) == 3 else None
        if len(shape) == 2 or part is not None:
            found[file] = replace(plain, part=part)
    return found


def _target(module: str, base: Base, config: AdapterConfig) -> str | None:
    """The parameter that the factors with this module's name belong to; None where they are a module's own."""
    if not config.targets:
        return None
    owner = module.replace(BASE_LAYER, "")
    outer = module.count(BASE_LAYER)
    of_owner = [name for name in base.architecture.parameters if name.rpartition(".")[0] == owner]
    wrapped = [name for name in of_owner if any(name == t or name.endswith(f".{t}") for t in config.targets)]
    # PEFT wraps the module's parameters in their order: the first is the innermost.
    return wrapped[-1 - outer] if outer < len(wrapped) else None
