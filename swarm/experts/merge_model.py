"""Merging whole models: every parameter that a recipe changes, from the base and the experts' updates."""

import threading
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from swarm.core.recipes import Recipe
from swarm.experts.catalog import Catalog
from swarm.experts.merge import MergePlan, Scratch, StackedFactors, merge_plan, merge_rows, row_blocks
from swarm.experts.merge_compiled import CompiledMerge
from swarm.experts.parameter_groups import group_index
from swarm.experts.thread_pool import parallel_for
from swarm.experts.updates import Term, Update

# Elements of all parameters together: with fewer, starting threads costs more than they save.
MIN_ELEMENTS_FOR_THREADS = 1 << 20


def execute_plans(plans: Sequence[tuple[Tensor, MergePlan]], compiled: CompiledMerge | None = None) -> None:
    """Compute every plan into the tensor beside it.

    compiled: takes the plans that it can. The rest is done block by block, on a CPU by all cores.
    """
    rest = [(out, plan) for out, plan in plans if not (compiled and compiled.write(out, plan))]
    blocks = [(out, plan, rows) for out, plan in rest for rows in row_blocks(out.shape, plan, out.device)]
    of_thread = threading.local()

    def merge_block(block: tuple[Tensor, MergePlan, slice]) -> None:
        if not hasattr(of_thread, "scratch"):
            of_thread.scratch = Scratch(), Scratch()
        merge_rows(*block, of_thread.scratch)

    on_cpu = all(out.device.type == "cpu" for out, _ in rest)
    if on_cpu and sum(out.numel() for out, _ in rest) >= MIN_ELEMENTS_FOR_THREADS:
        parallel_for(merge_block, blocks)
        return
    for block in blocks:
        merge_block(block)


def updates_of(catalog: Catalog, parameter: str) -> dict[str, Update]:
    """Expert -> its update of the parameter, read from disk, of the experts that change it."""
    return {
        expert.name: expert.update(parameter, catalog.base) for expert in catalog.experts if expert.changes(parameter)
    }


def terms_of(recipe: Recipe, parameter: str, updates: Mapping[str, Update]) -> list[Term]:
    """The parameter's updates with their coefficients in the recipe, in the order of `updates`."""
    weights = recipe.weights
    group = group_index(weights.groups, parameter)
    return [(weights.coefficients[name][group], update) for name, update in updates.items()]


def composed_tensors(catalog: Catalog, recipe: Recipe, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of the composed checkpoint, one at a time, from disk: what an engine in `dtype` holds."""
    for name in catalog.base.tensors.info:
        yield name, composed_tensor(catalog, recipe, name, dtype)


@torch.no_grad()
def composed_tensor(catalog: Catalog, recipe: Recipe, name: str, dtype: torch.dtype) -> Tensor:
    """One tensor of the composed checkpoint, in `dtype`; a tensor of integers is the base's, unchanged."""
    base = catalog.base.tensors.read(name)
    if not base.is_floating_point():
        return base
    updates = updates_of(catalog, name)
    stacked = StackedFactors.of([*updates.values()], base.device)
    plan = merge_plan(base, terms_of(recipe, name, updates), recipe.weights.algebra, stacked)
    out = torch.empty_like(base, dtype=dtype)
    execute_plans([(out, plan)])
    return out
