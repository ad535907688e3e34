"""How likely a model finds answers that are given to it (teacher-forced).

Shape suffixes: B rows, T tokens, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from torch import nn

from swarm.builders.base import AnswerTokens
from swarm.builders.models import ADAPTER, load_dtype, load_model, quiet


@dataclass(frozen=True)
class TokenScore:
    """The mean log-likelihood of an answer's token, in nats, over so many examples and tokens."""

    mean: float
    examples: int
    tokens: int


def opened_model(base: Path, expert: Path | None, dtype: str) -> nn.Module:
    """The base, alone or with an expert, ready to score."""
    with quiet():
        if expert is None or (expert / ADAPTER).is_file():
            model: nn.Module = load_model(base, load_dtype(dtype, full=False))
            if expert is not None:
                model = PeftModel.from_pretrained(model, expert)
        else:
            model = load_model(expert, load_dtype(dtype, full=False))
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


@torch.inference_mode()
def token_score(model: nn.Module, rows: Sequence[AnswerTokens], batch: int) -> TokenScore:
    """The score of a model on rows, so many at a time."""
    total, tokens = 0.0, 0
    ordered = sorted(rows, key=len)
    for start in range(0, len(ordered), batch):
        part = ordered[start : start + batch]
        total += _summed(model, part)
        tokens += sum(len(row.answer) for row in part)
    return TokenScore(total / tokens, len(rows), tokens)


def _summed(model: nn.Module, rows: Sequence[AnswerTokens]) -> float:
    """The log-likelihood of all answers of one batch."""
    device = next(model.parameters()).device
    width = max(map(len, rows))
    ids_BT = torch.zeros(len(rows), width, dtype=torch.long)
    mask_BT, answer_BT = torch.zeros_like(ids_BT), torch.zeros_like(ids_BT)
    for i, row in enumerate(rows):
        ids_BT[i, : len(row)] = torch.tensor([*row.prompt, *row.answer])
        mask_BT[i, : len(row)] = 1
        answer_BT[i, len(row.prompt) : len(row)] = 1
    ids_BT, mask_BT, answer_BT = ids_BT.to(device), mask_BT.to(device), answer_BT.to(device)
    logits_BTV = model(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False).logits[:, :-1].float()
    found_BT = logits_BTV.gather(2, ids_BT[:, 1:, None]).squeeze(2) - logits_BTV.logsumexp(2)
    return float((found_BT.double() * answer_BT[:, 1:]).sum())
