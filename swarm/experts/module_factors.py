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
from itertools import accumulate

import torch
from torch import Tensor

from swarm.experts.expert import Base, Expert
from swarm.experts.lora import Adapter
from swarm.experts.updates import Algebra, LowRank, oriented


class Room:
    """Memory for a tensor in float32 that is made again and again: fresh memory costs page faults."""

    def __init__(self, device: torch.device) -> None:
        self._memory = torch.empty(0, device=device)

    def of(self, rows: int, columns: int) -> Tensor:
        """A contiguous tensor with arbitrary content. The one before must no longer be used."""
        if self._memory.numel() < rows * columns:
            self._memory = torch.empty(rows * columns, device=self._memory.device)
        return self._memory[: rows * columns].view(rows, columns)


@dataclass(frozen=True)
class ModuleFactors(ABC):
    """The experts' factors of one module.

    scalings: of each expert.
    ranks: of each expert.
    """

    scalings: tuple[float, ...]
    ranks: tuple[int, ...]

    @abstractmethod
    def near(self, device: torch.device) -> "ModuleFactors":
        """The same, where tensors on a device can be written fastest without other bits than on the host."""

    @abstractmethod
    def start(self, places: Sequence[int], a_room: Room, b_room: Room) -> tuple[Tensor, Tensor]:
        """A (R, I) and B (O, R) for `write`: what no coefficient changes is there, the rest is arbitrary.

        places: the experts in use, ascending.
        """

    @abstractmethod
    def write(self, places: Sequence[int], coefficients: Sequence[float], a_RI: Tensor, b_OR: Tensor) -> None:
        """Give what `start` has made for these places the values under a coefficient for each of them."""

    def composed(self, coefficients: Sequence[float]) -> tuple[Tensor, Tensor]:
        """A (R, I) and B (O, R) of all experts; A may be that of these factors themselves."""
        host, places = torch.device("cpu"), range(len(self.ranks))
        a_RI, b_OR = self.start(places, Room(host), Room(host))
        self.write(places, coefficients, a_RI, b_OR)
        return a_RI, b_OR

    def _scales(self, places: Sequence[int], coefficients: Sequence[float]) -> list[float]:
        """c_i s_i, as float64."""
        return [c * self.scalings[i] for i, c in zip(places, coefficients, strict=True)]


@dataclass(frozen=True)
class SideBySide(ModuleFactors):
    """Algebra `delta`. a_CI: all rows of A. b_OC: all columns of B, without scalings."""

    a_CI: Tensor
    b_OC: Tensor

    def near(self, device: torch.device) -> "SideBySide":
        return SideBySide(self.scalings, self.ranks, self.a_CI.to(device), self.b_OC.to(device))

    def start(self, places: Sequence[int], a_room: Room, b_room: Room) -> tuple[Tensor, Tensor]:
        rank = sum(self.ranks[i] for i in places)
        b_OR = b_room.of(len(self.b_OC), rank)
        if len(places) == len(self.ranks):
            return self.a_CI, b_OR
        a_RI = a_room.of(rank, self.a_CI.shape[1])
        for there, here in self._runs(places):
            a_RI[there] = self.a_CI[here]
        return a_RI, b_OR

    def write(self, places: Sequence[int], coefficients: Sequence[float], a_RI: Tensor, b_OR: Tensor) -> None:
        by_rank = [
            scale
            for i, scale in zip(places, self._scales(places, coefficients), strict=True)
            for _ in range(self.ranks[i])
        ]
        scales_R = torch.tensor(by_rank, dtype=torch.float32, device=b_OR.device)
        if len(places) == len(self.ranks):  # one run, without the time that slices take
            torch.mul(self.b_OC, scales_R, out=b_OR)
            return
        for there, here in self._runs(places):
            torch.mul(self.b_OC[:, here], scales_R[there], out=b_OR[:, there])

    def _runs(self, places: Sequence[int]) -> list[tuple[slice, slice]]:
        """Where runs of neighbouring experts lie in the result, and where in these factors."""
        ends = [0, *accumulate(self.ranks)]
        found: list[tuple[slice, slice]] = []
        for i in places:
            start = found[-1][0].stop if found else 0
            there, here = slice(start, start + self.ranks[i]), slice(ends[i], ends[i + 1])
            if found and found[-1][1].stop == here.start:
                before = found.pop()
                there, here = slice(before[0].start, there.stop), slice(before[1].start, here.stop)
            found.append((there, here))
        return found


@dataclass(frozen=True)
class Summed(ModuleFactors):
    """Algebra `factors`. a_ERI: each expert's A. b_EOR: each expert's B, without its scaling."""

    a_ERI: Tensor
    b_EOR: Tensor

    def near(self, device: torch.device) -> "Summed":
        return self  # another device may add in another order

    def start(self, places: Sequence[int], a_room: Room, b_room: Room) -> tuple[Tensor, Tensor]:
        (_, rank, inner), out = self.a_ERI.shape, self.b_EOR.shape[1]
        return a_room.of(rank, inner), b_room.of(out, rank)

    def write(self, places: Sequence[int], coefficients: Sequence[float], a_RI: Tensor, b_OR: Tensor) -> None:
        kept = slice(None) if len(places) == len(self.ranks) else list(places)
        a_RI.copy_(_weighted_sum(coefficients, self.a_ERI[kept]))
        b_OR.copy_(_weighted_sum(self._scales(places, coefficients), self.b_EOR[kept]))


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
