"""Copies of a live model that share the tensors that stay the same: the base with an expert in place."""

import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from swarm.core.recipes import Recipe
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.merge_model import execute_plans

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
)


@contextmanager
def plain(model: nn.Module) -> Iterator[nn.Module]:
    """Within the context, the model without what an engine has hung on it: hooks, and layers that are skipped."""
    kept: list[tuple[nn.Module, Mapping[str, object]]] = []
    for module in model.modules():
        held = vars(module)
        kept.append((module, {name: held[name] for name in (*HOOKS, "forward") if name in held}))
        held.update({name: OrderedDict() for name in HOOKS if name in held})
        held.pop("forward", None)
    try:
        yield model
    finally:
        for module, found in kept:
            vars(module).update(found)


def shared_copy(model: nn.Module, own: frozenset[str]) -> nn.Module:
    """A copy that shares every parameter and buffer with the model, except those named in `own`."""
    with plain(model):
        tensors = model.state_dict(keep_vars=True)
        mine = {id(tensors[name]) for name in own}
        everything = [*model.parameters(), *model.buffers()]
        return copy.deepcopy(model, {id(each): each for each in everything if id(each) not in mine})


@torch.no_grad()
def with_recipe(model: nn.Module, merged: MergedWeights, recipe: Recipe) -> nn.Module:
    """A copy with a recipe's weights in place: the bits that `MergedWeights.put` gives the model itself.

    It has tensors of its own wherever any expert has an update, as the model's own ones change.
    """
    made = shared_copy(model, frozenset(each.place.live for each in merged.parameters))
    live = made.state_dict(keep_vars=True)
    execute_plans([(each.place.of(live[each.place.live]), each.plan(recipe)) for each in merged.parameters])
    return made
