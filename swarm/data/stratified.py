"""The stratified split of a pool of examples: a seeded shuffle, with the same share of every task in each split.

The order comes from hashes of seed and content, so it does not depend on the order of the lines. In the search split
tasks alternate, so that every prefix of it, at which racing may stop, has a proportional share of every task.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from swarm.core.errors import ConfigError
from swarm.core.examples import Example, Split
from swarm.data.duplicates import content_key

MOST_AUTO = 200  # examples of an `auto` split: enough for a search, and test keeps the rest


@dataclass(frozen=True)
class ExamplePool:
    """Examples that are split together.

    source: where they come from, for messages.
    feeds: the splits that they are for.
    """

    source: str
    examples: Sequence[Example]
    feeds: tuple[Split, ...]


def stratified_split(
    pool: ExamplePool, wanted: Mapping[Split, int | str], seed: int
) -> dict[Split, tuple[Example, ...]]:
    """Disjoint parts of the pool. A pool that is for select or test alone keeps its order.

    wanted: for each split a count, `auto` or `rest`.
    Raises ConfigError naming `splits.NAME` where a part would be empty or there are not enough examples.
    """
    counts = _counts(pool, {split: wanted[split] for split in pool.feeds})
    if list(counts.values()) == [len(pool.examples)]:
        whole = pool.examples if pool.feeds[0] != "search" else _interleaved(shuffled(pool.examples, seed), seed)
        return {pool.feeds[0]: tuple(whole)}
    left = _by_task(shuffled(pool.examples, seed))
    parts: dict[Split, tuple[Example, ...]] = {}
    for split, count in counts.items():
        part: list[Example] = []
        for task, share in _shares({task: len(rest) for task, rest in left.items()}, count, seed).items():
            part += left[task][:share]
            left[task] = left[task][share:]
        dealt = shuffled(part, seed)
        parts[split] = tuple(_interleaved(dealt, seed) if split == "search" else dealt)
    return parts


def in_turn(sizes: Mapping[str, int]) -> list[str]:
    """Each name as often as its size, evenly spread: every prefix has a proportional share of every name.

    The j-th of n has place (j + 1/2) / n; of equal places the earlier name comes first.
    """
    turns = [((j + 0.5) / size, i, name) for i, (name, size) in enumerate(sizes.items()) for j in range(size)]
    return [name for _, _, name in sorted(turns)]


def shuffled(examples: Iterable[Example], seed: int) -> list[Example]:
    """In the order of hashes of seed and content, of which what stands in front of the question is a part."""
    return sorted(examples, key=lambda example: (_hash(seed, content_key(replace(example, question_at=0))), example.id))


def _by_task(examples: Iterable[Example]) -> dict[str, list[Example]]:
    tasks: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        tasks[example.task].append(example)
    return tasks


def _interleaved(examples: Sequence[Example], seed: int) -> list[Example]:
    """The same examples with their tasks interleaved; the order within a task stays."""
    tasks = _by_task(examples)
    order = in_turn({task: len(tasks[task]) for task in sorted(tasks, key=lambda task: _hash(seed, task))})
    waiting = {task: iter(part) for task, part in tasks.items()}
    return [next(waiting[task]) for task in order]


def _counts(pool: ExamplePool, wanted: Mapping[Split, int | str]) -> dict[Split, int]:
    """How many examples each split gets. Counts are served first, then `auto`, then `rest`."""
    n = len(pool.examples)
    open_ended = [split for split, value in wanted.items() if value == "rest" or (split, value) == ("test", "auto")]
    if len(open_ended) > 1:
        raise ConfigError(f"splits.{open_ended[0]}: rest, as is splits.{open_ended[1]}; give one of them a count")
    counts: dict[Split, int] = {split: value for split, value in wanted.items() if isinstance(value, int)}
    sharing = [split for split in wanted if split not in counts]
    if "test" not in wanted:
        part, over = divmod(n - sum(counts.values()), len(sharing) or 1)
        counts |= {split: part + (index < over) for index, split in enumerate(sharing)}
    else:
        counts |= {split: min(MOST_AUTO, n // 4) for split in sharing if split not in open_ended}
        counts |= {split: n - sum(counts.values()) for split in open_ended}
    _refuse_impossible(pool, counts, wanted)
    return {split: counts[split] for split in wanted}


def _refuse_impossible(pool: ExamplePool, counts: Mapping[Split, int], wanted: Mapping[Split, int | str]) -> None:
    """Raise ConfigError where a count is zero or exceeds what is left. counts: in the order of service."""
    available = len(pool.examples)
    served: list[str] = []
    for split, count in counts.items():
        if not 1 <= count <= available:
            after = f" after {', '.join(served)}" if served else ""
            raise ConfigError(
                f"splits.{split}: {wanted[split]}{_default(split, wanted)} comes to {max(count, 0)} examples, "
                f"{available} are available in {pool.source}{after}; lower a count or add examples"
            )
        available -= count
        served.append(f"{split} {count}")


def _default(split: Split, wanted: Mapping[Split, int | str]) -> str:
    """Said of a value that the user may not have written."""
    return " (the default)" if wanted[split] == ("rest" if split == "test" else "auto") else ""


def _shares(sizes: Mapping[str, int], count: int, seed: int) -> dict[str, int]:
    """`count` apportioned to tasks by size with the largest-remainder method; the seed breaks ties.

    No share exceeds the size of its task.
    """
    total = sum(sizes.values())
    shares = {task: count * size // total for task, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda task: (-(count * sizes[task] % total), _hash(seed, task)))
    for task in by_remainder[: count - sum(shares.values())]:
        shares[task] += 1
    return shares


def _hash(seed: int, text: str) -> bytes:
    return hashlib.blake2b(f"{seed}\n{text}".encode(), digest_size=16).digest()
