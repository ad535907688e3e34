"""What paths that act on logits take beside the base: memory of their models, and temporary files of their logits."""

from collections.abc import Sequence
from dataclasses import replace

from swarm.core.requests import Generation
from swarm.engines.base import Memory
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.memory import NAMES, WIDTHS
from swarm.experts.catalog import Catalog
from swarm.experts.control_layer import ControlLayer
from swarm.experts.expert import Base
from swarm.experts.path_models import ModelPair, PathModel, files_of


def path_memory(
    without: Memory, catalog: Catalog, dtype: str, items: Sequence[Encoded], paths: Sequence[str]
) -> Memory:
    """What a worker takes with paths. without: what it takes without them.

    Pairs of models and control layers are in memory from their first use. An expert of the base is scored in the base's
    own weights, and is a copy of what experts change where texts are generated.
    """
    width = WIDTHS[dtype]
    models = [model for model in catalog.models if model.name in paths]
    private = sum(_private(model, dtype) for model in models)
    shared = sum(info.elements * width for model in models for files in files_of(model) for info in files.info.values())
    # A control layer stands before a copy of what experts change, and experts that generate are copies of that.
    copies = sum(isinstance(model, ControlLayer) for model in models)
    if any(isinstance(item.request, Generation) for item in items):
        copies += 1 + sum(expert.name in paths for expert in catalog.experts)
    changed = sum(catalog.base.tensors.info[name].elements for name in catalog.parameters())
    private += copies * changed * width
    return replace(without, private=without.private + private, shared=without.shared + shared)


def cache_bytes(catalog: Catalog, dtype: str, items: Sequence[Encoded], paths: Sequence[str]) -> float:
    """Bytes of the logits that are kept: of the base and of every path's models, at each token that is scored."""
    positions = sum(len(item.continuation) for item in items)
    columns = _columns(catalog.base)
    for model in (each for each in catalog.models if each.name in paths):
        columns += sum(map(_columns, model.models)) if isinstance(model, ModelPair) else _columns(catalog.base)
    columns += sum(expert.name in paths for expert in catalog.experts) * _columns(catalog.base)
    return float(positions * columns * WIDTHS[dtype])


def _private(model: PathModel, dtype: str) -> int:
    """Bytes that are not those of mapped files: weights of another dtype, and a control layer's."""
    width = WIDTHS[dtype]
    own = isinstance(model, ControlLayer)
    return sum(
        info.elements * width
        for files in files_of(model)
        for info in files.info.values()
        if own or info.dtype != NAMES[dtype]
    )


def _columns(base: Base) -> int:
    return int(str(base.config.get("vocab_size", 1)))
