"""Batches of similar length under a token budget."""

from collections.abc import Iterator, Sequence

NARROWER = 0.9  # of a batch's longest row: what is shorter is padded too much


def buckets(lengths: Sequence[int], budget: int, least: int | None = None) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first; rows times longest stays within the budget.

    From `least` columns on, a batch is not filled up with rows that are much shorter than its longest.
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
