"""Puts recipes into a model's parameters: pristine tensors and updates in, composed weights out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swarm.core.errors import ExpertError
from swarm.core.recipes import Recipe
from swarm.experts.catalog import Catalog
from swarm.experts.merge import MergePlan, StackedFactors, merge_plan
from swarm.experts.merge_compiled import WORTH, OnePass
from swarm.experts.merge_model import fill, terms_of, updates_of
from swarm.experts.updates import Delta, LowRank, Replacement, Update, to_device

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
    stacked: StackedFactors | None

    def merge_plan(self, recipe: Recipe) -> MergePlan:
        """What the recipe means for this parameter."""
        return merge_plan(
            self.pristine, terms_of(recipe, self.name, self.updates), recipe.weights.algebra, self.stacked
        )


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
        fill([(touched.live, touched.merge_plan(recipe)) for touched in self.touched], self._one_pass)
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
        return Touched(name, live[name], pristine, updates, StackedFactors.of([*updates.values()], live[name].device))


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
