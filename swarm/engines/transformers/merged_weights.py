"""Puts recipes into a model's parameters: pristine tensors and updates in, composed weights out."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swarm.core.errors import ExpertError
from swarm.core.recipes import Recipe
from swarm.experts.catalog import Catalog
from swarm.experts.merge_compiled import WORTH, OnePass
from swarm.experts.parallel import each
from swarm.experts.parameter_groups import group_index
from swarm.experts.updates import (
    Delta,
    Joined,
    LowRank,
    Mix,
    Replacement,
    Scratch,
    Term,
    Update,
    blocks,
    mix,
    to_device,
    write,
)

ALONE = 1 << 20  # elements in all: below, starting threads costs more than they save
SPARED = 0.5  # share of an accelerator's free memory that is left to activations


@dataclass(frozen=True)
class Touched:
    """A parameter that experts change: the live tensor, the base's pristine one, and each expert's update.

    joined: the low-rank updates side by side. Pristine and full tensors lie in memory-mapped files, which all
    processes of a node share, or on the accelerator.
    """

    name: str
    live: nn.Parameter
    pristine: Tensor
    updates: Mapping[str, Update]
    joined: Joined | None

    def mix(self, recipe: Recipe) -> Mix:
        """What the recipe means for this parameter."""
        return mix(self.pristine, terms_of(recipe, self.name, self.updates), recipe.weights.algebra, self.joined)


class Room:
    """Room for pristine and full tensors on a device. What no longer fits stays on the host and is streamed."""

    def __init__(self, device: torch.device, left: int | None = None) -> None:
        self._device = device
        self._left = _room(device) if left is None else left

    def placed(self, tensor: Tensor) -> Tensor:
        """The tensor on the device where it fits, else as it is."""
        if self._device.type == "cpu" or tensor.nbytes > self._left:
            return tensor
        self._left -= tensor.nbytes
        return tensor.to(self._device)

    def update(self, update: Update) -> Update:
        """The update with its full tensor so placed. Factors are small: they are always on the device."""
        if isinstance(update, LowRank):
            return to_device(update, self._device)
        if isinstance(update, Delta):
            return Delta(self.placed(update.delta))
        return Replacement(self.placed(update.value))


class Composer:
    """Holds what composing needs; `put` writes a recipe into the live model in place, block by block."""

    def __init__(self, model: nn.Module, catalog: Catalog, room: Room | None = None) -> None:
        live = dict(model.named_parameters())
        self._device = next(iter(live.values())).device
        room = room or Room(self._device)
        self.touched = [self._load(name, live, catalog, room) for name in catalog.parameters()]
        self._one_pass = OnePass() if _full(self.touched) >= WORTH else None
        self._in_place: Recipe | None = None

    @torch.no_grad()
    def put(self, recipe: Recipe) -> None:
        """Make the live parameters what the recipe means; nothing is done where they are so already."""
        if recipe == self._in_place:
            return
        self._in_place = None
        fill([(touched.live, touched.mix(recipe)) for touched in self.touched], self._one_pass)
        self._in_place = recipe

    @staticmethod
    def _load(name: str, live: Mapping[str, nn.Parameter], catalog: Catalog, room: Room) -> Touched:
        if name not in live:
            raise ExpertError(
                f"base {catalog.base.path}: transformers knows no parameter {name}; "
                "save the base again with this version of transformers"
            )
        pristine = room.placed(catalog.base.tensors.read(name))
        updates = {owner: room.update(update) for owner, update in updates_of(catalog, name).items()}
        return Touched(name, live[name], pristine, updates, Joined.of([*updates.values()], live[name].device))


def fill(parameters: Sequence[tuple[Tensor, Mix]], one_pass: OnePass | None = None) -> None:
    """Compute every mix into its tensor; on a CPU all cores take blocks of what is not compiled."""
    rest = [(out, whole) for out, whole in parameters if not (one_pass and one_pass.write(out, whole))]
    work = [(out, whole, rows) for out, whole in rest for rows in blocks(out.shape, whole, out.device)]
    kept = threading.local()

    def compute(block: tuple[Tensor, Mix, slice]) -> None:
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
    fill([(out, mix(base, terms, recipe.weights.algebra, Joined.of([*updates.values()], base.device)))])
    return out


def _full(parameters: Sequence[Touched]) -> int:
    """Weights in full updates, of all experts together."""
    updates = [(touched.pristine, update) for touched in parameters for update in touched.updates.values()]
    return sum(pristine.numel() for pristine, update in updates if not isinstance(update, LowRank))


def _room(device: torch.device) -> int:
    """Bytes that may be taken on an accelerator now."""
    if device.type != "cuda":
        return 0
    free, _ = torch.cuda.mem_get_info(device)
    return int(free * (1 - SPARED))
