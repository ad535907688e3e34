"""How continuations are laid out in rows: one row a prompt, its continuations behind it as branches.

A branch sees the prompt and itself, not its siblings, so a prompt is computed once for all of its
continuations. Positions and logits are as if each continuation followed the prompt alone.

Shape suffixes: B rows, T columns, S columns of prefix and row together, M logits that are needed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from swarm.engines.encoding import Encoded
from swarm.engines.transformers.batching import buckets
from swarm.engines.transformers.shared_prefixes import MIN_SAVED, families

KEPT_COLUMNS = 4  # keys and values of so many columns weigh as much as computing one


@dataclass(frozen=True)
class Row:
    """A prompt without its family's prefix, and the continuations that follow it, each with its request's index."""

    prompt: tuple[int, ...]
    branches: tuple[tuple[int, ...], ...]
    indices: tuple[int, ...]

    @property
    def logits(self) -> int:
        return sum(len(branch) for branch in self.branches)

    def __len__(self) -> int:
        # A continuation's last token is only ever predicted, so it is not fed.
        return len(self.prompt) + sum(len(branch) - 1 for branch in self.branches)


@dataclass(frozen=True, eq=False)
class Packing:
    """One batch, right-padded, after a prefix that all rows share (possibly empty).

    branches_BT: the branch of each column, 0 for the prompt; None where plain causal attention does. picks_M: flat
    (row, column) of the hidden state that predicts targets_M, the token of request owner_M.
    """

    prefix: tuple[int, ...]
    ids_BT: Tensor
    positions_BT: Tensor
    branches_BT: Tensor | None
    picks_M: Tensor
    targets_M: Tensor
    owner_M: Tensor
    tokens: int

    def mask(self) -> Tensor | None:
        """Which columns a column sees, shape (B, T, S), bool; made for every pass, as it is large. None: plain."""
        return None if self.branches_BT is None else _mask(self.branches_BT, len(self.prefix))


@dataclass(frozen=True)
class BatchLimits:
    """What a batch may hold: columns, padding included, and logits that are needed.

    share: prompts are computed once. busy: the share of the columns that keeps a device busy; beyond, much shorter rows
    get a batch of their own. window: columns up to which every column sees all before it; what is longer is not shared,
    as the mask is the model's own affair then.
    """

    columns: int
    logits: int
    share: bool = True
    min_saved: int = MIN_SAVED
    busy: float = 0.125
    window: int = 1 << 30

    def row(self, own: int, prefix: int) -> int:
        """What a row counts for: its columns, and the keys and values of the prefix, which it has a copy of."""
        return own + prefix // KEPT_COLUMNS


def packings(requests: Sequence[Encoded], limits: BatchLimits, device: torch.device) -> list[Packing]:
    """Batches that answer all the requests."""
    rows = _rows(range(len(requests)), requests, limits.share)
    long = [i for row in rows if len(row) > limits.window for i in row.indices]
    shared = [row for row in rows if len(row) <= limits.window]
    found = _batches(_rows(long, requests, share=False), replace(limits, share=False), device)
    return [*found, *_batches(shared, limits, device)]


def _batches(rows: Sequence[Row], limits: BatchLimits, device: torch.device) -> list[Packing]:
    found: list[Packing] = []
    for family in families([row.prompt for row in rows], limits.share, limits.min_saved):
        cut = len(family.prefix)
        members = [Row(rows[i].prompt[cut:], rows[i].branches, rows[i].indices) for i in family.members]
        lengths = [limits.row(len(row), cut) for row in members]
        for batch in buckets(lengths, limits.columns, int(limits.columns * limits.busy)):
            for part in _within([members[i] for i in batch], limits.logits):
                found.append(_layout(family.prefix, part, device))
    return found


def _within(rows: Sequence[Row], logits: int) -> Iterator[list[Row]]:
    """The rows in order, cut where they need more logits than a batch may hold."""
    part: list[Row] = []
    for row in rows:
        if part and sum(each.logits for each in (*part, row)) > logits:
            yield part
            part = []
        part.append(row)
    yield part


def _rows(indices: Iterable[int], requests: Sequence[Encoded], share: bool) -> list[Row]:
    """One row a prompt, or one a request, of the requests at these indices."""
    by_prompt: dict[object, list[int]] = {}
    for i in indices:
        by_prompt.setdefault(requests[i].prompt if share else i, []).append(i)
    return [
        Row(requests[group[0]].prompt, tuple(requests[i].continuation for i in group), tuple(group))
        for group in by_prompt.values()
    ]


def _layout(prefix: tuple[int, ...], rows: Sequence[Row], device: torch.device) -> Packing:
    width = max(len(row) for row in rows)
    ids, positions, branch = ([[0] * width for _ in rows] for _ in range(3))
    picks: list[int] = []
    targets: list[int] = []
    owner: list[int] = []
    for b, row in enumerate(rows):
        n = len(row.prompt)
        ids[b][:n] = row.prompt
        positions[b][:n] = range(len(prefix), len(prefix) + n)
        at = n
        for k, (tokens, index) in enumerate(zip(row.branches, row.indices, strict=True), start=1):
            fed = len(tokens) - 1
            ids[b][at : at + fed] = tokens[:-1]
            positions[b][at : at + fed] = range(len(prefix) + n, len(prefix) + n + fed)
            branch[b][at : at + fed] = [k] * fed
            picks += [b * width + t for t in (n - 1, *range(at, at + fed))]
            targets += tokens
            owner += [index] * len(tokens)
            at += fed
    plain = not prefix and all(len(row.branches) == 1 for row in rows)
    return Packing(
        prefix=prefix,
        ids_BT=torch.tensor(ids, device=device),
        positions_BT=torch.tensor(positions, device=device),
        branches_BT=None if plain else torch.tensor(branch, device=device),
        picks_M=torch.tensor(picks, device=device),
        targets_M=torch.tensor(targets, device=device),
        owner_M=torch.tensor(owner, device=device),
        tokens=sum(len(row) for row in rows),
    )


def _mask(branch_BT: Tensor, prefix: int) -> Tensor:
    """Column t sees the prefix, and columns s <= t of the prompt (branch 0) or its own branch. Shape (B, T, S), bool.

    Padding is branch 0 behind everything: nothing real sees it, as it lies to the right.
    """
    rows, width = branch_BT.shape
    own_BTT = (branch_BT[:, :, None] == branch_BT[:, None, :]) | (branch_BT[:, None, :] == 0)
    causal_TT = torch.ones(width, width, dtype=torch.bool, device=branch_BT.device).tril()
    before_BTP = torch.ones(rows, width, prefix, dtype=torch.bool, device=branch_BT.device)
    return torch.cat([before_BTP, own_BTT & causal_TT], dim=2)
