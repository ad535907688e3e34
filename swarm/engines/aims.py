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

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Target:
    """One target of each row of a batch, right-padded; of length 0 where a row has fewer than others."""

    tokens_NT: Ints
    length_N: Ints


def targets_of(rows: Sequence[Sequence[tuple[int, ...]]]) -> tuple[Target, ...]:
    """From the targets of each row."""
    found = []
    for column in zip_longest(*rows, fillvalue=()):
        length_N = np.array([len(target) for target in column])
        tokens_NT = np.zeros((len(column), length_N.max()), dtype=np.int64)
        for row, target in enumerate(column):
            tokens_NT[row, : len(target)] = target
        found.append(Target(tokens_NT, length_N))
    return tuple(found)


class Aims:
    """The targets of a batch's rows, once for each particle, followed step by step."""

    def __init__(self, targets: Sequence[Target], particles: int, end_ids: frozenset[int], rows: int) -> None:
        self._rows = rows
        self._aims = [Aim(target, particles, end_ids) for target in targets]

    def follow(self, step: int, logits_AV: Tensor, rows: Ints, chosen: Sequence[int], ended: Sequence[int]) -> None:
        """Take in a step of the rows (shape A) that are still written: the tokens chosen from what, and whose texts
        (by their place in A) it ended."""
        chosen_A = np.array(chosen)
        for aim in self._aims:
            aim.follow(step, logits_AV, rows, chosen_A, ended)

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
        self._tokens_NT = np.tile(target.tokens_NT, (particles, 1))
        self._length_N = np.tile(target.length_N, particles)
        self._end_ids = sorted(end_ids)
        self._open_N = self._length_N > 0
        self._kept_N = self._open_N.astype(np.int64) - 1
        self._margin_N = np.full(len(self._length_N), np.inf)

    def follow(self, step: int, logits_AV: Tensor, rows_A: Ints, chosen_A: Ints, ended: Sequence[int]) -> None:
        open_A = self._open_N[rows_A]
        if not open_A.any():
            return
        token_A, last_A = self._tokens_NT[rows_A, step], self._length_N[rows_A] == step + 1
        will_do_AW = np.stack([token_A, *(np.where(last_A, end, token_A) for end in self._end_ids)], axis=1)
        lead_A = _leads(logits_AV, torch.from_numpy(will_do_AW).to(logits_AV.device))
        keeping_A = (will_do_AW == chosen_A[:, None]).any(axis=1)
        done_A = np.zeros_like(last_A)  # whatever ended it: other stop texts, a longer token that starts with one
        done_A[list(ended)] = last_A[list(ended)]
        self._margin_N[rows_A] = np.fmin(self._margin_N[rows_A], np.where(open_A & ~done_A, lead_A, np.inf))
        self._kept_N[rows_A] += open_A & (keeping_A | done_A)
        self._open_N[rows_A] = open_A & keeping_A & ~last_A

    def reached(self) -> list[tuple[int, float]]:
        """Of each row, how many tokens were kept to, and the margin."""
        return list(zip(self._kept_N.tolist(), self._margin_N.tolist(), strict=True))


def _leads(logits_AV: Tensor, will_do_AW: Tensor) -> NDArray[np.float32]:
    """The logit of the best token that will do, less that of the best that will not."""
    places = torch.arange(len(logits_AV), device=logits_AV.device)[:, None], will_do_AW
    values_AW = logits_AV[places]
    logits_AV.index_put_(places, logits_AV.new_tensor(-torch.inf))  # and back: cheaper than sorting or a copy
    others_A = logits_AV.amax(1)
    logits_AV.index_put_(places, values_AW)
    leads_A: NDArray[np.float32] = (values_AW.amax(1).float() - others_A.float()).cpu().numpy()
    return leads_A
