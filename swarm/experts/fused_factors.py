"""LoRA factors of fused parameters: PEFT's `target_parameters` on the experts of a mixture, which are one tensor.

Shape suffixes of the fused parameter: E experts, O rows, I columns, as they lie in memory; R rank per expert.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from swarm.core.errors import ExpertError
from swarm.experts.safetensors_files import TensorFiles
from swarm.experts.updates import Delta, LowRank

# Factors of all experts that are kept for the next expert's part: A and B of a layer's two parameters.
KEPT = 4


@dataclass(frozen=True)
class FusedPart:
    """What the factors of a fused parameter do to one tensor of the base's files.

    experts: how many experts the parameter holds.
    expert: the one whose weights the tensor holds; None where it holds all.
    rows, columns: the part (start, stop) of the expert's matrix.
    swapped: True where A belongs to the rows: the module computes x W, and PEFT knows it (`is_transposed`).
    transposed: True where the file holds the part transposed.
    """

    experts: int
    expert: int | None
    rows: tuple[int, int]
    columns: tuple[int, int]
    swapped: bool
    transposed: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor in the base's files."""
        sides = self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]
        turned = sides[::-1] if self.transposed else sides
        return turned if self.expert is not None else (self.experts, *turned)

    def update(self, files: TensorFiles, a: str, b: str, scaling: float) -> LowRank | Delta:
        """The tensor's update; a and b name the factors of all experts. A product where it holds one expert's part."""
        left_EOR, right_ERI = self._sides(_read(files, a), _read(files, b))
        left_EOR = left_EOR[:, self.rows[0] : self.rows[1]]
        right_ERI = right_ERI[:, :, self.columns[0] : self.columns[1]]
        if self.expert is not None:
            left_OR, right_RI = left_EOR[self.expert].contiguous(), right_ERI[self.expert].contiguous()
            return LowRank(right_RI, left_OR, scaling, self.transposed)
        product_EOI = left_EOR.float() @ right_ERI.float() * scaling
        return Delta(product_EOI.transpose(1, 2).contiguous() if self.transposed else product_EOI)

    def _sides(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """The two factors of the matrices as they lie in memory, expert by expert.

        In PEFT's tensors, A's rows are ordered by expert, then by rank; B's columns by rank, then by expert.
        """
        a_ERI = a.reshape(self.experts, -1, a.shape[1])
        b_EOR = b.reshape(b.shape[0], -1, self.experts).permute(2, 0, 1)
        return (a_ERI.transpose(1, 2), b_EOR.transpose(1, 2)) if self.swapped else (b_EOR, a_ERI)


def check_fused(files: TensorFiles, a: str, b: str, fused: Sequence[int], swapped: bool, name: str) -> None:
    """Raise ExpertError where factors are not those of a fused parameter with this shape (E, O, I) and name."""
    (ranks, inputs), (outputs, _) = files.info[a].shape, files.info[b].shape
    experts, *sides = fused
    if [outputs, inputs] != (sides[::-1] if swapped else sides) or ranks % experts:
        raise ExpertError(
            f"{files.info[a].file}: {a} and {b} have the shapes {list(files.info[a].shape)} and "
            f"{list(files.info[b].shape)}, which do not fit {name} with {list(fused)}; give the base it was trained on"
        )


def part_of_view(
    fused: Sequence[int], shape: Sequence[int], stride: Sequence[int], offset: int, swapped: bool
) -> FusedPart | None:
    """The part of a contiguous fused parameter that a view of it holds; None where that is no part of one matrix.

    fused: the parameter's shape (E, O, I). shape, stride, offset: the view's. swapped: see FusedPart.
    """
    experts, rows, columns = fused
    if tuple(shape) == tuple(fused) and tuple(stride) == (rows * columns, columns, 1):
        return FusedPart(experts, None, (0, rows), (0, columns), swapped, transposed=False)
    if len(shape) != 2 or sorted(stride) != sorted((columns, 1)):
        return None
    expert, inside = divmod(offset, rows * columns)
    row, column = divmod(inside, columns)
    transposed = stride[0] == 1 and columns != 1
    high, wide = (shape[1], shape[0]) if transposed else (shape[0], shape[1])
    if row + high > rows or column + wide > columns:
        return None
    return FusedPart(experts, expert, (row, row + high), (column, column + wide), swapped, transposed)


def _read(files: TensorFiles, name: str) -> Tensor:
    return _kept(files, name, files.info[name].file.stat().st_mtime_ns)


@lru_cache(maxsize=KEPT)
def _kept(files: TensorFiles, name: str, changed: int) -> Tensor:
    """`changed` is the time of the file's last change, so that a changed file is read again."""
    return files.read(name)
