"""What scoring particles costs, merged one after another or stacked in one batch: arithmetic on shapes.

No stopwatch, and no look at who else is waiting: every worker decides alike, and a resumed run decides as before. The
rates are of the order of what was measured (docs/benchmarks.md); only their ratios matter to the choice.
"""

import math
from dataclasses import dataclass

import torch

from swarm.core.requests import Generation
from swarm.engines.encoding import Requests
from swarm.experts.catalog import Catalog


@dataclass(frozen=True)
class Rates:
    """A device: multiply-adds a second of wide and of thin products, bytes a second, seconds a call of a layer."""

    dense: float
    sparsify: float
    compose: float
    bandwidth: float
    call: float


RATES = {
    ("cpu", torch.float32): Rates(dense=7e10, sparsify=4e10, compose=1e11, bandwidth=1e10, call=2e-5),
    ("cpu", torch.bfloat16): Rates(dense=1.8e11, sparsify=7e10, compose=1e11, bandwidth=1e10, call=2e-5),
    ("cuda", torch.float32): Rates(dense=2e13, sparsify=5e12, compose=2e13, bandwidth=3e12, call=1e-5),
    ("cuda", torch.bfloat16): Rates(dense=3e14, sparsify=5e13, compose=2e13, bandwidth=3e12, call=1e-5),
}


@dataclass(frozen=True)
class CostModel:
    """Of one base with its experts on one device.

    weights: of all layers. touched: of the layers that experts change. products: rank x out x in, summed.
    sides: rank x (out + in), summed. calls: layers that experts change; width: bytes of a weight.
    """

    rates: Rates
    weights: int
    touched: int
    products: int
    sides: int
    calls: int
    width: int
    columns: int

    @classmethod
    def of(cls, catalog: Catalog, kind: str, dtype: torch.dtype, columns: int) -> "CostModel | None":
        """On a "cpu" or "cuda" device. None where nothing can be stacked: an expert changes a matrix otherwise than by
        factors, or there are no experts."""
        info = catalog.base.tensors.info
        matrices = [name for name in info if len(info[name].shape) == 2]
        vocabulary = int(str(catalog.base.config.get("vocab_size", 0)))
        weights = sum(info[name].elements for name in matrices if info[name].shape[0] != vocabulary)
        if not catalog.parameters():
            return None
        touched = products = sides = 0
        for name in catalog.parameters():
            rank = _rank(catalog, name)
            if rank is None:
                return None
            touched += info[name].elements
            products += rank * info[name].elements
            sides += rank * sum(info[name].shape)
        rates = RATES[kind, dtype if dtype == torch.float32 else torch.bfloat16]
        return cls(rates, weights, touched, products, sides, len(catalog.parameters()), dtype.itemsize, columns)

    def stacked_pays(self, particles: int, requests: Requests) -> bool:
        """Whether so many particles are answered faster stacked than merged."""
        return self.stacked(particles, requests) < self.merged(particles, requests)

    def merged(self, particles: int, requests: Requests) -> float:
        """Seconds."""
        return particles * (self.composing() + sum(self._pass(columns) for columns in self._passes(1, requests)))

    def stacked(self, particles: int, requests: Requests) -> float:
        """Seconds."""
        return sum(self._pass(columns) + self._detour(columns) for columns in self._passes(particles, requests))

    def composing(self) -> float:
        """Seconds to merge one recipe."""
        moved = self.touched * (4 + self.width)  # the pristine weight is read in float32 at most
        return self.products / self.rates.compose + moved / self.rates.bandwidth + self.calls * self.rates.call

    def _pass(self, columns: int) -> float:
        """Seconds of a pass over so many columns: the weights are read once at least."""
        reading = self.weights * self.width / self.rates.bandwidth
        return max(reading, self.weights * columns / self.rates.dense) + 2 * self.calls * self.rates.call

    def _detour(self, columns: int) -> float:
        return self.sides * columns / self.rates.sparsify + 2 * self.calls * self.rates.call

    def _passes(self, particles: int, requests: Requests) -> list[int]:
        """The columns of every pass, for so many particles together."""
        prompts = {item.prompt for item in requests.items}
        ahead = sum(len(prompt) for prompt in prompts)
        ahead += sum(max(0, len(item.continuation) - 1) for item in requests.items)
        most = max((len(prompt) for prompt in prompts), default=1)
        whole = max(1, math.ceil(particles * ahead / max(self.columns, most)))
        passes = [math.ceil(particles * ahead / whole)] * whole
        writing = [item.request for item in requests.items if isinstance(item.request, Generation)]
        for step in range(1, max((request.max_new_tokens for request in writing), default=0)):
            passes.append(particles * sum(request.max_new_tokens > step for request in writing))
        return passes


def _rank(catalog: Catalog, parameter: str) -> int | None:
    """The ranks of all experts that change the parameter, summed; 0 for a vector; None where one has no factors."""
    if len(catalog.base.tensors.info[parameter].shape) == 1:
        return 0
    ranks = [expert.rank(parameter) for expert in catalog.experts if parameter in expert.source.parameters()]
    known = [rank for rank in ranks if rank is not None]
    return sum(known) if len(known) == len(ranks) else None
