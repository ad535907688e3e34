"""What was made from a history, kept for the histories that continue it.

A state holds arrays alone, and ask and tell are pure. What they compute from a long history would be computed anew at
each call, though; so it stays here, beside the states. Where it is missing it is made again, with the same result.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from swarm.optimizers.generational import ParticleGeneration

T = TypeVar("T")
History = tuple[ParticleGeneration, ...]
ENTRIES = 4  # of searches that take turns in one process


@dataclass(frozen=True)
class Entry(Generic[T]):
    """key: all that the value depends on besides the history, whose generations are told by their identity."""

    key: Hashable
    history: History
    value: T

    def begins(self, key: Hashable, history: History) -> bool:
        """Whether the value was made from the first generations of this history."""
        if self.key != key or len(self.history) > len(history):
            return False
        return all(mine is theirs for mine, theirs in zip(self.history, history, strict=False))


class HistoryCache(Generic[T]):
    """A few values, the latest last."""

    def __init__(self) -> None:
        self._entries: deque[Entry[T]] = deque(maxlen=ENTRIES)

    def put(self, key: Hashable, history: History, value: T) -> None:
        self._entries.append(Entry(key, history, value))

    def get(self, key: Hashable, history: History) -> T | None:
        """A value that was made from the beginning of this history, where the key says how much of it."""
        found = self._longest(key, history)
        return None if found is None else found.value

    def take(self, key: Hashable, history: History) -> tuple[T, int] | None:
        """Remove the value that was made from most of this history; returns it, and of how many generations it is.

        It may be changed then: no other history finds it any more.
        """
        found = self._longest(key, history)
        if found is None:
            return None
        self._entries = deque((entry for entry in self._entries if entry is not found), maxlen=ENTRIES)
        return found.value, len(found.history)

    def _longest(self, key: Hashable, history: History) -> Entry[T] | None:
        fitting = (entry for entry in self._entries if entry.begins(key, history))
        return max(fitting, key=lambda entry: len(entry.history), default=None)
