"""Deals a pool of examples to the splits that it feeds: a seeded shuffle with the same share of every task in each.

The order comes from hashes of seed and content, so it does not depend on the order of the lines.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarm.duplicates import content_key
from swarm.errors import ConfigError
from swarm.types import Example, Split

AUTO_AT_MOST = 200


@dataclass(frozen=True)
class Pool:
    """Examples, where they come from (for messages), and the splits that they feed."""

    origin: str
    examples: Sequence[Example]
    feeds: tuple[Split, ...]


def deal(pool: Pool, wanted: Mapping[Split, int | str], seed: int) -> dict[Split, tuple[Example, ...]]:
    """Disjoint parts of the pool. A pool that goes as a whole to one split stays in its order.

    Raises ConfigError naming `splits.NAME` where a part would be empty or there are not enough examples.
    """
    counts = _counts(pool, {split: wanted[split] for split in pool.feeds})
    if list(counts.values()) == [len(pool.examples)]:
        return {pool.feeds[0]: tuple(pool.examples)}
    place = {id(example): _hash(seed, content_key(example)) for example in pool.examples}
    left: dict[str, list[Example]] = defaultdict(list)
    for example in sorted(pool.examples, key=lambda example: (place[id(example)], example.id)):
        left[example.task].append(example)
    dealt: dict[Split, tuple[Example, ...]] = {}
    for split, count in counts.items():
        part: list[Example] = []
        for task, share in _shares({task: len(rest) for task, rest in left.items()}, count, seed).items():
            part += left[task][:share]
            left[task] = left[task][share:]
        dealt[split] = tuple(sorted(part, key=lambda example: (place[id(example)], example.id)))
    return dealt


def _counts(pool: Pool, wanted: Mapping[Split, int | str]) -> dict[Split, int]:
    """How many examples each split gets: counts first, then `auto`, then `rest`."""
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
        counts |= {split: min(AUTO_AT_MOST, n // 4) for split in sharing if split not in open_ended}
        counts |= {split: n - sum(counts.values()) for split in open_ended}
    _refuse_impossible(pool, counts, wanted)
    return {split: counts[split] for split in wanted}


def _refuse_impossible(pool: Pool, counts: Mapping[Split, int], wanted: Mapping[Split, int | str]) -> None:
    """`counts` in the order in which they are served."""
    available = len(pool.examples)
    served: list[str] = []
    for split, count in counts.items():
        if not 1 <= count <= available:
            after = f" after {', '.join(served)}" if served else ""
            raise ConfigError(
                f"splits.{split}: {wanted[split]} comes to {max(count, 0)} examples, {available} are available in "
                f"{pool.origin}{after}; lower a count or add examples"
            )
        available -= count
        served.append(f"{split} {count}")


def _shares(sizes: Mapping[str, int], count: int, seed: int) -> dict[str, int]:
    """`count` apportioned to tasks by size, by largest remainder; the seed breaks ties. No task exceeds its size."""
    total = sum(sizes.values())
    shares = {task: count * size // total for task, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda task: (-(count * sizes[task] % total), _hash(seed, task)))
    for task in by_remainder[: count - sum(shares.values())]:
        shares[task] += 1
    return shares


def _hash(seed: int, text: str) -> bytes:
    return hashlib.blake2b(f"{seed}\n{text}".encode(), digest_size=16).digest()
