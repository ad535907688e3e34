"""Texts as vectors: the mean of a model's last hidden states over the tokens of each.

Shape suffixes: N texts, B rows, T tokens, H the hidden size.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from swarm.engines.transformers.load_model import LoadedModel, load_model

MOST_TOKENS = 512  # of a text: what is longer is cut
ROWS = 16  # of a batch

Vectors = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@torch.no_grad()
def mean_hidden_states(base: Path, texts: Sequence[str]) -> Vectors:
    """A row of length 1 per text: its mean state, less the mean of all texts. Of an encoder-decoder the encoder's.

    Raises ExpertError where the model cannot be loaded.
    """
    loaded = load_model(base, torch.float32, "auto")
    ids = [loaded.tokenizer.encode(text)[:MOST_TOKENS] or [0] for text in texts]
    by_length = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    mean_NH = np.zeros((len(ids), 0))
    for start in range(0, len(ids), ROWS):
        places = by_length[start : start + ROWS]
        mean_BH = _means(loaded, [ids[i] for i in places]).double().cpu().numpy()
        if not mean_NH.size:
            mean_NH = np.zeros((len(ids), mean_BH.shape[1]))
        mean_NH[places] = mean_BH
    mean_NH -= mean_NH.mean(axis=0)
    length_N1 = np.linalg.norm(mean_NH, axis=1, keepdims=True)
    length_N1[length_N1 == 0] = 1.0
    rows_NH: Vectors = mean_NH / length_N1
    return rows_NH


def _means(loaded: LoadedModel, rows: Sequence[list[int]]) -> torch.Tensor:
    width = max(map(len, rows))
    ids_BT = torch.zeros((len(rows), width), dtype=torch.long)
    mask_BT = torch.zeros_like(ids_BT)
    for i, row in enumerate(rows):
        ids_BT[i, : len(row)], mask_BT[i, : len(row)] = torch.tensor(row), 1
    ids_BT, mask_BT = ids_BT.to(loaded.device), mask_BT.to(loaded.device)
    model = loaded.model
    inner = model.get_encoder() if model.config.is_encoder_decoder else model.base_model  # type: ignore[operator, union-attr]
    states_BTH = inner(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state  # type: ignore[operator]
    weights_BT1 = mask_BT[:, :, None].to(states_BTH.dtype)
    mean_BH: torch.Tensor = (states_BTH * weights_BT1).sum(1) / weights_BT1.sum(1)
    return mean_BH
