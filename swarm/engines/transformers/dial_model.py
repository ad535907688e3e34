"""A live model whose weighting can be changed between two calls: base and experts are loaded once.

stacked: the base's weights stay, and a hook on every layer that experts change adds their part under coefficients that
         lie in a small tensor. Setting it takes no arithmetic on weights, and rows of a batch may have different ones.
merged:  the composed weights themselves, bit for bit those of an export with the same coefficients.

Shape suffixes: N rows, P recipes, E experts, G groups, K coefficients of a layer, V vocabulary, T columns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from swarm.core.errors import ConfigError
from swarm.core.recipes import Recipe
from swarm.engines.transformers.capability_probe import CapabilityProbe
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.load_model import LoadedModel, load_model
from swarm.engines.transformers.merged_weights import MergedWeights, UnmergedWeights
from swarm.engines.transformers.packing import BatchLimits
from swarm.engines.transformers.quantised_probe import QuantisedProbe
from swarm.engines.transformers.stacked import PerRowAdapters
from swarm.engines.transformers.stacked_layers import PerRowLayer, PerRowLinear, PerRowVector
from swarm.experts.base_tokenizer import load_tokenizer
from swarm.experts.catalog import Catalog
from swarm.experts.parameter_groups import group_index

Form = Literal["stacked", "merged"]
PROBED = 1 << 12  # columns of a batch of the probe


@dataclass
class Shared:
    """What layers of one kind multiply with. c_PK: the expanded coefficients; None: nothing is added."""

    layer: PerRowLayer
    columns: list[int]
    c_PK: Tensor | None = None

    def rows(self, n: int) -> Tensor:
        """One row of coefficients for each row of a batch: a recipe's rows lie side by side. Shape NK."""
        assert self.c_PK is not None, "asked only where something is added"
        recipes = len(self.c_PK)
        if recipes == 1:
            return self.c_PK
        if n % recipes:
            raise ConfigError(f"rows: {recipes} weightings are set, and the batch has {n} rows; give as many prompts")
        return self.c_PK.repeat_interleave(n // recipes, dim=0)


@dataclass
class StackedDial:
    """Hooks on a model's layers that read their coefficients at every pass."""

    layers: Sequence[PerRowLayer]
    names: Sequence[str]
    recipe: Recipe  # any one: groups and algebra are those of all
    shared: dict[tuple[object, ...], Shared] = field(default_factory=dict)

    def __post_init__(self) -> None:
        groups, factors = self.recipe.weights.groups, self.recipe.weights.algebra == "factors"
        for layer in self.layers:
            columns = [
                self.names.index(name) * len(groups) + group_index(groups, layer.parameter) for name in layer.names
            ]
            key = (*columns, type(layer), *_expansion(layer))
            held = self.shared.setdefault(key, Shared(layer, columns))
            layer.module.register_forward_hook(_hook(layer, held, factors))

    def put(self, recipes: Sequence[Recipe]) -> None:
        """Row block p of the next passes is recipe p."""
        flat = [[c for name in self.names for c in recipe.weights.coefficients[name]] for recipe in recipes]
        c_PD = torch.tensor(flat, dtype=torch.float32)
        for held in self.shared.values():
            c_PE = c_PD[:, held.columns]
            held.c_PK = held.layer.expand(c_PE) if c_PE.any() else None


def _expansion(layer: PerRowLayer) -> tuple[object, ...]:
    """What decides how a layer expands the coefficients of its experts."""
    if isinstance(layer, PerRowLinear):
        return layer.a_CI.dtype, layer.a_CI.device, tuple(layer.owner_C.tolist())
    assert isinstance(layer, PerRowVector), "a layer by rows is one of the two"
    return (layer.deltas_EO.device,)


def _hook(layer: PerRowLayer, held: Shared, factors: bool) -> Callable[..., Tensor]:
    def add(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        return output if held.c_PK is None else layer(inputs[0], output, held.rows(len(output)), factors)

    return add


def _agrees(loaded: LoadedModel, catalog: Catalog, merged: MergedWeights, adapters: PerRowAdapters) -> bool:
    """Whether the model gets the logits of merged weights with per-row layers. Leaves the base in place."""
    name = f"base {catalog.base.path} ({type(loaded.model).__name__})"
    limits = BatchLimits(PROBED, loaded.most_logits, share=False, window=loaded.window, turn=loaded.turn)
    forward = Forward(loaded.model, adapters, dynamic=loaded.dynamic)
    found = name, forward, loaded.vocabulary, loaded.dtype, loaded.weights, limits
    try:
        if catalog.base.codes:
            return QuantisedProbe(*found).can_stand_beside(adapters, catalog, limits)
        return CapabilityProbe(*found).can_stack(merged, adapters, catalog, limits)
    finally:
        forward.release()


class DialModel:
    """The model, its tokenizer, and `put`.

    form: how weightings are put in place. model: of transformers, in evaluation mode. tokenizer: the base's.
    """

    def __init__(self, catalog: Catalog, dtype: torch.dtype, device: str = "auto", form: Form | None = None) -> None:
        """form: None takes stacked where all experts have a form by rows, else merged.

        Raises ConfigError where the form is not possible, ExpertError where the base cannot be loaded.
        """
        self._loaded = load_model(catalog.base.path, dtype, device)
        self.model = self._loaded.model.requires_grad_(False)
        self.tokenizer = load_tokenizer(catalog.base.path)
        self._merged = (UnmergedWeights if catalog.base.codes else MergedWeights)(self.model, catalog)
        self._catalog = catalog
        self._layers = None if form == "merged" else self._stackable(catalog)
        self._stacked: StackedDial | None = None
        self.form: Form = "merged" if self._layers is None else "stacked"
        if form == "stacked" and self.form != form:
            raise ConfigError(
                "form: stacked is not possible, as an expert changes a matrix as a whole, or the base calls layers on "
                "flattened rows; use form merged"
            )
        if self.form == "merged" and catalog.base.codes:
            raise ConfigError(f"form: merged is not possible, as base {catalog.base.path} is quantised; use stacked")

    @property
    def device(self) -> torch.device:
        return self._loaded.device

    def put(self, recipes: Sequence[Recipe]) -> None:
        """Set the weighting of the next calls; several: block p of a batch's rows has recipe p.

        Raises ConfigError for several in the merged form.
        """
        if self.form == "merged":
            if len(recipes) != 1:
                raise ConfigError(f"rows: {len(recipes)} weightings in one batch need form stacked; set one at a time")
            self._merged.put(recipes[0])
            return
        if self._stacked is None:
            assert self._layers is not None, "the stacked form has layers"
            self._stacked = StackedDial(self._layers, self._catalog.names, recipes[0])
        self._stacked.put(recipes)

    @torch.inference_mode()
    def generate(self, prompts: Sequence[str], options: Mapping[str, object]) -> list[str]:
        """What the model writes after each prompt; options: of transformers' generate."""
        tokenizer = self.tokenizer
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        sided = {"padding_side": "right" if self._encoder_decoder else "left"}
        encoded = tokenizer(list(prompts), return_tensors="pt", padding=True, return_token_type_ids=False, **sided)
        encoded = encoded.to(self.device)
        found = self.model.generate(  # type: ignore[operator]
            **encoded, **{"pad_token_id": tokenizer.pad_token_id, **options}
        )
        start = 0 if self._encoder_decoder else encoded["input_ids"].shape[1]
        texts: list[str] = tokenizer.batch_decode(found[:, start:], skip_special_tokens=True)
        return texts

    @property
    def _encoder_decoder(self) -> bool:
        return self._catalog.base.architecture.encoder_decoder

    def _stackable(self, catalog: Catalog) -> Sequence[PerRowLayer] | None:
        """The layers by rows, where the model gets the logits of merged weights with them; else None."""
        adapters = None if self._encoder_decoder else PerRowAdapters.of(self.model, self._merged.parameters)
        if adapters is None or not catalog.experts:
            return None
        if _agrees(self._loaded, catalog, self._merged, adapters):
            return adapters.layers
        return None
