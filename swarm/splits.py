"""Deals examples into search, select and test, so that no split sees another's.

A pool is one file's examples and the splits that it feeds. A JSON-lines file feeds all three; of a Model Swarms file
(.json) `dev` feeds search and select, `test` feeds test; a file named for one split feeds that one.
Counts: `auto` of a pool that feeds all is min(200, a quarter) for search and select, and the rest for test; of any
other pool, an equal part of what the counts leave. `rest` is what is left.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import get_args

from pydantic import Field, field_validator

from swarm.data import read_dev_test, read_examples
from swarm.duplicates import content_key, question_key, similar_pairs
from swarm.errors import ConfigError, DataError
from swarm.settings import Settings
from swarm.types import Example, Split

SPLITS: tuple[Split, ...] = get_args(Split)
AUTO_AT_MOST = 200


class SplitSettings(Settings):
    """How many examples each split has: a count, `auto`, `rest`, or a file of its own."""

    search: int | str = Field("auto", description="examples that score every candidate: a count, auto, rest or a file")
    select: int | str = Field("auto", description="fresh examples that choose among the finalists")
    test: int | str = Field("rest", description="examples that only the result is measured on")

    @field_validator("search", "select", "test", mode="before")
    @classmethod
    def _count_or_name(cls, value: object) -> object:
        if isinstance(value, bool) or not (isinstance(value, int) and value >= 1 or isinstance(value, str) and value):
            raise ValueError(f"{value!r} is none of: a count of at least 1, auto, rest, a file")
        return value

    def of(self, split: Split) -> int | str:
        value: int | str = getattr(self, split)
        return value

    def file_of(self, split: Split) -> str | None:
        value = self.of(split)
        return value if isinstance(value, str) and value not in ("auto", "rest") else None


@dataclass(frozen=True)
class Splits:
    """One objective's examples, and what the user should know about them."""

    search: tuple[Example, ...]
    select: tuple[Example, ...]
    test: tuple[Example, ...]
    notes: tuple[str, ...] = ()

    def of(self, split: Split) -> tuple[Example, ...]:
        value: tuple[Example, ...] = getattr(self, split)
        return value


@dataclass(frozen=True)
class NearDuplicate:
    """Two examples of two splits that are nearly the same. `similarity` is the Jaccard index of word 3-grams."""

    first: str
    first_split: Split
    second: str
    second_split: Split
    similarity: float


@dataclass(frozen=True)
class _Pool:
    origin: str
    examples: Sequence[Example]
    feeds: tuple[Split, ...]


def make_splits(
    objective_name: str,
    data: str | Mapping[str, str] | None,
    settings: SplitSettings,
    seed: int,
    resolve: Callable[[str], Path],
) -> Splits:
    """The splits of one objective; they depend on the seed and the examples, not on the order of lines.

    Raises ConfigError where the counts cannot be had, DataError where a file is wrong or two splits overlap.
    """
    files = _files(objective_name, data, settings)
    pools = [_Pool(name, _read_lines(resolve(name)), (split,)) for split, name in files.items()]
    fed = tuple(split for split in SPLITS if split not in files)
    notes: list[str] = []
    if isinstance(data, str) and fed:
        pools += _shared_pools(data, resolve(data), fed, notes)
    elif isinstance(data, str):
        raise ConfigError(f"objectives.{objective_name}.data: {data} feeds no split, as each has its file; remove one")
    elif fed:
        raise ConfigError(
            f"objectives.{objective_name}.data: no examples for {' and '.join(fed)}; give a file for all, or one a split"
        )
    dealt = {split: part for pool in pools for split, part in _deal(pool, settings, seed).items()}
    _refuse_overlap(dealt, {split: pool.origin for pool in pools for split in pool.feeds})
    splits = Splits(dealt["search"], dealt["select"], dealt["test"])
    return replace(splits, notes=(*notes, *_near_duplicate_notes(near_duplicates(splits))))


def near_duplicates(splits: Splits) -> list[NearDuplicate]:
    """Examples of different splits that are nearly the same; exact repeats with another answer are among them."""
    return [
        NearDuplicate(left[pair.left].id, one, right[pair.right].id, other, pair.similarity)
        for one, other in combinations(SPLITS, 2)
        for left, right in [(splits.of(one), splits.of(other))]
        for pair in similar_pairs(left, right)
    ]


def _files(objective: str, data: str | Mapping[str, str] | None, settings: SplitSettings) -> dict[Split, str]:
    """The splits that have a file of their own, from the objective's data or from the split settings."""
    own = data if isinstance(data, Mapping) else {}
    unknown = [key for key in own if key not in SPLITS]
    if unknown:
        raise ConfigError(f"objectives.{objective}.data: {unknown[0]!r} is no split; the keys are {', '.join(SPLITS)}")
    files: dict[Split, str] = {}
    for split in SPLITS:
        common = settings.file_of(split)
        if common is not None and split in own:
            raise ConfigError(
                f"splits.{split}: {common}, but objectives.{objective}.data.{split} is {own[split]}; remove one of them"
            )
        name = own.get(split, common)
        if name is not None:
            files[split] = name
    return files


def _read_lines(path: Path) -> list[Example]:
    if path.suffix == ".json":
        raise DataError(f"{path}: a .json file has both dev and test; one split's file is JSON lines (.jsonl)")
    return read_examples(path)


def _shared_pools(name: str, path: Path, fed: tuple[Split, ...], notes: list[str]) -> list[_Pool]:
    """The pools of a file that feeds several splits, without repeats; says in `notes` how many were dropped."""
    if path.suffix != ".json":
        return [_Pool(name, _without_repeats(read_examples(path), name, notes), fed)]
    both = read_dev_test(path)
    tested = {question_key(example) for example in both.test} if "test" in fed else set()
    dev = [example for example in both.dev if question_key(example) not in tested]
    if len(dev) < len(both.dev):
        notes.append(f"{len(both.dev) - len(dev)} examples of dev that are in test too were dropped from dev ({name})")
    dev_fed = tuple(split for split in fed if split != "test")
    pools = [_Pool(f"dev of {name}", _without_repeats(dev, f"dev of {name}", notes), dev_fed)] if dev_fed else []
    return [*pools, _Pool(f"test of {name}", both.test, ("test",))] if "test" in fed else pools


def _without_repeats(examples: Iterable[Example], origin: str, notes: list[str]) -> list[Example]:
    kept: dict[str, Example] = {}
    total = 0
    for total, example in enumerate(examples, 1):  # noqa: B007 - the count is wanted after the loop
        kept.setdefault(content_key(example), example)
    if len(kept) < total:
        notes.append(f"{total - len(kept)} exact duplicates dropped from {origin}")
    return list(kept.values())
