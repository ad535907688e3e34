"""How continuations are packed into rows: one row per prompt, with its continuations behind it, under tree attention.

The prompt is the root of a tree and each continuation is a node below it. A continuation attends to the prompt and to
itself, not to its siblings, so a prompt is computed once for all of its continuations. Positions and logits are the
same as if each continuation followed the prompt alone.

Shape suffixes: B rows, T columns, P columns of the shared prefix, S columns of prefix and row together, M logits that
are needed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from swarm.engines.encoding import Encoded
from swarm.engines.transformers.shared_prefixes import MIN_SAVED, prefix_groups

# Logits that one batch may hold, by device. This bounds memory: 256 MiB in float32 on a CPU, 1 GiB on an accelerator.
# The CPU value is part of the memory forecast.
MOST_LOGITS = {"cpu": 1 << 26, "cuda": 1 << 28}
# Each row has its own copy of the prefix's keys and values. So many of those columns count as one computed column, so
# that rows behind a long prefix cannot take unbounded memory. The weight is an estimate, not a measurement.
KEPT_COLUMNS = 4
# Rows shorter than this share of the batch's longest row start a new batch once the device is busy. With BUSY below,
# rows of 30 to 150 tokens were scored 1.57 to 1.68 times as fast (docs/benchmarks.md, optimisations).
NARROWER = 0.9
UNLIMITED = 1 << 30
# How texts are generated: with the keys and values of padded rows, with the state that the model itself returns for
# rows of one length, or with a pass over the whole text for every token.
Decode = Literal["cache", "state", "recompute"]
BUSY = 0.125  # of engine.batch_tokens: about a thousand columns by default, which keep a device busy


@dataclass(frozen=True)
class PackedRow:
    """A prompt and the continuations that follow it.

    prompt: its tokens, without the prefix that its batch shares.
    continuations: their tokens, in order.
    indices: the index of each continuation's request.
    """

    prompt: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]
    indices: tuple[int, ...]

    @property
    def logits(self) -> int:
        """Positions whose logits are needed: one per token of a continuation."""
        return sum(len(tokens) for tokens in self.continuations)

    def __len__(self) -> int:
        # A continuation's last token is only predicted, so it is not fed.
        return len(self.prompt) + sum(len(tokens) - 1 for tokens in self.continuations)


@dataclass(frozen=True, eq=False)
class Packing:
    """One batch of rows, right-padded.

    prefix: tokens that precede every row (possibly none); their keys and values come from a cache.
    ids_BT: token ids.
    positions_BT: the position of each column in its own sequence, counted from the start of the prefix.
    nodes_BT: the tree node of each column: 0 for the prompt, k for its k-th continuation. None where plain causal
        attention does the same.
    picks_M: flat indices (row * T + column) of the hidden states that predict targets_M.
    targets_M: the token that is predicted there.
    owner_M: the index of the request that the token belongs to.
    tokens: columns without padding.
    bare: the model gets the tokens alone, in rows of one length; it derives positions and masks itself.
    """

    prefix: tuple[int, ...]
    ids_BT: Tensor
    positions_BT: Tensor
    nodes_BT: Tensor | None
    picks_M: Tensor
    targets_M: Tensor
    owner_M: Tensor
    tokens: int
    bare: bool = False

    def mask(self) -> Tensor | None:
        """Which columns each column attends to, shape (B, T, S), bool; None for plain causal attention.

        It is large, so it is made anew for every pass.
        """
        return None if self.nodes_BT is None else _mask(self.nodes_BT, len(self.prefix))


@dataclass(frozen=True)
class BatchLimits:
    """What a batch may hold.

    columns: rows times the longest row, padding included.
    logits: positions whose logits are needed.
    share: whether continuations of one prompt share a row, and prompts share prefixes.
    min_saved: tokens that a shared prefix has to save.
    busy: the share of `columns` that keeps a device busy; beyond it, much shorter rows start a new batch.
    window: the longest row, in columns, in which every column attends to all before it. Longer rows are not shared:
        the model's own mask applies to them.
    equal: whether all rows of a batch have the same length and the model gets the tokens alone. Layers with a state
        read padding as if it were text.
    decode: how texts are generated (decoding.py).
    turn: the longest sequence, in tokens, under the rotary frequencies of short ones. The longest sequence of a batch
        decides about all of its rows, so longer ones have batches of their own.
    """

    columns: int
    logits: int
    share: bool = True
    min_saved: int = MIN_SAVED
    busy: float = BUSY
    window: int = UNLIMITED
    equal: bool = False
    decode: Decode = "cache"
    turn: int = UNLIMITED

    def weight(self, own: int, prefix: int) -> int:
        """What a row of `own` columns counts for, its copy of the prefix's keys and values included."""
        return own + prefix // KEPT_COLUMNS


def packings(requests: Sequence[Encoded], limits: BatchLimits, device: torch.device) -> list[Packing]:
    """Batches that score the continuations of all requests."""
    turned = [i for i, item in enumerate(requests) if len(item) - 1 > limits.turn]
    others = sorted({*range(len(requests))}.difference(turned))
    rows = rows_of(others, requests, limits.share)
    long = [i for row in rows if len(row) > limits.window for i in row.indices]
    shared = [row for row in rows if len(row) <= limits.window]
    found = _batches(rows_of(turned, requests, share=False), replace(limits, share=False, equal=True), device)
    found += _batches(rows_of(long, requests, share=False), replace(limits, share=False), device)
    return [*found, *_batches(shared, limits, device)]


def buckets(lengths: Sequence[int], budget: int, least: int | None = None) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first; rows times the longest row stay within the budget.

    A batch of `least` columns or more is not filled up with rows that are much shorter than its longest.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batch: list[int] = []
    for i in order:
        longest = lengths[batch[0]] if batch else 0
        large = len(batch) * longest >= (budget if least is None else least)
        if batch and ((len(batch) + 1) * longest > budget or (large and lengths[i] < NARROWER * longest)):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def equal_buckets(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices in batches of one length each, longest first; rows times their length stay within the budget."""
    by_length: dict[int, list[int]] = {}
    for i, length in enumerate(lengths):
        by_length.setdefault(length, []).append(i)
    for length in sorted(by_length, reverse=True):
        rows = max(1, budget // max(1, length))
        for start in range(0, len(by_length[length]), rows):
            yield by_length[length][start : start + rows]


def _batches(rows: Sequence[PackedRow], limits: BatchLimits, device: torch.device) -> list[Packing]:
    found: list[Packing] = []
    if limits.equal:
        for batch in equal_buckets([len(row) for row in rows], limits.columns):
            for part in split_by_logits([rows[i] for i in batch], limits.logits):
                found.append(replace(pack((), part, device), bare=True))
        return found
    for group in prefix_groups([row.prompt for row in rows], limits.share, limits.min_saved):
        cut = len(group.prefix)
        members = [PackedRow(rows[i].prompt[cut:], rows[i].continuations, rows[i].indices) for i in group.members]
        weights = [limits.weight(len(row), cut) for row in members]
        for batch in buckets(weights, limits.columns, int(limits.columns * limits.busy)):
            for part in split_by_logits([members[i] for i in batch], limits.logits):
                found.append(pack(group.prefix, part, device))
    return found


def split_by_logits(rows: Sequence[PackedRow], logits: int) -> Iterator[list[PackedRow]]:
    """The rows in order, split where they need more logits than a batch may hold."""
    part: list[PackedRow] = []
    for row in rows:
        if part and sum(each.logits for each in (*part, row)) > logits:
            yield part
            part = []
        part.append(row)
    yield part


def rows_of(indices: Iterable[int], requests: Sequence[Encoded], share: bool) -> list[PackedRow]:
    """One row per prompt, or one per request where nothing is shared, of the requests at these indices."""
    by_prompt: dict[object, list[int]] = {}
    for i in indices:
        by_prompt.setdefault(requests[i].prompt if share else i, []).append(i)
    return [
        PackedRow(requests[group[0]].prompt, tuple(requests[i].continuation for i in group), tuple(group))
        for group in by_prompt.values()
    ]


def pack(prefix: tuple[int, ...], rows: Sequence[PackedRow], device: torch.device) -> Packing:
    """One batch of these rows, behind a shared prefix."""
    width = max(len(row) for row in rows)
    ids, positions, nodes = ([[0] * width for _ in rows] for _ in range(3))
    picks: list[int] = []
    targets: list[int] = []
    owner: list[int] = []
    for b, row in enumerate(rows):
        n = len(row.prompt)
        ids[b][:n] = row.prompt
        positions[b][:n] = range(len(prefix), len(prefix) + n)
        at = n
        for node, (tokens, index) in enumerate(zip(row.continuations, row.indices, strict=True), start=1):
            fed = len(tokens) - 1
            ids[b][at : at + fed] = tokens[:-1]
            positions[b][at : at + fed] = range(len(prefix) + n, len(prefix) + n + fed)
            nodes[b][at : at + fed] = [node] * fed
            picks += [b * width + t for t in (n - 1, *range(at, at + fed))]
            targets += tokens
            owner += [index] * len(tokens)
            at += fed
    plain = not prefix and all(len(row.continuations) == 1 for row in rows)
    return Packing(
        prefix=prefix,
        ids_BT=torch.tensor(ids, device=device),
        positions_BT=torch.tensor(positions, device=device),
        nodes_BT=None if plain else torch.tensor(nodes, device=device),
        picks_M=torch.tensor(picks, device=device),
        targets_M=torch.tensor(targets, device=device),
        owner_M=torch.tensor(owner, device=device),
        tokens=sum(len(row) for row in rows),
    )


def _mask(nodes_BT: Tensor, prefix: int) -> Tensor:
    """Column t attends to the prefix, and to columns s <= t of the prompt (node 0) and of its own node.

    Padding has node 0 and lies to the right of everything else, so no real column attends to it. Shape (B, T, S), bool.
    """
    rows, width = nodes_BT.shape
    own_BTT = (nodes_BT[:, :, None] == nodes_BT[:, None, :]) | (nodes_BT[:, None, :] == 0)
    causal_TT = torch.ones(width, width, dtype=torch.bool, device=nodes_BT.device).tril()
    before_BTP = torch.ones(rows, width, prefix, dtype=torch.bool, device=nodes_BT.device)
    return torch.cat([before_BTP, own_BTT & causal_TT], dim=2)
