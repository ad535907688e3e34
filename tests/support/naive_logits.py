"""Sums of next-token logits by plain transformers: one model after another, the whole text again at every token.

l = l_base + sum_j c_j (l_j+ - l_j-), or in probabilities p = (1 - sum_j c_j) p_base + sum_j c_j p_j. Models that take
no part are not run. Where several do, tokens that the tokenizer does not know are -inf in each of them, and so is a
token that is -inf in any. Nothing here imports the engine that it is compared with.

Shape suffixes: T tokens, V vocabulary of the widest model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Path:
    """One summand.

    c: its coefficient.
    plus: the model that is added.
    minus: the model that is subtracted; None: the base. In probabilities it is always the base.
    """

    c: float
    plus: PreTrainedModel
    minus: PreTrainedModel | None = None


@dataclass(frozen=True)
class Naive:
    """A base and the paths on its logits."""

    base: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    paths: Sequence[Path] = ()
    probabilities: bool = False

    def weights(self) -> list[tuple[PreTrainedModel, float]]:
        """The models that take part, and the weight of each."""
        models, weights = [self.base], [1.0]
        for path in self.paths:
            minus = self.base if path.minus is None or self.probabilities else path.minus
            for model, c in ((path.plus, path.c), (minus, -path.c)):
                found = [i for i, other in enumerate(models) if other is model]
                if found:
                    weights[found[0]] += c
                else:
                    models.append(model)
                    weights.append(c)
        return [(model, weight) for model, weight in zip(models, weights, strict=True) if weight != 0]

    @torch.inference_mode()
    def logits(self, ids: Sequence[int]) -> Tensor:
        """What is said of the token after this text, float32, (V,); log-probabilities where these are mixed."""
        parts = [(model(torch.tensor([list(ids)])).logits[0, -1].float(), weight) for model, weight in self.weights()]
        if len(parts) == 1 and parts[0][1] == 1.0:
            return parts[0][0]
        width = max(len(logits) for logits, _ in parts)
        total_V, impossible_V = torch.zeros(width), torch.arange(width) >= len(self.tokenizer)
        for logits, weight in parts:
            wide_V = torch.full((width,), -torch.inf)
            wide_V[: len(logits)] = logits
            if len(parts) > 1:
                wide_V[len(self.tokenizer) :] = -torch.inf
            if self.probabilities:
                total_V += weight * wide_V.softmax(dim=0)
            else:
                impossible_V = impossible_V | wide_V.isneginf()
                total_V += weight * wide_V.nan_to_num(neginf=0.0)
        return total_V.log() if self.probabilities else total_V.masked_fill(impossible_V, -torch.inf)

    def greedy(self, prompt: str, max_new_tokens: int) -> str:
        """The likeliest token, one after another, until the end token or until there are this many."""
        ids: list[int] = self.tokenizer.encode(prompt)
        given = len(ids)
        while len(ids) < given + max_new_tokens:
            token = int(self.logits(ids).argmax())
            if token == self.tokenizer.eos_token_id:
                break
            ids.append(token)
        return str(self.tokenizer.decode(ids[given:], skip_special_tokens=True))

    def log_likelihood(self, prompt: str, continuation: str) -> float:
        """Of the tokens of the continuation after the prompt, each after those before it; in nats."""
        ids: list[int] = self.tokenizer.encode(prompt)
        total = 0.0
        for token in self.tokenizer.encode(continuation, add_special_tokens=False):
            total += float(self.logits(ids).log_softmax(dim=0)[token])
            ids.append(token)
        return total
