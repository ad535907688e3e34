"""How far a greedy text is from its targets: texts that would be right, as tokens.

Written token by token, a text keeps to a target or leaves it. The margin is the least lead of the target's token over
every other up to there, in logits; below zero where the text left the target. It costs a glance at logits that are
there anyway. Of several targets the one that was kept to longest counts, of equals the one with the larger margin.

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

    def follow(self, step: int, logits_AV: Tensor, rows_A: Tensor) -> None:
        """Take in the logits that the next tokens of the rows that are still written are chosen from."""
        for aim in self._aims:
            aim.follow(step, logits_AV, rows_A)

    def margins(self) -> list[float | None]:
        """Of each row; None where it has no target."""
        nothing = [(-1, 0.0)] * self._rows
        best = [max(of) for of in zip(nothing, *(aim.reached() for aim in self._aims), strict=True)]
        return [margin if kept >= 0 else None for kept, margin in best]


class Aim:
    """How one target has fared. Any end token will do for its last.

    open_N: the text has kept to it so far and it goes on. kept_N: to how many tokens; -1 without a target.
    """

    def __init__(self, target: Target, particles: int, end_ids: frozenset[int]) -> None:
        self._tokens_NT = target.tokens_NT.repeat(particles, 1)
        self._length_N = target.length_N.repeat(particles)
        self._ends_E = torch.tensor(sorted(end_ids), dtype=torch.long, device=self._length_N.device)
        self._open_N = self._length_N > 0
        self._kept_N = self._open_N.long() - 1
        self._margin_N = self._length_N.new_full(self._length_N.shape, torch.inf, dtype=torch.float32)

    def follow(self, step: int, logits_AV: Tensor, rows_A: Tensor) -> None:
        open_A = self._open_N[rows_A]
        if not open_A.any():
            return
        last_A = self._length_N[rows_A] == step + 1
        lead_A = self._leads(logits_AV, self._tokens_NT[rows_A, step, None], last_A[:, None])
        keeping_A = open_A & (lead_A > 0)
        margin_A = self._margin_N[rows_A]
        self._margin_N[rows_A] = torch.where(open_A, margin_A.minimum(lead_A), margin_A)
        self._kept_N[rows_A] += keeping_A
        self._open_N[rows_A] = keeping_A & ~last_A

    def _leads(self, logits_AV: Tensor, token_A1: Tensor, last_A1: Tensor) -> Tensor:
        """The logit of the best token that will do, less that of the best that will not."""
        will_do_AW = torch.cat([token_A1, torch.where(last_A1, self._ends_E, token_A1)], dim=1)
        values_AW = logits_AV.gather(1, will_do_AW)
        logits_AV.scatter_(1, will_do_AW, -torch.inf)  # and back: sorting, or a copy, takes ten times as long
        others_A = logits_AV.amax(1)
        logits_AV.scatter_(1, will_do_AW, values_AW)
        return values_AW.amax(1).float() - others_A.float()

    def reached(self) -> list[tuple[int, float]]:
        """Of each row, how many tokens were kept to, and the margin."""
        return list(zip(self._kept_N.tolist(), self._margin_N.tolist(), strict=True))
