"""Linear combinations of full tensors in one pass over memory: compiled, where that pays for the compiling.

Eager operations read and write their float32 sums once more for every tensor. Compiled code keeps them in registers.
Both multiply, round, add and round (no fused multiply-add), in the same order: they give the same bits.
"""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from swarm.experts.merge import MergePlan

WORTH = 100_000_000  # weights in full updates; with fewer, a search hardly repays the seconds of compiling
LEAST = 1 << 16  # elements of a tensor: below, calling costs more than memory
MOST = 6  # kernels: one for each number and dtypes of tensors; torch recompiles a function 8 times at most
Kinds = tuple[torch.dtype, ...]

log = logging.getLogger(__name__)


class OnePass:
    """Compiled on first use. Without a C++ compiler it takes nothing, and says so once."""

    def __init__(self) -> None:
        self._kinds: set[Kinds] = set()
        self._broken = False
        # One thread compiles: torch's default is a process for every core, in every worker.
        self._combine = torch.compile(_combine, dynamic=True, fullgraph=True, options={"compile_threads": 1})

    def write(self, out: Tensor, whole: MergePlan) -> bool:
        """Compute the mix into `out`; False, with nothing written, where it is none of full tensors on a CPU."""
        tensors = [tensor for _, tensor in whole.tensors]
        if self._broken or whole.copied or whole.sides is not None or whole.alone is not None:
            return False
        if out.numel() < LEAST or not all(t.is_contiguous() and t.device.type == "cpu" for t in [out, *tensors]):
            return False
        kinds = tuple(tensor.dtype for tensor in [out, *tensors])
        if kinds not in self._kinds and len(self._kinds) == MOST:
            return False
        self._kinds.add(kinds)
        shares = torch.tensor([share for share, _ in whole.tensors], dtype=torch.float32)
        return self._try(out, shares, tensors)

    def _try(self, out: Tensor, shares: Tensor, tensors: Sequence[Tensor]) -> bool:
        try:
            self._combine(out.view(-1), shares, [tensor.view(-1) for tensor in tensors])
        except Exception as error:  # whatever a compiler may lack or dislike: eager does the same
            self._broken = True
            log.warning("composing is not compiled (%s); it does the same, slower", type(error).__name__)
            return False
        return True


def _combine(out: Tensor, shares: Tensor, tensors: list[Tensor]) -> None:
    """Of flat tensors; the first operation is exact where its share is 1."""
    total = tensors[0].float() * shares[0]
    for i, tensor in enumerate(tensors[1:], start=1):
        total = total + tensor.float() * shares[i]
    out.copy_(total)
