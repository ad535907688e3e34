"""The models that a delivered recipe runs, all at once in memory, opened when they are first needed.

What an expert changes is a copy of the base with tensors of its own where any expert has an update; everything else is
shared with the base.
"""

from collections.abc import Sequence

import torch
from torch import nn

from swarm.core.errors import ConfigError, ExpertError
from swarm.core.recipes import Recipe
from swarm.engines.transformers.load_model import LoadedModel, load_beside, load_model
from swarm.engines.transformers.logit_mix import BASE, PRISTINE, Mix, control_key, expert_key, mix_of, pair_keys
from swarm.engines.transformers.merged_weights import MergedWeights, UnmergedWeights
from swarm.engines.transformers.model_copies import with_recipe
from swarm.engines.transformers.routing import Routing
from swarm.engines.transformers.stacked import alone_recipe, base_recipe
from swarm.experts.catalog import Catalog
from swarm.experts.control_layer import ControlLayer, with_control_layer
from swarm.experts.expert import Base
from swarm.experts.path_models import ModelPair

CLUSTER = "cluster:"  # the base with the weights of a cluster of prompts


class DeliveredPaths:
    """The base with a recipe's weights in place, and the models beside it.

    loaded: the base.
    """

    def __init__(self, catalog: Catalog, dtype: torch.dtype, device: str) -> None:
        """Load the base. Raises ConfigError for an encoder-decoder or a device that is not there, ExpertError."""
        if catalog.base.architecture.encoder_decoder:
            raise ConfigError(
                f"base {catalog.base.path} is an encoder-decoder, whose logits are not combined; search with "
                "composition weights"
            )
        self.loaded: LoadedModel = load_model(catalog.base.path, dtype, device)
        self._catalog = catalog
        self._merged = (UnmergedWeights if catalog.base.codes else MergedWeights)(self.loaded.model, catalog)
        self._routing = Routing(self.loaded.model, self._merged, catalog, self.loaded.device)
        self._clusters: dict[tuple[object, ...], tuple[str, Recipe]] = {}

    def put(self, recipe: Recipe) -> None:
        """Give the base the recipe's weights."""
        self._merged.put(Recipe(recipe.weights))

    def row_mixes(self, recipe: Recipe, prompts: Sequence[tuple[int, ...]]) -> list[Mix]:
        """The models that a recipe runs for each prompt, and the weight of each.

        prompts: token ids without padding. What does not route is the same for all.
        """
        if recipe.routing is None:
            return [mix_of(recipe, self._catalog)] * len(prompts)
        found = self._routing.recipes(recipe, prompts)
        if recipe.routing.by == "logits":
            return [mix_of(each, self._catalog) for each in found]
        return [Mix("logits", {self._cluster(each): 1.0}) for each in found]

    def open(self, model: str, recipe: Recipe) -> nn.Module:
        """A model of a recipe, ready to be run. Raises ExpertError."""
        if model == BASE:
            return self.loaded.model
        if (pair := self._of_pair(model)) is not None:
            checkpoint, owner = pair
            return load_beside(checkpoint.path, self.loaded, owner).model.requires_grad_(False)
        if self._catalog.base.codes:
            raise ExpertError(
                f"base {self._catalog.base.path} is quantised, and no expert can be merged into its codes to be run "
                "beside it; give the 16-bit checkpoint that it was made from"
            )
        return self._copied(model, recipe).eval().requires_grad_(False)

    def _cluster(self, recipe: Recipe) -> str:
        """The name of the base with these weights."""
        key = tuple(recipe.weights.coefficients.items())
        return self._clusters.setdefault(key, (f"{CLUSTER}{len(self._clusters)}", recipe))[0]

    def _copied(self, model: str, recipe: Recipe) -> nn.Module:
        """A copy of the base: as it is, with an expert, with a cluster's weights, or behind a control layer."""
        layers = {control_key(each.name): each for each in self._catalog.models if isinstance(each, ControlLayer)}
        weights = {expert_key(name): alone_recipe(recipe, name) for name in self._catalog.names}
        weights |= dict(self._clusters.values())
        assert model == PRISTINE or model in layers or model in weights, "a mix names models of the catalog alone"
        made = with_recipe(self.loaded.model, self._merged, weights.get(model, base_recipe(recipe)))
        return with_control_layer(made, layers[model].tensors()) if model in layers else made

    def _of_pair(self, model: str) -> tuple[Base, str] | None:
        """The checkpoint of a model of a pair, and whose it is."""
        for pair in (each for each in self._catalog.models if isinstance(each, ModelPair)):
            for each, key in zip((pair.plus, pair.minus), pair_keys(pair), strict=True):
                if key == model and each is not None:
                    return each, f"expert {pair.name}"
        return None
