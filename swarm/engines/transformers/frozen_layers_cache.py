"""The layers below the first that any expert touches: their output is the same for every candidate.

It is computed once for every batch that is asked again, kept, and put in where those layers would have run.
Generation keeps no trunk, nor does what follows a shared prefix: they need the lower layers' keys and values.

Shape suffixes: N rows, T columns, H hidden.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from weakref import WeakKeyDictionary, WeakMethod

from torch import Tensor, nn

MOST_BYTES = 1 << 30
Layer = WeakMethod[Callable[..., object]]  # weak, so that no cycle keeps a model after its engine
LAYER = re.compile(r"(.+)\.(\d+)\.")  # model.layers.3.mlp.up_proj.weight


def untouched_layers(model: nn.Module, touched: Iterable[str]) -> list[nn.Module]:
    """The model's first layers, up to the first with a parameter that experts touch."""
    touched = list(touched)
    stacks = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    if not stacks or not touched:
        return []
    stack, layers = min(stacks, key=lambda item: item[0].count("."))
    first = len(layers)
    for name in touched:
        found = LAYER.match(name) if name.startswith(f"{stack}.") else None
        if found is not None:
            first = min(first, int(name.removeprefix(f"{stack}.").split(".")[0]))
        elif not _after(model, name):
            return []
    return list(layers[:first])


def _after(model: nn.Module, parameter: str) -> bool:
    """Whether a parameter outside the layers acts behind them: the last norm and the head."""
    head = model.get_output_embeddings()  # type: ignore[operator]
    tied = head.weight is model.get_input_embeddings().weight  # type: ignore[operator]
    owner = model.get_submodule(parameter.rpartition(".")[0])
    return (owner is head and not tied) or parameter.rpartition(".")[0].endswith((".norm", ".ln_f", ".final_layernorm"))


def _alive(layer: Layer) -> Callable[..., object]:
    method = layer()
    assert method is not None, "the model that calls a layer is there"
    return method


class FrozenLayersCache:
    """Keeps what the lower layers give for a batch, and gives it back instead of running them."""

    def __init__(self, layers: list[nn.Module]) -> None:
        self._kept: WeakKeyDictionary[object, Tensor] = WeakKeyDictionary()
        self._batch: object | None = None
        self._repeats = 1
        self.depth = len(layers)
        for layer in layers[:-1]:
            layer.forward = partial(self._skipped, WeakMethod(layer.forward))
        for layer in layers[-1:]:
            layer.forward = partial(self._top, WeakMethod(layer.forward))

    @contextmanager
    def batch(self, batch: object, repeats: int) -> Iterator[None]:
        """Within, passes are of this batch, repeated for so many particles."""
        self._batch, self._repeats = batch, repeats
        try:
            yield
        finally:
            self._batch = None

    def _skipped(self, run: Layer, hidden_NTH: Tensor, *args: object, **given: object) -> object:
        known = self._batch is not None and self._batch in self._kept
        return hidden_NTH if known else _alive(run)(hidden_NTH, *args, **given)

    def _top(self, run: Layer, hidden_NTH: Tensor, *args: object, **given: object) -> object:
        kept = self._kept.get(self._batch) if self._batch is not None else None
        if kept is not None:
            return kept.repeat(self._repeats, 1, 1)
        out = _alive(run)(hidden_NTH, *args, **given)
        if self._batch is not None and isinstance(out, Tensor):
            self._keep(out[: len(out) // self._repeats])
        return out

    def _keep(self, hidden_NTH: Tensor) -> None:
        held = sum(each.nbytes for each in self._kept.values())
        if held + hidden_NTH.nbytes <= MOST_BYTES:
            self._kept[self._batch] = hidden_NTH.clone()
