"""Targets: a wanted level for each of several domains, and how far a candidate's rates are from it.

A target is hit where in every domain the wanted level has the highest rate (arXiv 2410.19206).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

Rates = Mapping[str, float]  # objective -> share of its examples
Target = tuple[str, ...]  # a level for each domain, in their order


@dataclass(frozen=True)
class Domains:
    """objectives: domain -> level -> the objective that scores it."""

    objectives: Mapping[str, Mapping[str, str]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.objectives)

    def targets(self) -> list[Target]:
        """Every combination of levels, the last domain's fastest."""
        return list(product(*(levels for levels in self.objectives.values())))

    def lead(self, target: Target, rates: Rates) -> float:
        """By how much the wanted level leads in the domain where it leads least; above 0, the target is hit."""
        return min(
            rates[levels[wanted]] - max(rates[name] for level, name in levels.items() if level != wanted)
            for wanted, levels in zip(target, self.objectives.values(), strict=True)
        )

    def rate(self, target: Target, rates: Rates) -> float:
        """The rate of the wanted level in the domain where it is lowest."""
        return min(rates[levels[level]] for level, levels in zip(target, self.objectives.values(), strict=True))

    def worst(self, target: Target, rates: Rates) -> str:
        """The objective of that rate."""
        wanted = [levels[level] for level, levels in zip(target, self.objectives.values(), strict=True)]
        return min(wanted, key=lambda name: rates[name])

    def better(self, target: Target, rates: Rates) -> tuple[bool, float, float]:
        """Sorts candidates: those that hit first, by the lowest rate of a wanted level, then by the smallest lead."""
        lead = self.lead(target, rates)
        return lead > 0, self.rate(target, rates), lead


def pooled(parts: Sequence[tuple[Rates, Mapping[str, int]]]) -> dict[str, float]:
    """Rates over several splits together. parts: rates, and how many examples each is of."""
    names = parts[0][0]
    sizes = {name: sum(n[name] for _, n in parts) for name in names}
    return {name: sum(rates[name] * n[name] for rates, n in parts) / sizes[name] for name in names}


def next_targets(
    leads: Mapping[Target, float], tries: Mapping[Target, int], count: int, patience: float = 0.1
) -> list[Target]:
    """Whose turn it is: the targets furthest from being hit. Each try counts as a gain of `patience`, so that those
    that cannot be hit do not use up the budget of the others.

    leads: target -> the best lead so far.
    """
    return sorted(leads, key=lambda target: leads[target] + patience * tries.get(target, 0))[:count]
