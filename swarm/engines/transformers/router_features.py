"""What a router sees of a prompt: the mean of the base's hidden states over its tokens, at one layer.

Shape suffixes: N prompts, B rows of a batch, T tokens, H hidden size.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PretrainedConfig

from swarm.core.errors import ConfigError, ExpertError
from swarm.engines.base import DtypeName
from swarm.engines.transformers.load_model import load_model
from swarm.experts.router_geometry import Array

BATCH_TOKENS = 8192  # padding included
OnRows = Callable[[int, int], None]  # called with how many prompts have been read, and how many there are


@torch.no_grad()
def features_of(
    model: nn.Module,
    rows: Sequence[Sequence[int]],
    layer: int,
    device: torch.device,
    on_rows: OnRows = lambda done, of: None,
) -> Array:
    """The mean hidden state of each prompt, (N, H).

    model: with the base's weights in place; of an encoder-decoder, the encoder reads the prompts.
    rows: token ids of each prompt, at least one each.
    layer: 0 the embeddings, n behind the n-th layer, as `output_hidden_states` of transformers counts.

    States are summed in float32, whatever dtype they have. What else is in a batch changes a row by rounding alone.
    Raises ExpertError where a layer does not have one hidden state per token.
    """
    config: PretrainedConfig = model.config  # type: ignore[assignment]
    inner: nn.Module = model.get_encoder() if config.is_encoder_decoder else model.base_model  # type: ignore
    by_length = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found: dict[int, Array] = {}
    for places in _batches([len(rows[i]) for i in by_length]):
        chosen = by_length[places.start : places.stop]
        mean_BH = _means(inner, [rows[i] for i in chosen], layer, device).double().cpu().numpy()
        found |= dict(zip(chosen, mean_BH, strict=True))
        on_rows(len(found), len(rows))
    features_NH: Array = np.stack([found[i] for i in range(len(rows))])
    return features_NH


def features_of_base(
    base: Path,
    dtype: DtypeName,
    rows: Sequence[Sequence[int]],
    layer: int | None,
    on_rows: OnRows = lambda done, of: None,
) -> tuple[Array, int]:
    """Features of prompts by the base in a folder, which is loaded for them, and the layer: the middle one for None.

    Raises ConfigError where the base has no such layer, UserError where it cannot be loaded.
    """
    loaded = load_model(base, getattr(torch, dtype), "auto")
    chosen, deepest = middle_layer(loaded.model) if layer is None else layer, _layers(loaded.model)
    if not 0 <= chosen <= deepest:
        raise ConfigError(
            f"--layer: {chosen} is none of this base's, 0 (the embeddings) to {deepest}; give one of them"
        )
    return features_of(loaded.model, rows, chosen, loaded.device, on_rows), chosen


def middle_layer(model: nn.Module) -> int:
    """The layer in the middle, where hidden states say most of a text as a whole."""
    return max(1, _layers(model) // 2)


def _layers(model: nn.Module) -> int:
    """Of the part that reads prompts."""
    config: PretrainedConfig = model.config  # type: ignore[assignment]
    return int(config.get_text_config().num_hidden_layers)


def _batches(lengths: Sequence[int]) -> list[range]:
    """Consecutive places of rising lengths, each batch within BATCH_TOKENS, or one row."""
    found, start = [], 0
    for stop in range(1, len(lengths) + 1):
        if stop == len(lengths) or (stop + 1 - start) * lengths[stop] > BATCH_TOKENS:
            found.append(range(start, stop))
            start = stop
    return found


def _means(inner: nn.Module, rows: Sequence[Sequence[int]], layer: int, device: torch.device) -> Tensor:
    width = max(map(len, rows))
    ids_BT = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)
    mask_BT = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    found = inner(input_ids=ids_BT, attention_mask=mask_BT, output_hidden_states=True)
    states_BTH = found.hidden_states[layer].float()
    if states_BTH.shape[:-1] != ids_BT.shape:
        raise ExpertError(
            f"base: {type(inner).__name__} has no hidden state of its own for each token, which a router needs; "
            "use another composition than routed"
        )
    weights_BT1 = mask_BT[:, :, None].float()
    mean_BH: Tensor = (states_BTH * weights_BT1).sum(1) / weights_BT1.sum(1)
    return mean_BH
