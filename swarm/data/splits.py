"""Splits every objective's examples into search, select and test, without overlap.

A pool holds the examples of one file and the splits that they are for. A file of one list is for all three. In a Model
Swarms file (.json) `dev` is for search and select, `test` for test. A file that is named for one split is for that one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import get_args

from pydantic import Field, field_validator

from swarm.core.errors import ConfigError
from swarm.core.examples import Example, Split
from swarm.core.settings import Settings
from swarm.data.duplicates import content_key, prompt_key, similar_pairs
from swarm.data.examples import DevTest, read_data, read_examples
from swarm.data.overlap import Overlap, deal
from swarm.data.solved_examples import shown_in_front, shown_notes
from swarm.data.stratified import ExamplePool

SPLITS: tuple[Split, ...] = get_args(Split)


class SplitSettings(Settings):
    """How many examples each split has: a count, `auto`, `rest`, or a file of its own.

    `auto` in a pool that is for test too: min(200, a quarter) for search and for select, the rest for test. In any
    other pool: an equal part of what the counts leave. `rest`: what is left.
    """

    search: int | str = Field(
        "auto", description="examples that every candidate is scored on: a count, auto, rest or a file"
    )
    select: int | str = Field("auto", description="fresh examples that choose among the finalists")
    test: int | str = Field("rest", description="examples that only the result is measured on, once")
    overlap: Overlap = Field(
        "error",
        description="examples that are in the files of two splits: error, or drop them from one: test keeps them, then "
        "select",
    )

    @field_validator("search", "select", "test", mode="before")
    @classmethod
    def _count_or_name(cls, value: object) -> object:
        count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if not count and not (isinstance(value, str) and value.strip()):
            raise ValueError("must be a count of at least 1, auto, rest or a file")
        return value

    def of(self, split: Split) -> int | str:
        value: int | str = getattr(self, split)
        return value

    def file_of(self, split: Split) -> str | None:
        value = self.of(split)
        return value if isinstance(value, str) and value not in ("auto", "rest") else None


@dataclass(frozen=True)
class Splits:
    """The examples of one objective. notes: what the user should know about them."""

    search: tuple[Example, ...]
    select: tuple[Example, ...]
    test: tuple[Example, ...]
    notes: tuple[str, ...] = ()

    def of(self, split: Split) -> tuple[Example, ...]:
        value: tuple[Example, ...] = getattr(self, split)
        return value


@dataclass(frozen=True)
class NearDuplicate:
    """Two examples of different splits that are nearly the same.

    first, second: ids.
    similarity: Jaccard index of word 3-grams.
    """

    first: str
    first_split: Split
    second: str
    second_split: Split
    similarity: float


def make_splits(
    objective_name: str,
    data: str | Mapping[str, str] | None,
    settings: SplitSettings,
    seed: int,
    resolve: Callable[[str], Path],
    given: Sequence[Example] | None = None,
    needs_answer: bool = True,
    only_tasks: Sequence[str] = (),
) -> Splits:
    """The splits of one objective. They depend on the seed and the examples, not on the order of the lines.

    resolve: the path of a file that the config names. given: examples that are read from no file. needs_answer: whether
    an example without an answer is refused.
    only_tasks: the examples of these tasks, once all are dealt: so objectives over one file never have an example of
    one's search split in another's test split.
    Raises ConfigError where there are too few examples, DataError where a file is wrong or two splits overlap.
    """
    files = _files(objective_name, data, settings)
    if given is not None and files:
        split, file = next(iter(files.items()))
        raise ConfigError(
            f"splits.{split}: {file}, but {objective_name} brings its own examples; give a count, auto or rest"
        )
    wanted = {split: settings.of(split) if settings.file_of(split) is None else "auto" for split in SPLITS}
    pools = [ExamplePool(name, read_examples(resolve(name), needs_answer), (split,)) for split, name in files.items()]
    notes: list[str] = []
    shared = None if given is not None else _shared_file(objective_name, data, files)
    if given is not None:
        pools.append(ExamplePool(objective_name, _without_repeats(given, objective_name, notes), SPLITS))
    if shared is not None:
        fed = tuple(split for split in SPLITS if split not in files)
        pools += _shared_pools(shared, read_data(resolve(shared), needs_answer), fed, notes)
    by_split = _of_tasks(only_tasks, deal(pools, wanted, seed, settings.overlap, notes), objective_name)
    splits = Splits(by_split["search"], by_split["select"], by_split["test"])
    shown = shown_in_front(splits.test, [*splits.search, *splits.select, *splits.test])
    return replace(splits, notes=(*notes, *_near_duplicate_notes(near_duplicates(splits)), *shown_notes(shown)))


def _of_tasks(
    tasks: Sequence[str], dealt: Mapping[Split, tuple[Example, ...]], objective: str
) -> Mapping[Split, tuple[Example, ...]]:
    """The examples of these tasks; all where none is named. Raises ConfigError for a task that a split has none of."""
    known = sorted({example.task for examples in dealt.values() for example in examples})
    for task in tasks:
        for split, examples in dealt.items():
            if not any(example.task == task for example in examples):
                raise ConfigError(
                    f"objectives.{objective}.only_tasks: {task!r} has no example in the {split} split; the tasks of "
                    f"its data are {', '.join(map(repr, known[:8]))}{' and more' if len(known) > 8 else ''}"
                )
    if not tasks:
        return dealt
    return {split: tuple(e for e in examples if e.task in tasks) for split, examples in dealt.items()}


def near_duplicates(splits: Splits) -> list[NearDuplicate]:
    """Examples of different splits that are nearly the same, including exact repeats with another answer."""
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
        raise ConfigError(f"objectives.{objective}.data: {unknown[0]!r} is not a split; use {', '.join(SPLITS)}")
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


def _shared_file(objective: str, data: str | Mapping[str, str] | None, files: Mapping[Split, str]) -> str | None:
    """The file for the splits that have none of their own."""
    without = [split for split in SPLITS if split not in files]
    if isinstance(data, str) and not without:
        raise ConfigError(
            f"objectives.{objective}.data: {data} is not used, as every split has its own file; remove it"
        )
    if without and not isinstance(data, str):
        raise ConfigError(
            f"objectives.{objective}.data: none for {', '.join(without)}; give one file, or one per split"
        )
    return data if isinstance(data, str) else None


def _shared_pools(
    name: str, both: list[Example] | DevTest, fed: tuple[Split, ...], notes: list[str]
) -> list[ExamplePool]:
    """The pools of a file that is for several splits, without repeats; `notes` get how many were dropped."""
    if not isinstance(both, DevTest):
        return [ExamplePool(name, _without_repeats(both, name, notes), fed)]
    tested = {prompt_key(example) for example in both.test} if "test" in fed else set()
    dev = [example for example in both.dev if prompt_key(example) not in tested]
    if len(dev) < len(both.dev):
        notes.append(f"{len(both.dev) - len(dev)} examples of dev that are in test too were dropped from dev ({name})")
    dev_fed = tuple(split for split in fed if split != "test")
    pools = [ExamplePool(f"dev of {name}", _without_repeats(dev, f"dev of {name}", notes), dev_fed)] if dev_fed else []
    return [*pools, ExamplePool(f"test of {name}", both.test, ("test",))] if "test" in fed else pools


def _without_repeats(examples: Iterable[Example], source: str, notes: list[str]) -> list[Example]:
    """One example of each content: the one whose id comes first."""
    listed = sorted(examples, key=lambda example: example.id)
    kept: dict[str, Example] = {}
    for example in listed:
        kept.setdefault(content_key(example), example)
    if len(kept) < len(listed):
        notes.append(f"{len(listed) - len(kept)} exact duplicates dropped from {source}")
    return list(kept.values())


def _near_duplicate_notes(found: Sequence[NearDuplicate]) -> list[str]:
    notes = []
    for one, other in combinations(SPLITS, 2):
        pairs = [pair for pair in found if (pair.first_split, pair.second_split) == (one, other)]
        if pairs:
            example = max(pairs, key=lambda pair: pair.similarity)
            notes.append(
                f"{len(pairs)} near-duplicates between {one} and {other}, "
                f"e.g. {example.first} and {example.second} (similarity {example.similarity:.2f})"
            )
    return notes
