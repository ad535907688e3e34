"""One composed LoRA adapter beside a model's pristine weights, whose factors are written in place for each weighting.

The layers are PEFT's own, and the factors are written by the arithmetic of `swarm export --format adapter`: so the
model has, bit for bit, the logits that PEFT gives with that export, as long as PEFT does not merge it. Experts whose
coefficient is 0 are left out, as there.

Shape suffixes: O out, I in, R rank.
"""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from swarm.core.recipes import Recipe
from swarm.experts.catalog import Catalog
from swarm.experts.composed_adapter import coefficients_in_use
from swarm.experts.lora import Adapter
from swarm.experts.module_factors import FactorsOfModule, Room, factors_of_module
from swarm.experts.updates import Algebra

NAME = "dial"  # of the adapter, in PEFT's layers
PROBED = 4  # tokens of the pass that shows which layers are called


class ComposedLayer:
    """A layer of PEFT, and what its experts give it."""

    def __init__(self, parameter: str, names: Sequence[str], layer: Any, found: FactorsOfModule) -> None:
        """parameter: the weight's name in the base's files. names: the experts that change it. found: their factors."""
        device = layer.get_base_layer().weight.device
        self._parameter, self._names, self._layer, self._embedding = parameter, names, layer, found.embedding
        self._factors = found.factors.near(device)
        self._places: tuple[int, ...] = ()  # the experts in use
        self._rooms = Room(device), Room(device)
        self._a_RI = self._b_OR = torch.empty(0)

    def put(self, recipe: Recipe) -> None:
        """Where no expert is in use, the layer is the base's."""
        coefficients = coefficients_in_use(recipe, self._parameter)
        places = tuple(i for i, name in enumerate(self._names) if name in coefficients)
        if bool(places) != bool(self._places):
            self._layer.set_adapter([NAME] if places else [], inference_mode=True)
        if places != self._places:
            self._places = places
            self._make_room()
        if places:
            self._factors.write(places, [coefficients[self._names[i]] for i in places], self._a_RI, self._b_OR)

    def _make_room(self) -> None:
        """Give PEFT's layer tensors of the rank that the experts in use have together."""
        if not self._places:
            return
        layer = self._layer
        self._a_RI, self._b_OR = self._factors.start(self._places, *self._rooms)
        a, b = (nn.Parameter(factor, requires_grad=False) for factor in (self._a_RI, self._b_OR))
        if self._embedding:
            layer.lora_embedding_A[NAME], layer.lora_embedding_B[NAME] = a, b
        else:
            layer.lora_A[NAME].weight, layer.lora_B[NAME].weight = a, b


class ComposedLayers:
    """The layers of PEFT in a model, which is the base until `put`. Their names get PEFT's parts."""

    def __init__(self, model: nn.Module, catalog: Catalog) -> None:
        """Put the layers into the model. Raises ValueError where PEFT has none for a layer.

        `adapter_problem` must have none to tell.
        """
        self._model, self._catalog, self._layers = model, catalog, list[ComposedLayer]()
        live = {name: catalog.base.layout.places[name].live.removesuffix(".weight") for name in catalog.parameters()}
        _inject(model, [*live.values()])
        self._peft = {name: model.get_submodule(owner) for name, owner in live.items()}
        for layer in self._peft.values():
            layer.set_adapter([], inference_mode=True)  # type: ignore[operator]
        model.eval()

    def put(self, recipes: Sequence[Recipe]) -> None:
        """Set the weighting of the next passes. One alone is possible, and all have the algebra of the first."""
        (recipe,) = recipes
        # Else tensors made within a caller's inference mode could not be written outside of it.
        with torch.inference_mode(False), torch.no_grad():
            if not self._layers:
                self._layers = [self._layer(name, layer, recipe.weights.algebra) for name, layer in self._peft.items()]
            for layer in self._layers:
                layer.put(recipe)

    @torch.no_grad()
    def uncalled(self) -> set[str]:
        """The parameters whose layers a pass does not call: the model reads the weight itself, or not at all."""
        called: set[str] = set()
        hooks = [
            layer.register_forward_hook(lambda *_, name=name: called.add(name)) for name, layer in self._peft.items()
        ]
        ids = torch.arange(PROBED, device=next(self._model.parameters()).device)[None]
        decoder = {"decoder_input_ids": ids} if self._catalog.base.architecture.encoder_decoder else {}
        self._model(input_ids=ids, **decoder)
        for hook in hooks:
            hook.remove()
        return self._peft.keys() - called

    def _layer(self, parameter: str, layer: nn.Module, algebra: Algebra) -> ComposedLayer:
        owners = [expert for expert in self._catalog.experts if expert.changes(parameter)]
        found = factors_of_module(owners, parameter, self._catalog.base, algebra)
        return ComposedLayer(parameter, tuple(expert.name for expert in owners), layer, found)


def adapter_problem(catalog: Catalog) -> str | None:
    """Why these experts cannot be one adapter beside the base, or None where they can."""
    if not catalog.experts:
        return "no expert changes weights"
    shared, facing = {*catalog.base.ties, *catalog.base.ties.values()}, dict[str, tuple[bool, bool]]()
    for expert in catalog.experts:
        source = expert.source
        if not isinstance(source, Adapter) or source.kind != "adapter" or expert.sparsification.prunes:
            return f"expert {expert.name} is not a plain LoRA adapter"
        for name, factors in source.factors.items():
            if not catalog.base.layout.places[name].whole or not name.endswith(".weight"):
                return f"expert {expert.name} adapts {name}, a part of the fused experts of a mixture"
            if name in shared:
                return f"expert {expert.name} adapts {name}, which the base uses in two places"
            faces = factors.transposed, factors.embedding
            if facing.setdefault(name, faces) != faces:
                return f"experts store the factors of {name} in two orientations"
    return None


def _inject(model: nn.Module, modules: Sequence[str]) -> None:
    """Put PEFT's layers in the place of modules; they have no factors yet."""
    # Imported here, as it takes seconds and no other form needs it.
    from peft import LoraConfig, inject_adapter_in_model

    transposed = {isinstance(model.get_submodule(name), Conv1D) for name in modules}
    config = LoraConfig(
        r=1,
        lora_alpha=1,  # scalings are in the factors
        target_modules="|".join(map(re.escape, modules)),  # one pattern, which PEFT matches with whole names
        fan_in_fan_out=transposed == {True},
        lora_dropout=0.0,
    )
    inject_adapter_in_model(config, model, NAME, low_cpu_mem_usage=True)
