"""Linear combinations of full tensors in one pass over memory: compiled, where that pays for the compilation.

Eager operations read and write their float32 sums once more for every tensor. Compiled code keeps them in registers.
Both multiply, round, add and round (no fused multiply-add), in the same order: they give the same bits.
"""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from swarm.experts.merge import MergePlan

# Weights in full updates, of all experts together: with fewer, a search hardly regains the seconds of compilation.
MIN_WEIGHTS = 100_000_000
# Elements of a tensor: with fewer, a call of the kernel costs more than the memory traffic that it saves.
MIN_ELEMENTS = 1 << 16
# Kernels, one for each combination of dtypes: torch recompiles a function 8 times at most.
MAX_KERNELS = 6
Dtypes = tuple[torch.dtype, ...]

log = logging.getLogger(__name__)


class CompiledMerge:
    """A kernel that is compiled on first use. Without a C++ compiler it refuses every plan, and warns once."""

    def __init__(self) -> None:
        self._compiled: set[Dtypes] = set()
        self._broken = False
        # One thread compiles: torch's default is a process for every core, in every worker.
        self._combine = torch.compile(_combine, dynamic=True, fullgraph=True, options={"compile_threads": 1})

    def write(self, out: Tensor, plan: MergePlan) -> bool:
        """Compute the plan into `out`; False, with nothing written, where it is not a sum of full tensors on a CPU."""
        tensors = [tensor for _, tensor in plan.tensors]
        if self._broken or plan.is_copy or not plan.is_sum_of_tensors:
            return False
        if out.numel() < MIN_ELEMENTS or not all(t.is_contiguous() and t.device.type == "cpu" for t in [out, *tensors]):
            return False
        dtypes = tuple(tensor.dtype for tensor in [out, *tensors])
        if dtypes not in self._compiled and len(self._compiled) == MAX_KERNELS:
            return False
        self._compiled.add(dtypes)
        coefficients = torch.tensor([c for c, _ in plan.tensors], dtype=torch.float32)
        return self._try(out, coefficients, tensors)

    def _try(self, out: Tensor, coefficients: Tensor, tensors: Sequence[Tensor]) -> bool:
        try:
            self._combine(out.view(-1), coefficients, [tensor.view(-1) for tensor in tensors])
        except Exception as error:  # whatever a compiler may lack: eager code gives the same
            self._broken = True
            log.warning("merging is not compiled (%s): slower, with the same results", type(error).__name__)
            return False
        return True


def _combine(out: Tensor, coefficients: Tensor, tensors: list[Tensor]) -> None:
    """Of flat tensors; the first multiplication is exact where its coefficient is 1."""
    total = tensors[0].float() * coefficients[0]
    for i, tensor in enumerate(tensors[1:], start=1):
        total = total + tensor.float() * coefficients[i]
    out.copy_(total)
