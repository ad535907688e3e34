"""What a routed recipe means at each prompt: coefficients from a router, by the base's hidden states of the prompt.

A router's features do not depend on coefficients, so those of a prompt are computed once.

Shape suffixes: N prompts, E experts, K clusters, H hidden size.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from swarm.core.recipes import LogitRecipe, Recipe, RoutingRecipe, WeightRecipe
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.engines.transformers.router_features import features_of
from swarm.engines.transformers.stacked import base_recipe
from swarm.experts.catalog import Catalog
from swarm.experts.router import Router, nearest
from swarm.experts.router_files import open_router
from swarm.experts.router_geometry import Array

Tokens = tuple[int, ...]
MOST_KEPT = 20_000  # prompts whose features are kept


class Routing:
    """Routes prompts to experts of a catalog. Routers are read from their folders when they are first used."""

    def __init__(self, model: nn.Module, merged: MergedWeights, catalog: Catalog, device: torch.device) -> None:
        """merged: puts weights into the model."""
        self._model, self._merged, self._catalog, self._device = model, merged, catalog, device
        self._routers: dict[str, Router] = {}
        self._features: dict[tuple[int, Tokens], Array] = {}

    def recipes(self, recipe: Recipe, prompts: Sequence[Tokens]) -> list[Recipe]:
        """What the recipe is at each prompt, without routing. Equal prompts of a cluster get the very same object.

        Leaves the base in place. Raises ExpertError where the router's folder is not the one that was checked.
        """
        routing = recipe.routing
        assert routing is not None, "asked of routed recipes alone"
        router = self._router(routing)
        weights_NE = router.weights(self._rows(router, recipe, prompts), routing)
        if routing.by == "logits":
            return [self._on_logits(recipe, router, weights_E) for weights_E in weights_NE]
        centres_KE = router.centres(routing)
        merged = [self._on_weights(recipe, router, weights_E) for weights_E in centres_KE]
        return [merged[k] for k in nearest(weights_NE, centres_KE)]

    def _router(self, routing: RoutingRecipe) -> Router:
        if routing.router not in self._routers:
            self._routers[routing.router] = open_router(Path(routing.router), self._catalog)
        return self._routers[routing.router]

    def _rows(self, router: Router, recipe: Recipe, prompts: Sequence[Tokens]) -> Array:
        """The features of each prompt, shape NH."""
        unknown = [prompt for prompt in dict.fromkeys(prompts) if (router.layer, prompt) not in self._features]
        if unknown:
            self._merged.put(base_recipe(recipe))
            if len(self._features) > MOST_KEPT:
                self._features.clear()
                unknown = list(dict.fromkeys(prompts))
            for prompt in unknown:  # alone, so that its bits do not depend on what else was asked
                (row_H,) = features_of(self._model, [prompt], router.layer, self._device)
                self._features[router.layer, prompt] = row_H
        return np.stack([self._features[router.layer, prompt] for prompt in prompts])

    def _on_logits(self, recipe: Recipe, router: Router, weights_E: Array) -> Recipe:
        return Recipe(recipe.weights, LogitRecipe("logits", dict(zip(router.experts, weights_E.tolist(), strict=True))))

    def _on_weights(self, recipe: Recipe, router: Router, weights_E: Array) -> Recipe:
        weights = recipe.weights
        found = dict(zip(router.experts, weights_E.tolist(), strict=True))
        values = {name: (found[name],) * len(old) for name, old in weights.coefficients.items()}
        return Recipe(WeightRecipe(weights.algebra, weights.groups, values))
