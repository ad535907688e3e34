"""A live model whose weighting can be changed between two calls: base and experts are loaded once.

adapter: the base's weights stay, and one composed LoRA adapter stands beside them, whose factors are written at every
         set: the tensors, and PEFT's logits, of an adapter that is exported with the same coefficients.
stacked: the base's weights stay, and a hook on every layer that experts change adds their part under coefficients that
         lie in a small tensor. Setting it takes no arithmetic on weights, and rows of a batch may have different ones.
merged:  the composed weights themselves, bit for bit those of a checkpoint exported with the same coefficients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from swarm.core.errors import ConfigError
from swarm.core.recipes import Recipe
from swarm.engines.transformers.capability_probe import CapabilityProbe
from swarm.engines.transformers.composed_layers import ComposedLayers, adapter_problem
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.load_model import LoadedModel, load_model
from swarm.engines.transformers.merged_weights import MergedWeights, UnmergedWeights
from swarm.engines.transformers.packing import BatchLimits
from swarm.engines.transformers.quantised_probe import QuantisedProbe
from swarm.engines.transformers.stacked import PerRowAdapters
from swarm.engines.transformers.stacked_dial import StackedDial
from swarm.experts.base_tokenizer import load_tokenizer
from swarm.experts.catalog import Catalog

Form = Literal["adapter", "stacked", "merged"]
PROBED = 1 << 12  # columns of a batch of the probe


class Placement(Protocol):
    """A form on a live model. put: sets the weightings of the next passes."""

    def put(self, recipes: Sequence[Recipe]) -> None: ...


@dataclass(frozen=True)
class MergedDial:
    """Weights that are computed at every set; one weighting at a time."""

    weights: MergedWeights

    def put(self, recipes: Sequence[Recipe]) -> None:
        (recipe,) = recipes
        self.weights.put(recipe)


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
        """form: None takes adapter where all experts are plain LoRA, else stacked where they have a form by rows, else
        merged.

        Raises ConfigError where the form is not possible, ExpertError where the base cannot be loaded.
        """
        self._catalog = catalog
        self._loaded = load_model(catalog.base.path, dtype, device)
        found = self._beside() if form in (None, "adapter") else "another form is asked for"
        if isinstance(found, str):
            if form == "adapter":
                raise ConfigError(f"form: adapter is not possible, as {found}; use form auto, which takes another one")
            self.form, self._placed = self._in_place(form)
        else:
            self.form, self._placed = "adapter", found
        self.model = self._loaded.model.requires_grad_(False)
        self.tokenizer = load_tokenizer(catalog.base.path)

    @property
    def device(self) -> torch.device:
        return self._loaded.device

    def put(self, recipes: Sequence[Recipe]) -> None:
        """Set the weighting of the next calls; several: block p of a batch's rows has recipe p.

        Raises ConfigError for several in another form than stacked.
        """
        if self.form != "stacked" and len(recipes) != 1:
            raise ConfigError(
                f"rows: {len(recipes)} weightings in one batch need form stacked, and this dial's is {self.form}; "
                'open it with form="stacked", or set one at a time'
            )
        self._placed.put(recipes)

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

    def _beside(self) -> ComposedLayers | str:
        """PEFT's layers in the model, or why they cannot be there; the model is then the plain one."""
        if problem := adapter_problem(self._catalog):
            return problem
        try:
            layers = ComposedLayers(self._loaded.model, self._catalog)
            problem = f"the model does not call {next(iter(sorted(left)))}" if (left := layers.uncalled()) else ""
        except ValueError as error:  # PEFT's word for a layer that it does not adapt
            problem = str(error).splitlines()[0]
        if not problem:
            return layers
        self._loaded = load_model(self._catalog.base.path, self._loaded.dtype, str(self._loaded.device))
        return problem

    def _in_place(self, form: Form | None) -> tuple[Form, Placement]:
        """The stacked form, or the merged one. Raises ConfigError where it is asked for and not possible."""
        catalog = self._catalog
        model = self._loaded.model.requires_grad_(False)
        merged = (UnmergedWeights if catalog.base.codes else MergedWeights)(model, catalog)
        if form != "merged" and (adapters := self._stackable(merged)):
            return "stacked", StackedDial(adapters.layers, catalog.names)
        if form == "stacked":
            raise ConfigError(
                "form: stacked is not possible, as an expert changes a matrix as a whole, or the base calls layers on "
                "flattened rows; use form merged"
            )
        if catalog.base.codes:
            raise ConfigError(f"form: merged is not possible, as base {catalog.base.path} is quantised; use adapter")
        return "merged", MergedDial(merged)

    def _stackable(self, merged: MergedWeights) -> PerRowAdapters | None:
        """The layers by rows, where the model gets the logits of merged weights with them; else None."""
        if self._encoder_decoder or not self._catalog.experts:
            return None
        adapters = PerRowAdapters.of(self._loaded.model, merged.parameters)
        return adapters if adapters and _agrees(self._loaded, self._catalog, merged, adapters) else None
