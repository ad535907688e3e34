"""Merging whole models: every parameter that a recipe touches, from the base and the experts' updates."""

import threading
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from swarm.core.recipes import Recipe
from swarm.experts.catalog import Catalog
from swarm.experts.merge import MergePlan, Scratch, StackedFactors, blocks, merge_plan, write
from swarm.experts.merge_compiled import OnePass
from swarm.experts.parallel import each
from swarm.experts.parameter_groups import group_index
from swarm.experts.updates import Term, Update

ALONE = 1 << 20  # elements in all: below, starting threads costs more than they save


def fill(parameters: Sequence[tuple[Tensor, MergePlan]], one_pass: OnePass | None = None) -> None:
    """Compute every mix into its tensor; on a CPU all cores take blocks of what is not compiled."""
    rest = [(out, whole) for out, whole in parameters if not (one_pass and one_pass.write(out, whole))]
    work = [(out, whole, rows) for out, whole in rest for rows in blocks(out.shape, whole, out.device)]
    kept = threading.local()

    def compute(block: tuple[Tensor, MergePlan, slice]) -> None:
        if not hasattr(kept, "room"):
            kept.room = Scratch(), Scratch()
        write(*block, kept.room)

    on_cpu = all(out.device.type == "cpu" for out, _ in rest)
    if on_cpu and sum(out.numel() for out, _ in rest) >= ALONE:
        each(compute, work)
        return
    for block in work:
        compute(block)


def updates_of(catalog: Catalog, parameter: str) -> dict[str, Update]:
    """The updates of the experts that change the parameter, from disk."""
    return {
        expert.name: expert.update(parameter, catalog.base)
        for expert in catalog.experts
        if parameter in expert.source.parameters()
    }


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
    updates = updates_of(catalog, name)
    terms = terms_of(recipe, name, updates)
    out = torch.empty_like(base, dtype=dtype)
    fill([(out, merge_plan(base, terms, recipe.weights.algebra, StackedFactors.of([*updates.values()], base.device)))])
    return out
