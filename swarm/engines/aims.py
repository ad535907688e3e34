"""How far a greedy text is from its targets: texts that would be right, as tokens.

Written token by token, a text keeps to some of its targets or leaves them all. A step's lead is that of the likeliest
token that keeps to one over the likeliest that keeps to none, in logits; the margin is the least lead up to where the
text ends or has left them: below zero where it did, or went on after its target. It costs a glance at logits that are
there anyway.

Shape suffixes: N rows of a batch, A of them still written, S states, V vocabulary, W tokens that will do.
"""

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of a batch's rows, as tries: a state is what a row's text has of them; state 0 is to have none.

    start_N: each row's first state. will_do_SW: the tokens that keep to a target, and after_SW: the states they lead
    to; where a state has fewer, the first of them stands again. last_S: a target is all there but for what ends it.
    """

    start_N: Ints
    will_do_SW: Ints
    after_SW: Ints
    last_S: NDArray[np.bool_]


def targets_of(rows: Sequence[Sequence[tuple[int, ...]]], end_ids: Set[int]) -> Targets:
    """From the targets of each row. The last token of each is what ends the text, for which any end token will do."""
    trie = _Trie()
    start_N = [trie.add([target for target in targets if target], end_ids) for targets in rows]
    width = max(map(len, trie.after))
    padded = [[*after.items()] + [next(iter(after.items()))] * (width - len(after)) for after in trie.after]
    token_and_after_SW2 = np.array(padded, dtype=np.int64)
    return Targets(
        start_N=np.array(start_N, dtype=np.int64),
        will_do_SW=token_and_after_SW2[..., 0],
        after_SW=token_and_after_SW2[..., 1],
        last_S=np.array([state in trie.last for state in range(len(trie.after))]),
    )


@dataclass
class _Trie:
    """after: of each state, which token leads to which."""

    after: list[dict[int, int]] = field(default_factory=lambda: [{0: 0}])
    last: set[int] = field(default_factory=set)

    def add(self, targets: Sequence[tuple[int, ...]], end_ids: Set[int]) -> int:
        """A new state from which these targets are written; state 0 where there are none."""
        start = self._new() if targets else 0
        for *tokens, ending in targets:
            state = start
            for token in tokens:
                self.after[state][token] = self.after[state].get(token) or self._new()
                state = self.after[state][token]
            self.last.add(state)
            for token in (ending, *end_ids):
                self.after[state].setdefault(token, 0)
        return start

    def _new(self) -> int:
        self.after.append({})
        return len(self.after) - 1


class Aims:
    """The targets of a batch's rows, once for each particle, followed step by step."""

    def __init__(self, targets: Targets, particles: int) -> None:
        self._targets = targets
        self._state_A = np.tile(targets.start_N, particles)
        self._row_A = np.arange(len(self._state_A))
        self._margin_N = np.where(self._state_A > 0, np.inf, np.nan)

    def follow(self, logits_AV: Tensor, chosen: Sequence[int], ended: Sequence[int], cut: Sequence[int] = ()) -> None:
        """Take in a step: of the rows that are still written the tokens chosen from what, and (by their place among
        them) whose texts it ended, and whose were cut by their limit."""
        if self._state_A.any():
            self._step(logits_AV, np.array(chosen)[:, None], ended)
        if ended or cut:
            gone = [*ended, *cut]
            self._row_A, self._state_A = np.delete(self._row_A, gone), np.delete(self._state_A, gone)

    def _step(self, logits_AV: Tensor, chosen_A1: Ints, ended: Sequence[int]) -> None:
        state_A = self._state_A
        will_do_AW = self._targets.will_do_SW[state_A]
        lead_A = np.where(state_A > 0, _leads(logits_AV, will_do_AW), np.nan)
        before_A = self._margin_N[self._row_A]
        for a in ended:
            # Whatever ended a target that was all there: other stop texts, a token that starts with one. An empty
            # target has no lead but that.
            if self._targets.last_S[state_A[a]] and before_A[a] < np.inf:
                lead_A[a] = np.nan
        self._margin_N[self._row_A] = np.fmin(before_A, lead_A)
        self._state_A = np.where(will_do_AW == chosen_A1, self._targets.after_SW[state_A], 0).max(axis=1)

    def margins(self) -> list[float | None]:
        """Of each row; None where it has no target."""
        return [None if math.isnan(margin) else margin for margin in self._margin_N.tolist()]


def _leads(logits_AV: Tensor, will_do_AW: Ints) -> NDArray[np.float32]:
    """The logit of the best token that will do, less that of the best that will not."""
    device = logits_AV.device
    places = torch.arange(len(logits_AV), device=device)[:, None], torch.from_numpy(will_do_AW).to(device)
    values_AW = logits_AV[places]
    # And back: cheaper than sorting or a copy. Not scatter_, which takes its time in bfloat16.
    logits_AV.index_put_(places, logits_AV.new_tensor(-torch.inf))
    others_A = logits_AV.amax(1)
    logits_AV.index_put_(places, values_AW)
    leads_A: NDArray[np.float32] = (values_AW.amax(1).float() - others_A.float()).cpu().numpy()
    return leads_A
