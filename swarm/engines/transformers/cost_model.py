"""What scoring particles costs, merged one after another or stacked in one batch: arithmetic on shapes.

It uses no stopwatch and does not look at what else is waiting, so every worker decides alike, and a resumed run decides
as before.
"""

import math
from dataclasses import dataclass

import torch

from swarm.core.requests import Generation
from swarm.engines.encoding import Requests
from swarm.experts.catalog import Catalog


@dataclass(frozen=True)
class Rates:
    """How fast a device is.

    dense: multiply-adds per second in products with a whole weight.
    thin: multiply-adds per second in products with low-rank factors.
    compose: multiply-adds per second when factors are multiplied for merging.
    bandwidth: bytes per second.
    call: seconds per call of a layer.
    """

    dense: float
    thin: float
    compose: float
    bandwidth: float
    call: float


# Only ratios matter to the choice. The CPU rates are of the order of what two AMD EPYC cores reach; with them the model
# picked the faster side in 15 of 16 cases (docs/benchmarks.md, stacked). The CUDA rates are estimates: no accelerator
# has been measured.
RATES = {
    ("cpu", torch.float32): Rates(dense=7e10, thin=4e10, compose=1e11, bandwidth=1e10, call=2e-5),
    ("cpu", torch.bfloat16): Rates(dense=1.8e11, thin=7e10, compose=1e11, bandwidth=1e10, call=2e-5),
    ("cuda", torch.float32): Rates(dense=2e13, thin=5e12, compose=2e13, bandwidth=3e12, call=1e-5),
    ("cuda", torch.bfloat16): Rates(dense=3e14, thin=5e13, compose=2e13, bandwidth=3e12, call=1e-5),
}


@dataclass(frozen=True)
class CostModel:
    """The costs of one base with its experts on one device.

    rates: of the device, in the engine's dtype.
    weights: weights of all layers, embeddings and head left out.
    touched: weights of the parameters that experts change.
    products: rank x out x in, summed over those parameters: multiply-adds to merge one recipe.
    sides: rank x (out + in), summed over those parameters: multiply-adds per column when stacked.
    calls: how many parameters experts change.
    width: bytes per weight.
    columns: columns that one batch may hold.
    only_stacked: whether the base is quantised, so that nothing can be merged.
    """

    rates: Rates
    weights: int
    touched: int
    products: int
    sides: int
    calls: int
    width: int
    columns: int
    only_stacked: bool = False

    @classmethod
    def of(cls, catalog: Catalog, kind: str, dtype: torch.dtype, columns: int) -> "CostModel | None":
        """The costs on a "cpu" or a "cuda" device.

        None where nothing can be stacked: an expert changes a matrix in another way than by factors, or a part of the
        fused experts of a mixture, or there are no experts, or the base is an encoder-decoder.
        """
        if catalog.base.architecture.encoder_decoder:
            return None
        info = catalog.base.tensors.info
        matrices = [name for name in info if len(info[name].shape) == 2]
        vocabulary = int(str(catalog.base.config.get("vocab_size", 0)))
        weights = sum(info[name].elements for name in matrices if info[name].shape[0] != vocabulary)
        if not catalog.parameters():
            return None
        touched = products = sides = 0
        for name in catalog.parameters():
            rank = _rank(catalog, name)
            if rank is None or not catalog.base.layout.places[name].whole:
                return None
            touched += info[name].elements
            products += rank * info[name].elements
            sides += rank * sum(info[name].shape)
        rates = RATES[kind, dtype if dtype == torch.float32 else torch.bfloat16]
        calls, quantised = len(catalog.parameters()), bool(catalog.base.codes)
        return cls(rates, weights, touched, products, sides, calls, dtype.itemsize, columns, quantised)

    def stacked_pays(self, particles: int, requests: Requests) -> bool:
        """Whether so many particles are answered faster stacked than merged."""
        return self.stacked(particles, requests) < self.merged(particles, requests)

    def merged(self, particles: int, requests: Requests) -> float:
        """Seconds to answer the requests for so many particles, merged one after another."""
        return particles * (self.composing() + sum(self._pass(columns) for columns in self._passes(1, requests)))

    def stacked(self, particles: int, requests: Requests) -> float:
        """Seconds to answer the requests for so many particles, stacked."""
        passes = self._passes(particles, requests)
        return sum(self._pass(columns) + self._per_row_layers(columns) for columns in passes)

    def composing(self) -> float:
        """Seconds to merge one recipe."""
        moved = self.touched * (4 + self.width)  # the pristine weight is read in float32 at most
        return self.products / self.rates.compose + moved / self.rates.bandwidth + self.calls * self.rates.call

    def _pass(self, columns: int) -> float:
        """Seconds of a forward pass over so many columns. The weights are read at least once."""
        reading = self.weights * self.width / self.rates.bandwidth
        return max(reading, self.weights * columns / self.rates.dense) + 2 * self.calls * self.rates.call

    def _per_row_layers(self, columns: int) -> float:
        """Seconds that the per-row LoRA layers add to a pass."""
        return self.sides * columns / self.rates.thin + 2 * self.calls * self.rates.call

    def _passes(self, particles: int, requests: Requests) -> list[int]:
        """The columns of every pass, for so many particles together."""
        prompts = {item.prompt for item in requests.items}
        ahead = sum(len(prompt) for prompt in prompts)
        ahead += sum(max(0, len(item.continuation) - 1) for item in requests.items)
        most = max((len(prompt) for prompt in prompts), default=1)
        whole = max(1, math.ceil(particles * ahead / max(self.columns, most)))
        passes = [math.ceil(particles * ahead / whole)] * whole
        generations = [item.request for item in requests.items if isinstance(item.request, Generation)]
        for step in range(1, max((request.max_new_tokens for request in generations), default=0)):
            passes.append(particles * sum(request.max_new_tokens > step for request in generations))
        return passes


def _rank(catalog: Catalog, parameter: str) -> int | None:
    """The ranks of all experts that change the parameter, summed; 0 for a vector; None where one has no factors."""
    if len(catalog.base.tensors.info[parameter].shape) == 1:
        return 0
    ranks = [expert.rank(parameter) for expert in catalog.experts if expert.changes(parameter)]
    known = [rank for rank in ranks if rank is not None]
    return sum(known) if len(known) == len(ranks) else None
