"""The candidates that every search has to beat: the base, each expert alone, the uniform average at several scales."""

from collections.abc import Mapping
from dataclasses import dataclass

from swarm.core.candidates import Candidate
from swarm.core.expert_groups import ExpertGroups
from swarm.core.space import Baseline, Space, position_of


@dataclass(frozen=True)
class Baselines:
    """The candidates at the baselines of a space.

    experts: id -> each expert alone; once, where it can be so in two places.
    uniforms: the coefficient of every expert, to six digits -> the uniform average.
    groups: which coordinates are one expert's; None where each has one.
    """

    base: Candidate
    experts: Mapping[str, Candidate]
    uniforms: Mapping[float, Candidate]
    groups: ExpertGroups | None = None

    @classmethod
    def of(cls, space: Space) -> "Baselines":
        return cls(
            base=_candidate(space.base),
            experts={
                each.id: _candidate(each)
                for each in space.experts
                if space.scored_at(each.position_D) == position_of(each.position_D)
            },
            uniforms={round(each.scale, 6): _candidate(each) for each in space.uniforms},
            groups=ExpertGroups.of(space),
        )

    def certain(self) -> list[Candidate]:
        """Those that every selection scores on the select split. Of the uniform averages the best one is another."""
        return [self.base, *self.experts.values()]

    def all(self) -> list[Candidate]:
        return [self.base, *self.experts.values(), *self.uniforms.values()]


def _candidate(baseline: Baseline) -> Candidate:
    return Candidate(baseline.id, position_of(baseline.position_D))
