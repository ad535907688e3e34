"""How far a greedy text is from its targets: texts that would be right, as tokens.

Written token by token, a text keeps to some of its targets or leaves them all. A step's lead is that of the likeliest
token that keeps to one over the likeliest that keeps to none, in logits; the margin is the least lead up to where the
text ends or has left them: below zero where it did, or went on after its target. It costs a glance at logits that are
there anyway: on the way those that may count are set aside; what they say is read off when the texts are done.

Shape suffixes: N rows of a batch, A of them still written, T steps, S states, V vocabulary, W tokens that may count.
"""

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of a batch's rows, as tries: a state is what a row's text has of them; state 0 is to have none.

    tokens_TNW: the tokens that keep to a target in any of a row's states at a step; where there are fewer, the first
    stands again. start_N: each row's first state. keeps_SW, after_SW: which of those tokens keep to a target in a
    state, and the states they lead to. last_S: a target is all there but for what ends it.
    """

    tokens_TNW: Ints
    start_N: Ints
    keeps_SW: Bools
    after_SW: Ints
    last_S: Bools


def targets_of(rows: Sequence[Sequence[tuple[int, ...]]], end_ids: Set[int]) -> Targets:
    """From the targets of each row. The last token of each is what ends the text, for which any end token will do."""
    trie = _Trie()
    start_N = [trie.add(row, [target for target in targets if target], end_ids) for row, targets in enumerate(rows)]
    tokens = trie.tokens()
    steps, width = max((step + 1 for _, step in tokens), default=0), max(map(len, tokens.values()), default=1)
    tokens = {place: [*found, *found[:1] * (width - len(found))] for place, found in tokens.items()}
    nothing = [0] * width
    columns_SW = [tokens.get(place, nothing) for place in trie.places]
    keeps_SW = [[token in after for token in found] for after, found in zip(trie.after, columns_SW, strict=True)]
    after_SW = [[after.get(token, 0) for token in found] for after, found in zip(trie.after, columns_SW, strict=True)]
    in_order = [[tokens.get((row, step), nothing) for row in range(len(rows))] for step in range(steps)]
    return Targets(
        tokens_TNW=np.array(in_order, dtype=np.int64).reshape(steps, len(rows), width),
        start_N=np.array(start_N, dtype=np.int64),
        keeps_SW=np.array(keeps_SW),
        after_SW=np.array(after_SW, dtype=np.int64),
        last_S=np.array([state in trie.last for state in range(len(trie.after))]),
    )


@dataclass
class _Trie:
    """Of each state: places, the row and step at which a text is in it; after, which token leads to which state."""

    places: list[tuple[int, int]] = field(default_factory=lambda: [(-1, -1)])
    after: list[dict[int, int]] = field(default_factory=lambda: [{}])
    last: set[int] = field(default_factory=set)

    def add(self, row: int, targets: Sequence[tuple[int, ...]], end_ids: Set[int]) -> int:
        """A new state from which these targets are written; state 0 where there are none."""
        start = self._new(row, 0) if targets else 0
        for *tokens, ending in targets:
            state = start
            for step, token in enumerate(tokens):
                self.after[state][token] = self.after[state].get(token) or self._new(row, step + 1)
                state = self.after[state][token]
            self.last.add(state)
            for token in (ending, *end_ids):
                self.after[state].setdefault(token, 0)
        return start

    def tokens(self) -> dict[tuple[int, int], list[int]]:
        """By row and step, the tokens that lead on from any state there."""
        found: dict[tuple[int, int], dict[int, None]] = {}
        for place, after in zip(self.places[1:], self.after[1:], strict=True):
            found.setdefault(place, {}).update(dict.fromkeys(after))
        return {place: list(tokens) for place, tokens in found.items()}

    def _new(self, row: int, step: int) -> int:
        self.places.append((row, step))
        self.after.append({})
        return len(self.after) - 1


@dataclass(frozen=True, eq=False)
class _Step:
    """What was set aside: of the rows then written the tokens chosen, the places of those that ended, logits of the
    tokens that may count, and the largest of all others."""

    row_A: Ints
    chosen: Sequence[int]
    ended: Sequence[int]
    values_AW: Tensor
    others_A: Tensor


class AnswerMargins:
    """The targets of a batch's rows, once for each particle, followed step by step."""

    def __init__(self, targets: Targets, particles: int, device: torch.device) -> None:
        self._targets = targets
        self._tokens_TNW = torch.from_numpy(targets.tokens_TNW).to(device).repeat(1, particles, 1)
        self._start_N = np.tile(targets.start_N, particles)
        self._row_A = np.arange(len(self._start_N))
        self._steps: list[_Step] = []

    def follow(self, logits_AV: Tensor, chosen: Sequence[int], ended: Sequence[int], cut: Sequence[int] = ()) -> None:
        """Take in a step: of the rows that are still written the tokens chosen from what, and (by their place among
        them) whose texts it ended, and whose were cut by their limit. The logits are used up."""
        if len(self._steps) < len(self._tokens_TNW):
            tokens_AW = self._tokens_TNW[len(self._steps)]
            if len(self._row_A) < len(tokens_AW):
                tokens_AW = tokens_AW[torch.from_numpy(self._row_A).to(tokens_AW.device)]
            self._steps.append(_Step(self._row_A, chosen, ended, *_split(logits_AV, tokens_AW)))
        if ended or cut:
            self._row_A = np.delete(self._row_A, [*ended, *cut])

    def margins(self) -> list[float | None]:
        """Of each row; None where it has no target."""
        state_N = self._start_N.copy()
        margin_N = np.where(state_N > 0, np.inf, np.nan)
        for step, tokens_NW in zip(self._steps, self._tokens_TNW.cpu().numpy(), strict=False):
            row_A, state_A = step.row_A, state_N[step.row_A]
            margin_N[row_A] = np.fmin(margin_N[row_A], self._leads(step, state_A, margin_N[row_A]))
            on_AW = self._targets.keeps_SW[state_A] & (tokens_NW[row_A] == np.array(step.chosen)[:, None])
            state_N[row_A] = np.where(on_AW, self._targets.after_SW[state_A], 0).max(axis=1)
        return [None if math.isnan(margin) else margin for margin in margin_N.tolist()]

    def _leads(self, step: _Step, state_A: Ints, before_A: Floats) -> Floats:
        """How far the best token that keeps to a target led over the best that does not; nan where it says nothing."""
        keeps_AW, values_AW = self._targets.keeps_SW[state_A], step.values_AW.float().cpu().numpy()
        best_A = np.where(keeps_AW, values_AW, -np.inf).max(axis=1)
        rival_A = np.maximum(np.where(keeps_AW, -np.inf, values_AW).max(axis=1), step.others_A.float().cpu().numpy())
        lead_A = np.full(len(state_A), np.nan)
        np.subtract(best_A, rival_A, out=lead_A, where=state_A > 0)
        for a in step.ended:
            # Whatever ended a target that was all there: other stop texts, a token that starts with one. An empty
            # target has no lead but that.
            if self._targets.last_S[state_A[a]] and before_A[a] < np.inf:
                lead_A[a] = np.nan
        return lead_A


def _split(logits_AV: Tensor, tokens_AW: Tensor) -> tuple[Tensor, Tensor]:
    """The logits of these tokens (AW), and the largest of all others (A)."""
    places = torch.arange(len(logits_AV), device=logits_AV.device)[:, None], tokens_AW
    values_AW = logits_AV[places]
    # Cheaper than sorting or a copy. Not scatter_, which takes its time in bfloat16.
    logits_AV.index_put_(places, logits_AV.new_tensor(-torch.inf))
    return values_AW, logits_AV.amax(1)
