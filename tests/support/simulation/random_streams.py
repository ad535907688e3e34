"""Random generators that depend on the seed and on a name, not on earlier draws."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class RandomStreams:
    """A source of random generators, one per name."""

    seed: str

    def of(self, *names: object) -> Random:
        """The generator of a name: the same in every process."""
        return Random("/".join([self.seed, *map(str, names)]))

    def within(self, *names: object) -> "RandomStreams":
        return RandomStreams("/".join([self.seed, *map(str, names)]))
