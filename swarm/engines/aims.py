"""How far a greedy text is from its targets: texts that would be right, as tokens.

Written token by token, a text keeps to a target or leaves it. The margin is the least lead of the target's token over
every other up to there, in logits; below zero where the text left the target, or went on after it. It costs a glance at
logits that are there anyway. Of several targets the one that was kept to longest counts, of equals the one with the
larger margin.

Shape suffixes: N rows of a batch, A of them still written, T tokens, V vocabulary, E end tokens, W tokens that will do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


@dataclass(frozen=True, eq=False)
class Target:
    """One target of each row of a batch, right-padded; of length 0 where a row has fewer than others."""

    tokens_NT: Tensor
    length_N: Tensor


def targets_of(rows: Sequence[Sequence[tuple[int, ...]]], device: torch.device) -> tuple[Target, ...]:
    """From the targets of each row."""
    found = []
    for column in zip_longest(*rows, fillvalue=()):
        tokens_NT = pad_sequence([torch.tensor(target, dtype=torch.long) for target in column], batch_first=True)
        found.append(Target(tokens_NT.to(device), torch.tensor([len(target) for target in column], device=device)))
    return tuple(found)


class Aims:
    """The targets of a batch's rows, once for each particle, followed step by step."""

    def __init__(self, targets: Sequence[Target], particles: int, end_ids: frozenset[int], rows: int) -> None:
        self._rows = rows
        self._aims = [Aim(target, particles, end_ids) for target in targets]

    def follow(self, step: int, logits_AV: Tensor, rows_A: Tensor, chosen_A: Tensor, ended: Sequence[int]) -> None:
        """Take in a step of the rows that are still written: the tokens chosen from what, and whose texts (by their
        place in A) it ended."""
        if not any(aim.open for aim in self._aims):
            return
        rows = slice(None) if len(rows_A) == self._rows else rows_A  # views are cheaper than copies
        for aim in self._aims:
            aim.follow(step, logits_AV, rows, chosen_A[:, None], ended)

    def margins(self) -> list[float | None]:
        """Of each row; None where it has no target."""
        nothing = [(-1, 0.0)] * self._rows
        best = [max(of) for of in zip(nothing, *(aim.reached() for aim in self._aims), strict=True)]
        return [margin if kept >= 0 else None for kept, margin in best]


class Aim:
    """How one target has fared. Its last token is what ends the text, for which any end token will do.

    open_N: the text has kept to it so far and it goes on. kept_N: to how many tokens; -1 without a target.
    """

    def __init__(self, target: Target, particles: int, end_ids: frozenset[int]) -> None:
        self._tokens_NT = target.tokens_NT.repeat(particles, 1)
        self._length_N = target.length_N.repeat(particles)
        self._ends_E = torch.tensor(sorted(end_ids), dtype=torch.long, device=self._length_N.device)
        self._open_N = self._length_N > 0
        self._kept_N = self._open_N.long() - 1
        self._margin_N = self._length_N.new_full(self._length_N.shape, torch.inf, dtype=torch.float32)
        self.open = True

    def follow(
        self, step: int, logits_AV: Tensor, rows: Tensor | slice, chosen_A1: Tensor, ended: Sequence[int]
    ) -> None:
        open_A = self._open_N[rows].clone()
        self.open = bool(open_A.any())
        if not self.open:
            return
        token_A1 = self._tokens_NT[rows, step, None]
        last_A = self._length_N[rows] == step + 1
        will_do_AW = torch.cat([token_A1, torch.where(last_A[:, None], self._ends_E, token_A1)], dim=1)
        lead_A = _leads(logits_AV, will_do_AW)
        keeping_A = (will_do_AW == chosen_A1).any(1)
        if ended:  # whatever ended it after its target: other stop texts, a longer token that starts with one
            done = torch.tensor(ended, device=last_A.device)
            lead_A[done] = lead_A[done].masked_fill(last_A[done], torch.inf)
            keeping_A[done] |= last_A[done]
        self._margin_N[rows] = self._margin_N[rows].minimum(lead_A.masked_fill(~open_A, torch.inf))
        self._kept_N[rows] += keeping_A & open_A
        self._open_N[rows] = keeping_A & open_A & ~last_A

    def reached(self) -> list[tuple[int, float]]:
        """Of each row, how many tokens were kept to, and the margin."""
        return list(zip(self._kept_N.tolist(), self._margin_N.tolist(), strict=True))


def _leads(logits_AV: Tensor, will_do_AW: Tensor) -> Tensor:
    """The logit of the best token that will do, less that of the best that will not."""
    places = torch.arange(len(logits_AV), device=logits_AV.device)[:, None], will_do_AW
    values_AW = logits_AV[places]
    logits_AV.index_put_(places, logits_AV.new_tensor(-torch.inf))  # and back: cheaper than sorting or a copy
    others_A = logits_AV.amax(1)
    logits_AV.index_put_(places, values_AW)
    return values_AW.amax(1).float() - others_A.float()
