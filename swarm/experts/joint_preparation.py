"""What experts' updates of one parameter make of one another: signs elected among them, or entries shared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

Consensus = Literal["sum", "count"]


class Rule(Protocol):
    """What experts that are prepared together have in common."""

    def together(self, deltas: Sequence[Tensor]) -> list[Tensor]:
        """The updates of one parameter, each as the others leave it, in the same order."""
        ...


@dataclass(frozen=True)
class Election:
    """TIES' election of signs (arXiv 2306.01708): an entry is kept where its sign is the elected one.

    consensus: the elected sign is that of the updates' sum, or that of most of them; + where both are even.
    normalize: each entry is divided by the number of experts that keep it, so the sum of the updates is their mean.
    """

    consensus: Consensus = "sum"
    normalize: bool = False

    def together(self, deltas: Sequence[Tensor]) -> list[Tensor]:
        vote = torch.zeros_like(deltas[0])
        for delta in deltas:
            vote += delta if self.consensus == "sum" else delta.sign()
        elected = torch.where(vote >= 0, 1.0, -1.0)
        agreeing = [delta.sign() == elected for delta in deltas]
        kept = [torch.where(agrees, delta, 0.0) for agrees, delta in zip(agreeing, deltas, strict=True)]
        return _shared(kept, agreeing) if self.normalize else kept


@dataclass(frozen=True)
class Sharing:
    """Reinforced Agent Merging (arXiv 2601.13572): an entry that several experts change is divided by their number.

    epsilon: an entry of no larger magnitude counts as unchanged, and becomes 0.
    r: an entry that one expert alone changes is multiplied by 1 + r * min(rho, alpha).
    alpha: the most that rho counts, the number of an expert's shared entries of a tensor over that of its own.
    """

    epsilon: float = 1e-5
    r: float = 0.0
    alpha: float = 0.0

    def together(self, deltas: Sequence[Tensor]) -> list[Tensor]:
        changed = [delta.abs() > self.epsilon for delta in deltas]
        kept = [torch.where(where, delta, 0.0) for where, delta in zip(changed, deltas, strict=True)]
        counts = _counts(changed)
        return [
            torch.where(counts == 1, delta * self._raised(where, counts), delta / counts.clamp(min=1))
            for where, delta in zip(changed, kept, strict=True)
        ]

    def _raised(self, changed: Tensor, counts: Tensor) -> float:
        shared, own = (int((changed & where).sum()) for where in (counts > 1, counts == 1))
        return 1.0 + self.r * min(shared / max(own, self.epsilon), self.alpha)


@dataclass(frozen=True)
class Member:
    """An expert that is prepared together with others.

    changes: whether it has an update of a parameter.
    alone: its update of a parameter in float32, prepared by itself.
    """

    changes: Callable[[str], bool]
    alone: Callable[[str], Tensor]


class JointPreparation:
    """The experts that are prepared together, parameter by parameter.

    The last parameter is kept until each expert has taken its update: whoever reads all experts' updates of a
    parameter, one after another, pays for each of them once.
    """

    def __init__(self, members: Mapping[str, Member], rule: Rule) -> None:
        self._members, self._rule = members, rule
        self._parameter, self._waiting = "", dict[str, Tensor]()

    def update(self, expert: str, parameter: str) -> Tensor:
        """The expert's update of the parameter as the others leave it, in float32."""
        if parameter != self._parameter or expert not in self._waiting:
            self._parameter, self._waiting = parameter, self._prepared(parameter)
        return self._waiting.pop(expert)

    def _prepared(self, parameter: str) -> dict[str, Tensor]:
        members = {name: member for name, member in self._members.items() if member.changes(parameter)}
        deltas = self._rule.together([member.alone(parameter) for member in members.values()])
        return dict(zip(members, deltas, strict=True))


def _shared(kept: Sequence[Tensor], by_whom: Sequence[Tensor]) -> list[Tensor]:
    counts = _counts(by_whom).clamp(min=1)
    return [delta / counts for delta in kept]


def _counts(by_whom: Sequence[Tensor]) -> Tensor:
    """How many experts each entry is kept or changed by."""
    return torch.stack([*by_whom]).sum(dim=0)
