"""The LoRA factors of all experts of one module, and how coefficients make one pair of factors of them, in float32.

delta:    A and B side by side, with coefficient and scaling in the columns of B, so that B @ A is the exact sum.
factors:  A(c) = sum c_i A_i and B(c) = sum c_i s_i B_i, of experts of equal ranks.

They are written in place, so that a live adapter and a written one have the same bits.

Shape suffixes: O rows and I columns of a weight (out, in), R rank of the result, C ranks of all experts together, E
experts.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from swarm.experts.expert import Base, Expert
from swarm.experts.lora import Adapter
from swarm.experts.updates import Algebra, LowRank, oriented


@dataclass(frozen=True)
class ModuleFactors(ABC):
    """The experts' factors of one module.

    scalings: of each expert.
    ranks: of each expert.
    """

    scalings: tuple[float, ...]
    ranks: tuple[int, ...]

    @abstractmethod
    def only(self, places: Sequence[int]) -> "ModuleFactors":
        """Of the experts at these places."""

    @abstractmethod
    def near(self, device: torch.device) -> "ModuleFactors":
        """The same, where tensors on a device can be written fastest without other bits than on the host."""

    @abstractmethod
    def start(self) -> tuple[Tensor, Tensor]:
        """A (R, I) and B (O, R) for `write`: what no coefficient changes is there, the rest is arbitrary."""

    @abstractmethod
    def write(self, coefficients: Sequence[float], a_RI: Tensor, b_OR: Tensor) -> None:
        """Give the two tensors, which `start` has made, the values under one coefficient for each expert."""

    def composed(self, coefficients: Sequence[float]) -> tuple[Tensor, Tensor]:
        """A (R, I) and B (O, R), in memory that nothing else changes; A may be that of these factors."""
        a_RI, b_OR = self.start()
        self.write(coefficients, a_RI, b_OR)
        return a_RI, b_OR

    def _scales(self, coefficients: Sequence[float]) -> list[float]:
        """c_i s_i, as float64."""
        return [c * scaling for c, scaling in zip(coefficients, self.scalings, strict=True)]


@dataclass(frozen=True)
class SideBySide(ModuleFactors):
    """Algebra `delta`. a_CI: all rows of A. b_OC: all columns of B, without scalings."""

    a_CI: Tensor
    b_OC: Tensor

    def only(self, places: Sequence[int]) -> "SideBySide":
        if len(places) == len(self.ranks):
            return self
        a_parts, b_parts = torch.split(self.a_CI, [*self.ranks]), torch.split(self.b_OC, [*self.ranks], dim=1)
        return SideBySide(
            tuple(self.scalings[i] for i in places),
            tuple(self.ranks[i] for i in places),
            torch.cat([a_parts[i] for i in places]),
            torch.cat([b_parts[i] for i in places], dim=1),
        )

    def near(self, device: torch.device) -> "SideBySide":
        return SideBySide(self.scalings, self.ranks, self.a_CI.to(device), self.b_OC.to(device))

    def start(self) -> tuple[Tensor, Tensor]:
        return self.a_CI, torch.empty_like(self.b_OC)

    def write(self, coefficients: Sequence[float], a_RI: Tensor, b_OR: Tensor) -> None:
        scales_E = zip(self._scales(coefficients), self.ranks, strict=True)
        scales_C = [scale for scale, rank in scales_E for _ in range(rank)]
        torch.mul(self.b_OC, torch.tensor(scales_C, dtype=torch.float32, device=b_OR.device), out=b_OR)


@dataclass(frozen=True)
class Summed(ModuleFactors):
    """Algebra `factors`. a_ERI: each expert's A. b_EOR: each expert's B, without its scaling."""

    a_ERI: Tensor
    b_EOR: Tensor

    def only(self, places: Sequence[int]) -> "Summed":
        if len(places) == len(self.ranks):
            return self
        kept = list(places)
        return Summed(
            tuple(self.scalings[i] for i in kept),
            tuple(self.ranks[i] for i in kept),
            self.a_ERI[kept],
            self.b_EOR[kept],
        )

    def near(self, device: torch.device) -> "Summed":
        return self  # another device may add in another order

    def start(self) -> tuple[Tensor, Tensor]:
        return torch.empty_like(self.a_ERI[0]), torch.empty_like(self.b_EOR[0])

    def write(self, coefficients: Sequence[float], a_RI: Tensor, b_OR: Tensor) -> None:
        a_RI.copy_(_weighted_sum(coefficients, self.a_ERI))
        b_OR.copy_(_weighted_sum(self._scales(coefficients), self.b_EOR))


def _weighted_sum(scales: Sequence[float], parts: Tensor) -> Tensor:
    """Over the first axis, which has the length of `scales`."""
    return (parts * torch.tensor(scales, dtype=torch.float32)[:, None, None]).sum(0)


@dataclass(frozen=True)
class FactorsOfModule:
    """Factors in the orientation of the first expert's adapter.

    embedding: True for an embedding, which PEFT names otherwise.
    transposed: True where the base stores the weight as (in, out) though it is not an embedding (Conv1D).
    """

    factors: ModuleFactors
    embedding: bool
    transposed: bool


def factors_of_module(owners: Sequence[Expert], parameter: str, base: Base, algebra: Algebra) -> FactorsOfModule:
    """Of the experts that change a parameter, all of them by low-rank updates; read from disk."""
    source = owners[0].source
    assert isinstance(source, Adapter), "whoever asks has refused recipes with other experts"
    where = source.factors[parameter]
    updates = [expert.update(parameter, base) for expert in owners]
    facing = [oriented(update, where.transposed) for update in updates if isinstance(update, LowRank)]
    return FactorsOfModule(module_factors(facing, algebra), where.embedding, where.transposed and not where.embedding)


def module_factors(updates: Sequence[LowRank], algebra: Algebra) -> ModuleFactors:
    """Of updates that face one way. For `factors` their ranks must be equal."""
    scalings, ranks = tuple(update.scaling for update in updates), tuple(update.rank for update in updates)
    a_parts, b_parts = [update.a_RI.float() for update in updates], [update.b_OR.float() for update in updates]
    if algebra == "delta":
        return SideBySide(scalings, ranks, torch.cat(a_parts), torch.cat(b_parts, dim=1))
    return Summed(scalings, ranks, torch.stack(a_parts), torch.stack(b_parts))
