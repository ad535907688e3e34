"""What every search has to beat: the base, each expert alone, the uniform average."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarm.core.candidates import Candidate
from swarm.core.space import Array, Space

BASE = "base"


@dataclass(frozen=True)
class Baselines:
    """What every search has to beat: the base, each expert alone, the uniform average at several scales."""

    base: Candidate
    experts: Mapping[str, Candidate]
    uniforms: Mapping[float, Candidate]

    @classmethod
    def of(cls, space: Space, names: Sequence[str]) -> "Baselines":
        return cls(
            base=_candidate(BASE, space.neutral_D),
            experts={
                name: _candidate(f"expert:{name}", x_D) for name, x_D in zip(names, space.experts_ED, strict=True)
            },
            uniforms={round(float(x_D[0]), 6): _candidate(f"uniform:{x_D[0]:.4g}", x_D) for x_D in space.uniforms_UD},
        )

    def all(self) -> list[Candidate]:
        return [self.base, *self.experts.values(), *self.uniforms.values()]


def _candidate(name: str, x_D: Array) -> Candidate:
    return Candidate(name, tuple(float(x) for x in x_D))
