"""Draws that depend on the seed and on what is drawn, not on what was drawn before."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Chance:
    """A source of randomness; every name has a generator of its own."""

    seed: str

    def of(self, *names: object) -> Random:
        """The same generator for the same names, in any process."""
        return Random("/".join([self.seed, *map(str, names)]))

    def within(self, *names: object) -> "Chance":
        return Chance("/".join([self.seed, *map(str, names)]))
