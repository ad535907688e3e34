"""How much memory a worker needs, predicted from headers, shapes and requests before anything is loaded.

Private memory belongs to one worker. Shared memory holds the files of base and experts, which the system maps once per
node, however many workers read them. The constants were measured on CPUs: tests hold the prediction to 15 %.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import torch

from swarm.core.requests import Generation
from swarm.engines.base import Memory
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.frozen_layers_cache import MOST_BYTES
from swarm.engines.transformers.packing import MOST_LOGITS, BatchLimits, Packing, packings
from swarm.experts.catalog import Catalog
from swarm.experts.expert import Expert
from swarm.experts.parameter_groups import LAYER as LAYER_NAME
from swarm.experts.safetensors_files import TensorInfo

MIB = 2**20
RUNTIME = 325 * MIB  # measured: Python, torch, transformers and an open engine without weights
TOKENIZER = 12  # measured: a tokenizer in memory over the size of its file
# Measured: during a batch, glibc still holds between none and two thirds of what the batch before has freed.
# About the middle of the two keeps the prediction within 15 % of what processes took.
RETAINED = 1.3
STORED = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2}  # bytes per element, else 1
WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}  # bytes per weight
NAMES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
LOGITS = MOST_LOGITS["cpu"]  # of a batch at most, and of their copy in float32
LAYER = (3, 6)  # tensors of the feed-forward width, and of the hidden width, that a layer has in memory at once


@dataclass(frozen=True)
class LargestBatch:
    """The largest sizes over all batches; each may come from another batch.

    columns: rows times the longest row, padding included.
    logits: positions whose logits are needed.
    kept: columns whose keys and values are kept.
    plain: columns of all batches without a shared prefix, summed: the frozen layers' output of these may be kept.
    """

    columns: int = 0
    logits: int = 0
    kept: int = 0
    plain: int = 0

    @classmethod
    def of(cls, requests: Sequence[Encoded], budget: int, vocabulary: int) -> "LargestBatch":
        """Of the batches that answer these requests. budget: engine.batch_tokens. vocabulary: tokens the base knows."""
        continuations = [item for item in requests if not isinstance(item.request, Generation)]
        made = packings(continuations, BatchLimits(budget, LOGITS // max(1, vocabulary)), torch.device("cpu"))
        prefixes = min(budget, sum(len(prefix) for prefix in {each.prefix for each in made}))
        found = [cls(each.ids_BT.numel(), len(each.picks_M), _kept(each) + prefixes) for each in made]
        found.append(cls(plain=sum(each.ids_BT.numel() for each in made if not each.prefix)))
        generations = [(len(item.prompt), item.request) for item in requests if isinstance(item.request, Generation)]
        if generations:
            longest = max(length + request.max_new_tokens for length, request in generations)
            rows = min(len(generations), max(1, budget // longest))
            found.append(cls(min(budget, sum(length for length, _ in generations)), rows, rows * longest))
        most = [max(sizes) for sizes in zip(*(astuple(each) for each in found), strict=True)]
        return cls(*most)


def memory(catalog: Catalog, dtype: str, batch: LargestBatch) -> Memory:
    """What an engine on a CPU that holds the catalog in `dtype` (a key of WIDTHS) needs at its peak."""
    info, width = catalog.base.tensors.info, WIDTHS[dtype]
    touched = set(catalog.parameters())
    # transformers leaves a tensor of the right dtype in its mapped file until it is written to.
    live = sum(
        each.elements * (1 if name in catalog.base.codes else width)  # codes have a byte or less
        for name, each in info.items()
        if not catalog.base.may_lack(name) and (name in touched or each.dtype != NAMES[dtype])
    )
    tokenizer = TOKENIZER * _size(catalog.base.path / "tokenizer.json")
    held = _factors(catalog, width) + sum(_computed(expert, info) for expert in catalog.experts)
    private = RUNTIME + tokenizer + live + held + _batch(catalog.base.config, width, batch)
    private += frozen_layers_bytes(catalog, width, batch.plain)
    experts = [expert.source.files.info for expert in catalog.experts]
    return Memory(private, float(sum(_stored(each) for files in (info, *experts) for each in files.values())))


def frozen_layers_bytes(catalog: Catalog, width: int, columns: int) -> int:
    """Bytes of the frozen layers' output that is kept for so many columns, `width` bytes per element.

    0 where an expert changes the first layer, or a parameter outside the layers, and for an encoder-decoder.
    """
    if catalog.base.architecture.encoder_decoder:
        return 0
    places = [LAYER_NAME.search(name) for name in catalog.parameters()]
    if not places or not all(places) or min(int(place[1]) for place in places if place) == 0:
        return 0
    return min(MOST_BYTES, columns * _number(catalog.base.config, "hidden_size", "n_embd") * width)


def _kept(packing: Packing) -> int:
    """Columns whose keys and values are in a cache: those of rows behind a shared prefix."""
    rows, width = packing.ids_BT.shape
    return rows * (len(packing.prefix) + width) if packing.prefix else 0


def _factors(catalog: Catalog, width: int) -> float:
    """Bytes of the factors, side by side: in float32 for merging, in the engine's dtype for stacking where possible."""
    counts = [
        (expert.rank(name) or 0) * sum(_sides(info))
        for expert in catalog.experts
        for name, info in catalog.base.tensors.info.items()
        if expert.changes(name)
    ]
    stacked = width if all(counts) else 0
    cut = 4 if any(expert.sparsification.svd for expert in catalog.experts) else 0  # factors from an SVD are in no file
    return float(sum(counts) * (4 + stacked + cut))


def _computed(expert: Expert, base: Mapping[str, TensorInfo]) -> int:
    """Bytes of the updates that trimming, DARE or DoRA made: float32 tensors of the base's shapes."""
    return sum(4 * base[name].elements for name in expert.computed)


def _batch(config: Mapping[str, object], width: int, batch: LargestBatch) -> float:
    """Bytes of a pass: the larger of what a layer and what the logits need, which are not in memory together."""
    hidden = _number(config, "hidden_size", "n_embd", "d_model")
    inner = _number(config, "intermediate_size", "n_inner", "d_ff", "encoder_ffn_dim") or 4 * hidden
    layer = batch.columns * width * (LAYER[0] * inner + LAYER[1] * hidden)
    entries = min(batch.logits * _number(config, "vocab_size"), LOGITS)
    logits = entries * (width + (8 if width < 4 else 4)) + 3 * batch.columns * hidden * width
    return RETAINED * max(layer, logits) + batch.kept * key_bytes(config, width)


def key_bytes(config: Mapping[str, object], width: int) -> int:
    """Bytes of the keys and values of a column, in all layers."""
    layers = _number(config, "num_hidden_layers", "n_layer", "num_layers", "decoder_layers")
    return layers * layer_key_bytes(config, width)


def layer_key_bytes(config: Mapping[str, object], width: int) -> int:
    """Bytes of the keys and values of a column in one layer."""
    hidden = _number(config, "hidden_size", "n_embd", "d_model")
    heads = _number(config, "num_attention_heads", "n_head", "num_heads", "encoder_attention_heads") or 1
    return (
        2 * (_number(config, "num_key_value_heads") or heads) * (_number(config, "head_dim") or hidden // heads) * width
    )


def _number(config: Mapping[str, object], *names: str) -> int:
    return next((int(str(config[name])) for name in names if config.get(name)), 0)


def _sides(info: TensorInfo) -> tuple[int, ...]:
    return info.shape if len(info.shape) == 2 else (0,)


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _stored(info: TensorInfo) -> int:
    return info.elements * STORED.get(info.dtype, 1)
