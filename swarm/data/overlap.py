"""Deals pools of examples to splits, so that no example is in two of them.

Two examples overlap where they ask the same (`prompt_key`). One pool's splits never overlap. Where those of different
pools do, all overlaps are refused at once, or dropped: an example stays in the most precious split that has it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, zip_longest
from typing import Literal

from swarm.core.errors import ConfigError, DataError
from swarm.core.examples import Example, Split
from swarm.data.duplicates import prompt_key
from swarm.data.stratified import ExamplePool, stratified_split

Overlap = Literal["error", "drop"]
Counts = Mapping[Split, int | str]
# What is claimed rests on test, which should stay the whole set that its authors made. Select must be fresh to the
# finalists. A search can do with fewer examples.
PRECIOUS: tuple[Split, ...] = ("test", "select", "search")
SHOWN = 3  # overlaps in a message


@dataclass(frozen=True)
class Part:
    """What one split gets.

    pool: what it was dealt from.
    """

    split: Split
    pool: ExamplePool
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Twins:
    """An example of one split that asks the same as one of a more precious split."""

    lost: Split
    loser: Example
    kept: Split
    keeper: Example

    def __str__(self) -> str:
        return f"{self.loser.named} in {self.lost} and {self.keeper.named} in {self.kept}"


def deal(
    pools: Sequence[ExamplePool], wanted: Counts, seed: int, overlap: Overlap, notes: list[str]
) -> dict[Split, tuple[Example, ...]]:
    """The examples of every split; `notes` get how many were dropped.

    Raises DataError where splits overlap and `overlap` is "error", ConfigError where too few examples are left.
    """
    parts = {part.split: part for pool in pools for part in _parts(pool, wanted, seed)}
    if found := _overlaps(parts):
        if overlap == "error":
            raise DataError(_refusal(found, pools, wanted, seed))
        parts = _deal_apart(pools, wanted, seed, notes)
    return {split: part.examples for split, part in parts.items()}


def _parts(pool: ExamplePool, wanted: Counts, seed: int) -> list[Part]:
    return [Part(split, pool, part) for split, part in stratified_split(pool, wanted, seed).items()]


def _overlaps(parts: Mapping[Split, Part]) -> list[Twins]:
    """Every example of a split that a more precious split of another pool has too, in the order of its file."""
    found = []
    for kept, lost in combinations([parts[split] for split in PRECIOUS], 2):
        if kept.pool is lost.pool:
            continue
        keepers = {prompt_key(example): example for example in kept.examples}
        dealt = {example.id for example in lost.examples}
        listed = [example for example in lost.pool.examples if example.id in dealt]
        twins = [(example, keepers.get(prompt_key(example))) for example in listed]
        found += [Twins(lost.split, example, kept.split, twin) for example, twin in twins if twin]
    return found


def _deal_apart(pools: Sequence[ExamplePool], wanted: Counts, seed: int, notes: list[str]) -> dict[Split, Part]:
    """The parts without overlaps. A pool is freed of them before it is dealt, so that it fills its counts if it can."""
    parts: dict[Split, Part] = {}
    for pool in sorted(pools, key=_rank):
        above = [part for part in parts.values() if PRECIOUS.index(part.split) < _rank(pool)]
        left = _without(pool.examples, above, pool.source, notes)
        freed = replace(pool, examples=left, source=_named(pool, len(pool.examples) - len(left)))
        parts |= {part.split: part for part in _parts(freed, wanted, seed)}
    for split in PRECIOUS[1:]:  # a pool for both search and test may still overlap with the file of select
        part = parts[split]
        above = [parts[other] for other in PRECIOUS[: PRECIOUS.index(split)] if parts[other].pool is not part.pool]
        left = _without(part.examples, above, split, notes)
        if not left:
            raise ConfigError(f"splits.{split}: every example is in another split too; give it examples of its own")
        parts[split] = replace(part, examples=tuple(left))
    return parts


def _rank(pool: ExamplePool) -> int:
    return min(PRECIOUS.index(split) for split in pool.feeds)


def _named(pool: ExamplePool, n_dropped: int) -> str:
    return f"{pool.source} without the {n_dropped} that are in other splits too" if n_dropped else pool.source


def _without(examples: Sequence[Example], above: Sequence[Part], owner: str, notes: list[str]) -> list[Example]:
    """The examples that none of the parts has."""
    where = {prompt_key(example): part.split for part in reversed(above) for example in part.examples}
    dropped = Counter(where[key] for example in examples if (key := prompt_key(example)) in where)
    for split, n in dropped.items():
        notes.append(f"{n} examples of {owner} that are in {split} too were dropped (splits.overlap: drop)")
    return [example for example in examples if prompt_key(example) not in where]


def _shared(lost: Split, kept: Split, n: int) -> str:
    return f"{lost} and {kept} share {n} example{'s' * (n > 1)}"


def _refusal(found: Sequence[Twins], pools: Sequence[ExamplePool], wanted: Counts, seed: int) -> str:
    """One line with all overlaps counted, the first of every pair of splits shown, and what `drop` would leave."""
    pairs: dict[tuple[Split, Split], list[Twins]] = {}
    for twins in found:
        pairs.setdefault((twins.lost, twins.kept), []).append(twins)
    counted = ", ".join(_shared(lost, kept, len(each)) for (lost, kept), each in pairs.items())
    in_turn = [twins for each in chain(zip_longest(*pairs.values())) for twins in each if twins]
    shown = [str(twins) for twins in in_turn[:SHOWN]] + (["..."] if len(found) > SHOWN else [])
    them = "them" if len(found) > 1 else "it"
    refused = f"splits: {counted}: {'; '.join(shown)}; remove {them} from one of the files"
    try:
        parts = _deal_apart(pools, wanted, seed, [])
    except ConfigError as error:
        return f"{refused} (splits.overlap: drop leaves too few: {error})"
    left = ", ".join(f"{split} {len(parts[split].examples)}" for split in reversed(PRECIOUS))
    return f"{refused}, or set splits.overlap: drop, which keeps {them} in test, else in select, and leaves {left}"
