"""Puts recipes into a model's parameters: pristine tensors and updates in, composed weights out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swarm.errors import ExpertError
from swarm.experts import Catalog
from swarm.groups import group_index
from swarm.types import Recipe
from swarm.updates import Term, Update, compose, to_device


@dataclass(frozen=True)
class Touched:
    """A parameter that experts change: the live tensor, the base's pristine one, and each expert's update."""

    name: str
    live: nn.Parameter
    pristine: Tensor
    updates: Mapping[str, Update]


class Composer:
    """Holds what composing needs, in memory; `put` writes a recipe into the live model in place."""

    def __init__(self, model: nn.Module, catalog: Catalog) -> None:
        live = dict(model.named_parameters())
        self.touched = [self._load(name, live, catalog) for name in catalog.parameters()]
        self._in_place: Recipe | None = None

    @torch.no_grad()
    def put(self, recipe: Recipe) -> None:
        """Make the live parameters what the recipe means; nothing is done where they are so already."""
        if recipe == self._in_place:
            return
        self._in_place = None
        for touched in self.touched:
            terms = terms_of(recipe, touched.name, touched.updates)
            live = touched.live
            live.copy_(compose(touched.pristine, terms, recipe.weights.algebra, live.dtype))
        self._in_place = recipe

    @staticmethod
    def _load(name: str, live: Mapping[str, nn.Parameter], catalog: Catalog) -> Touched:
        if name not in live:
            raise ExpertError(
                f"base {catalog.base.path}: transformers knows no parameter {name}; "
                "save the base again with this version of transformers"
            )
        device = live[name].device
        updates = {
            expert.name: to_device(expert.update(name, catalog.base), device)
            for expert in catalog.experts
            if name in expert.source.parameters()
        }
        return Touched(name, live[name], catalog.base.tensors.read(name).to(device), updates)


def terms_of(recipe: Recipe, parameter: str, updates: Mapping[str, Update]) -> list[Term]:
    """The coefficients of the recipe beside the updates that this parameter has."""
    weights = recipe.weights
    group = group_index(weights.groups, parameter)
    return [(weights.coefficients[name][group], update) for name, update in updates.items()]


def composed_tensors(catalog: Catalog, recipe: Recipe, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the composed checkpoint, one at a time, from disk: what an engine in `dtype` would hold."""
    for name in catalog.base.tensors.info:
        yield name, composed_tensor(catalog, recipe, name, dtype)


@torch.no_grad()
def composed_tensor(catalog: Catalog, recipe: Recipe, name: str, dtype: torch.dtype) -> Tensor:
    """One tensor of the composed checkpoint; what is not floating point stays as it is."""
    base = catalog.base.tensors.read(name)
    if not base.is_floating_point():
        return base
    updates = {
        expert.name: to_device(expert.update(name, catalog.base), base.device)
        for expert in catalog.experts
        if name in expert.source.parameters()
    }
    return compose(base, terms_of(recipe, name, updates), recipe.weights.algebra, dtype)
