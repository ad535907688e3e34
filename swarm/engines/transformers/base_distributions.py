"""What the base says of the next token, and how far candidates are from it: KL(base || candidate) at each position.

Of every position the base's TOP likeliest tokens are kept, and all others count together. That coarser divergence is
never above the one over the whole vocabulary (log-sum inequality; Cover & Thomas 2006, theorem 2.7.1), and it is 0
where the two are the same. It needs a kilobyte a position instead of a row of logits.

Shape suffixes: M positions, V vocabulary, K kept tokens, C = K + 1 classes: the kept tokens, and all others.
"""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from types import MappingProxyType
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from swarm.core.recipes import Recipe
from swarm.core.requests import Continuation
from swarm.engines.transformers.batches import Batches
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.packing import Packing
from swarm.engines.transformers.prefix_cache import PrefixCache

TOP = 128
LEAST = 1e-9  # probability of all others: below it, float32 cannot tell it from 0


@dataclass(frozen=True)
class BaseDistribution:
    """Of some positions: the base's likeliest tokens, and its log-probabilities of the classes."""

    ids_MK: Tensor
    logs_MC: Tensor

    @classmethod
    def of(cls, logits_MV: Tensor) -> "BaseDistribution":
        logits = logits_MV.float()
        ids_MK = logits.topk(min(TOP, logits.shape[1] - 1), dim=1).indices
        return cls(ids_MK, _classes(logits, logits.logsumexp(dim=1), ids_MK))

    def repeated(self, particles: int) -> "BaseDistribution":
        """The same positions once per particle, particle after particle."""
        return BaseDistribution(self.ids_MK.repeat(particles, 1), self.logs_MC.repeat(particles, 1))

    def rows(self, rows: slice) -> "BaseDistribution":
        return BaseDistribution(self.ids_MK[rows], self.logs_MC[rows])

    def divergence(self, logits_MV: Tensor, total_M: Tensor) -> Tensor:
        """sum_c p_c (log p_c - log q_c), in nats, at least 0. Shape (M,). p: the base; q: these logits.

        total_M: their logsumexp.
        """
        shares_MC, apart_MC = self.logs_MC.exp(), self.logs_MC - _classes(logits_MV, total_M, self.ids_MK)
        return torch.where(shares_MC > 0, shares_MC * apart_MC, 0.0).sum(dim=1).clamp(min=0.0)


def _classes(logits_MV: Tensor, total_M: Tensor, ids_MK: Tensor) -> Tensor:
    """Log-probabilities of the tokens, and of all others together. Shape (M, C)."""
    logs_MK = logits_MV.gather(1, ids_MK) - total_M[:, None]
    others_M = (1.0 - logs_MK.exp().sum(dim=1)).clamp(min=LEAST).log()
    return torch.cat([logs_MK, others_M[:, None]], dim=1)


Bases = Mapping[Packing, BaseDistribution]  # by the batch that they are of
NO_BASES: Bases = MappingProxyType({})


class BaseDistributions:
    """Computed once per batch, with the base in place, and kept as long as the batch lives."""

    def __init__(self, forward: Forward, prefixes: PrefixCache, vocabulary: int | None = None) -> None:
        """vocabulary: columns of logits that are tokens, where candidates give no probability to others; None: all."""
        self._vocabulary = vocabulary
        self._forward = forward
        self._prefixes = prefixes
        self._known: MutableMapping[Packing, BaseDistribution] = WeakKeyDictionary()

    @torch.inference_mode()
    def of(self, batches: Batches, base: Recipe, put: Callable[[Recipe], None]) -> Bases:
        """Those of the batches' packings; none where nobody asks. put: puts a recipe in place."""
        asked = [isinstance(each.request, Continuation) and each.request.divergence for each in batches.continuations]
        if not any(asked):
            return NO_BASES
        lacking = [packing for packing in batches.packings if packing not in self._known]
        if lacking:
            self._prefixes.use(("base", base))
            put(base)
        for packing in lacking:
            prefix = self._prefixes.get(packing.prefix, 1)
            self._known[packing] = BaseDistribution.of(self._forward.logits(packing, 1, prefix)[:, : self._vocabulary])
        return self._known
