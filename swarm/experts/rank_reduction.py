"""A composed adapter at a lower rank: for every matrix the nearest one of that rank, and what it loses.

The nearest matrix of rank r in the Frobenius norm keeps the r largest singular values (Eckart and Young, "The
approximation of one matrix by another of lower rank", Psychometrika 1936). The update itself is never formed: with
B = Q_B R_B and A^T = Q_A R_A, B A = Q_B (R_B R_A^T) Q_A^T, so the SVD of the small middle matrix is that of the update.

Shape suffixes: O rows and I columns of a weight (out, in), R rank, K = min(O, R), L = min(I, R), N the rank kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from swarm.experts.composed_adapter import ComposedAdapter, ComposedModule
from swarm.experts.safetensors_writer import check_finite


@dataclass(frozen=True)
class RankLoss:
    """What an adapter loses at a lower rank.

    rank: the largest rank kept.
    errors: module -> the norm of what is dropped, as a share of the norm of its update (Frobenius); 0 where nothing is.
    """

    rank: int
    errors: Mapping[str, float]

    @property
    def largest(self) -> float:
        return max(self.errors.values(), default=0.0)

    @property
    def mean(self) -> float:
        """Over matrices, each counting alike."""
        return sum(self.errors.values()) / len(self.errors) if self.errors else 0.0

    @property
    def text(self) -> str:
        """Its sizes in words."""
        largest = max(self.errors, key=lambda name: self.errors[name], default="")
        where = f" ({largest})" if self.largest else ""
        return (
            f"rank {self.rank}: relative error of the update {100 * self.largest:.2g} % at most{where}, "
            f"{100 * self.mean:.2g} % on average over {len(self.errors)} matrices (Frobenius norm)"
        )


@dataclass(frozen=True)
class ReducedAdapter:
    """An adapter of a lower rank, and what it loses of the whole one."""

    adapter: ComposedAdapter
    loss: RankLoss


def reduced_to_rank(adapter: ComposedAdapter, rank: int) -> ReducedAdapter:
    """The nearest adapter with at most `rank` in every module. Raises ExpertError where factors are not finite."""
    assert rank >= 1, "whoever asks has refused other ranks"
    found = {name: _reduced(name, module, rank) for name, module in adapter.modules.items()}
    modules = {name: module for name, (module, _) in found.items()}
    return ReducedAdapter(
        adapter=replace(adapter, modules=modules),
        loss=RankLoss(rank, {name: error for name, (_, error) in found.items()}),
    )


@torch.no_grad()
def _reduced(name: str, module: ComposedModule, rank: int) -> tuple[ComposedModule, float]:
    """The module at the rank, and its relative error; a module of no higher rank as it is.

    In float64, whose rounding float32 does not show.
    """
    if module.rank <= rank:
        return module, 0.0
    for factor in (module.a_RI, module.b_OR):
        check_finite(name, factor)
    q_OK, r_KR = torch.linalg.qr(module.b_OR.double())
    q_IL, r_LR = torch.linalg.qr(module.a_RI.double().T)
    u_KN, s_N, v_NL = torch.linalg.svd(r_KR @ r_LR.T, full_matrices=False)
    root_N = s_N[:rank].sqrt()  # shared by both factors, so that neither is much larger than the other
    kept = replace(
        module,
        a_RI=(root_N[:, None] * v_NL[:rank] @ q_IL.T).float(),
        b_OR=(q_OK @ u_KN[:, :rank] * root_N).float(),
    )
    whole = float(s_N.square().sum())
    return kept, (float(s_N[rank:].square().sum()) / whole) ** 0.5 if whole else 0.0
