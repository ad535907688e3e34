"""How many threads torch uses, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """A block in which torch uses so many threads; None: as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if count is None else max(1, count))
    try:
        yield
    finally:
        torch.set_num_threads(before)
