"""What paths that act on logits take beside the base: memory of their models, and temporary files of their logits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from swarm.core.requests import Generation
from swarm.engines.base import Memory
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.memory import NAMES, WIDTHS, LargestBatch, key_bytes, layer_key_bytes
from swarm.experts.catalog import Catalog
from swarm.experts.control_layer import ControlLayer
from swarm.experts.expert import Base
from swarm.experts.path_models import ModelPair, PathModel, files_of


@dataclass(frozen=True)
class Running:
    """What runs beside the base.

    paths: names of what acts on logits.
    merged: whether experts act on the base's weights as well: then the base as it is may be one more model.
    generated: the largest batch of texts that are generated; None where there are none.
    """

    paths: tuple[str, ...]
    merged: bool
    generated: LargestBatch | None

    @classmethod
    def of(
        cls, paths: Sequence[str], merged: bool, items: Sequence[Encoded], batch_tokens: int, vocabulary: int
    ) -> "Running":
        """For these requests, in batches of so many columns. vocabulary: tokens the base knows."""
        texts = [item for item in items if isinstance(item.request, Generation)]
        generated = LargestBatch.of(texts, batch_tokens, vocabulary) if paths and texts else None
        return cls(tuple(paths), merged, generated)

    def models(self, catalog: Catalog) -> list[PathModel]:
        """The pairs and control layers."""
        return [model for model in catalog.models if model.name in self.paths]

    def copies(self, catalog: Catalog) -> int:
        """How many copies of the base generate: with an expert of its own each, and as it is."""
        if self.generated is None:
            return 0
        return self.merged + sum(expert.name in self.paths for expert in catalog.experts)


def path_memory(without: Memory, catalog: Catalog, dtype: str, running: Running) -> Memory:
    """What a worker takes with paths. without: what it takes without them.

    Pairs of models and control layers are in memory from their first use. An expert of the base is scored in the base's
    own weights, and is a copy of what experts change where texts are generated. Then each model also has its own keys
    and values, and logits of the next token.
    """
    width, models = WIDTHS[dtype], running.models(catalog)
    private = sum(_private(model, dtype) for model in models)
    shared = sum(info.elements * width for model in models for files in files_of(model) for info in files.info.values())
    # A control layer stands before a copy of what experts change.
    copies = running.copies(catalog) + sum(isinstance(model, ControlLayer) for model in models)
    changed = sum(catalog.base.tensors.info[name].elements for name in catalog.parameters())
    private += copies * changed * width + _caches(catalog, running, width)
    return replace(without, private=without.private + private, shared=without.shared + shared)


def _caches(catalog: Catalog, running: Running, width: int) -> int:
    """Bytes of the keys, values and logits of all models that generate beside the base; models of pairs come once."""
    if running.generated is None:
        return 0
    base, models = catalog.base.config, running.models(catalog)
    layers = sum(isinstance(model, ControlLayer) for model in models)
    pairs = [each for model in models if isinstance(model, ModelPair) for each in model.models]
    configs = [base] * (running.copies(catalog) + layers) + [each.config for each in _distinct(pairs)]
    keys = sum(key_bytes(config, width) for config in configs) + layers * layer_key_bytes(base, width)
    return running.generated.kept * keys + running.generated.logits * sum(map(_vocabulary, configs)) * width


def _distinct(models: Sequence[Base]) -> list[Base]:
    """Models with the same weights are opened once."""
    return list({model.tensors.fingerprint: model for model in models}.values())


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
    return _vocabulary(base.config)


def _vocabulary(config: Mapping[str, object]) -> int:
    return int(str(config.get("vocab_size", 1)))
