"""The frozen layers: those below the first that any expert changes. Their output is the same for every candidate.

It is computed once for every batch, kept, and returned the next time that the batch is scored. Generation and rows
behind a shared prefix do not use it: they need the keys and values of all layers.

Shape suffixes: N rows, T columns, H hidden.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from weakref import WeakKeyDictionary, WeakMethod, ref

from torch import Tensor, nn

# Per engine; what is beyond it is computed again. It bounds a worker's memory and is part of the memory forecast.
# With the lower half of the layers frozen, candidates are scored 1.47 times as fast (docs/benchmarks.md).
MOST_BYTES = 1 << 30
Layer = WeakMethod[Callable[..., object]]  # weak, so that no reference cycle keeps the model after its engine
LAYER = re.compile(r"(.+)\.(\d+)\.")  # model.layers.3.mlp.up_proj.weight


def untouched_layers(model: nn.Module, touched: Iterable[str]) -> list[nn.Module]:
    """The model's first layers, up to the first that has one of the touched parameters."""
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
    """Whether a parameter outside the layers acts after all of them, as the last norm and the head do."""
    head = model.get_output_embeddings()  # type: ignore[operator]
    tied = head.weight is model.get_input_embeddings().weight  # type: ignore[operator]
    owner = model.get_submodule(parameter.rpartition(".")[0])
    return (owner is head and not tied) or parameter.rpartition(".")[0].endswith((".norm", ".ln_f", ".final_layernorm"))


def _alive(layer: Layer) -> Callable[..., object]:
    method = layer()
    assert method is not None, "the model that calls a layer exists"
    return method


class FrozenLayersCache:
    """Replaces the forward methods of the frozen layers: a known batch skips them and gets the output that was kept.

    depth: how many layers are frozen.
    """

    def __init__(self, layers: list[nn.Module]) -> None:
        self._outputs: WeakKeyDictionary[object, Tensor] = WeakKeyDictionary()
        self._batch: object | None = None
        self._repeats = 1
        self.depth = len(layers)
        self._layers = [ref(layer) for layer in layers]
        for layer in layers[:-1]:
            layer.forward = partial(self._skip, WeakMethod(layer.forward))
        for layer in layers[-1:]:
            layer.forward = partial(self._last, WeakMethod(layer.forward))

    def switch_off(self) -> None:
        """Give the layers their own forward methods back: nothing is kept any more."""
        self.depth = 0
        self._outputs.clear()
        for layer in filter(None, (each() for each in self._layers)):
            vars(layer).pop("forward", None)
        self._layers = []

    @contextmanager
    def batch(self, batch: object, repeats: int) -> Iterator[None]:
        """Within the context, passes are of this batch, repeated once per particle."""
        self._batch, self._repeats = batch, repeats
        try:
            yield
        finally:
            self._batch = None

    def _skip(self, run: Layer, hidden_NTH: Tensor, *args: object, **given: object) -> object:
        known = self._batch is not None and self._batch in self._outputs
        return hidden_NTH if known else _alive(run)(hidden_NTH, *args, **given)

    def _last(self, run: Layer, hidden_NTH: Tensor, *args: object, **given: object) -> object:
        kept = self._outputs.get(self._batch) if self._batch is not None else None
        if kept is not None:
            return kept.repeat(self._repeats, 1, 1)
        out = _alive(run)(hidden_NTH, *args, **given)
        if self._batch is not None and isinstance(out, Tensor):
            self._keep(out[: len(out) // self._repeats])
        return out

    def _keep(self, hidden_NTH: Tensor) -> None:
        held = sum(each.nbytes for each in self._outputs.values())
        if held + hidden_NTH.nbytes <= MOST_BYTES:
            self._outputs[self._batch] = hidden_NTH.clone()
