"""Puts recipes into a model's parameters: pristine tensors and updates in, composed weights out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from swarm.core.errors import ExpertError
from swarm.core.recipes import Recipe
from swarm.experts.catalog import Catalog
from swarm.experts.loader_names import Place
from swarm.experts.merge import MergePlan, StackedFactors, merge_plan
from swarm.experts.merge_compiled import MIN_WEIGHTS, CompiledMerge
from swarm.experts.merge_model import execute_plans, terms_of, updates_of
from swarm.experts.updates import Delta, LowRank, Replacement, Update, to_device

PLACES, PER_PLACE = 32, 64  # where a parameter is compared with the file's tensor, and elements compared there
FOR_ACTIVATIONS = 0.5  # share of an accelerator's free memory that no pristine or full tensor may take


@dataclass(frozen=True)
class MergedParameter:
    """A parameter that experts change. Full tensors lie on the accelerator, or in memory-mapped files, which all
    processes of a node share.

    name: the parameter's name in the base's files.
    place: where it lies in the model.
    live: the model's own tensor, or the part of it that holds the composed weights.
    pristine: the base's tensor.
    updates: expert -> its update, of the experts that change the parameter.
    stacked: the low-rank updates side by side; None where there are none.
    """

    name: str
    place: Place
    live: Tensor
    pristine: Tensor
    updates: Mapping[str, Update]
    stacked: StackedFactors | None

    def plan(self, recipe: Recipe) -> MergePlan:
        """How the recipe's value of this parameter is computed."""
        terms = terms_of(recipe, self.name, self.updates)
        return merge_plan(self.pristine, terms, recipe.weights.algebra, self.stacked)


class DeviceBudget:
    """Bytes of an accelerator for pristine and full tensors. What no longer fits stays on the host and is streamed."""

    def __init__(self, device: torch.device, left: int | None = None) -> None:
        self._device = device
        self._left = _free_bytes(device) if left is None else left

    def place(self, tensor: Tensor) -> Tensor:
        """The tensor on the device where it fits, else as it is."""
        if self._device.type == "cpu" or tensor.nbytes > self._left:
            return tensor
        self._left -= tensor.nbytes
        return tensor.to(self._device)

    def place_update(self, update: Update) -> Update:
        """The update with its full tensor placed in this way. Factors are small: they are always on the device."""
        if isinstance(update, LowRank):
            return to_device(update, self._device)
        if isinstance(update, Delta):
            return Delta(self.place(update.delta))
        return Replacement(self.place(update.value))


class MergedWeights:
    """A live model with its base and experts; `put` writes a recipe into the model's parameters in place."""

    def __init__(self, model: nn.Module, catalog: Catalog, budget: DeviceBudget | None = None) -> None:
        budget = budget or DeviceBudget(next(model.parameters()).device)
        live = model.state_dict(keep_vars=True)
        self.parameters = [_load(name, live, catalog, budget) for name in catalog.parameters()]
        self._compiled = CompiledMerge() if _full_weights(self.parameters) >= MIN_WEIGHTS else None
        self._in_place: Recipe | None = None

    @torch.no_grad()
    def put(self, recipe: Recipe) -> None:
        """Give the live parameters the recipe's values; does nothing where they have them already."""
        if recipe == self._in_place:
            return
        self._in_place = None
        execute_plans([(parameter.live, parameter.plan(recipe)) for parameter in self.parameters], self._compiled)
        self._in_place = recipe


class UnmergedWeights(MergedWeights):
    """A live model whose weights are codes. Only the base itself is ever put in place: recipes stand beside it."""

    def __init__(self, model: nn.Module, catalog: Catalog) -> None:
        live, places = model.state_dict(keep_vars=True), catalog.base.layout.places
        device = next(model.parameters()).device
        self.parameters = [
            MergedParameter(
                name=name,
                place=places[name],
                live=live[places[name].live],
                pristine=live[places[name].live],
                updates={owner: to_device(update, device) for owner, update in updates_of(catalog, name).items()},
                stacked=None,
            )
            for name in catalog.parameters()
        ]

    def put(self, recipe: Recipe) -> None:
        assert not any(any(values) for values in recipe.weights.coefficients.values()), "nothing is merged into codes"


def _load(name: str, model: Mapping[str, Tensor], catalog: Catalog, budget: DeviceBudget) -> MergedParameter:
    place = catalog.base.layout.places[name]
    live = place.of(model[place.live])
    pristine = budget.place(catalog.base.tensors.read(name))
    if not _is_live(pristine, live):
        raise ExpertError(
            f"base {catalog.base.path}: transformers changes {name} on loading, so the file's tensor is not the "
            "model's; save the base again with this version of transformers, or use experts that leave it as it is"
        )
    updates = {owner: budget.place_update(update) for owner, update in updates_of(catalog, name).items()}
    stacked = StackedFactors.of([*updates.values()], live.device)
    return MergedParameter(name, place, live, pristine, updates, stacked)


@torch.no_grad()
def _is_live(pristine: Tensor, live: Tensor) -> bool:
    """Whether the model holds the base's tensor, in its own dtype: else the loader has fused, turned or renamed it.

    A large tensor is compared at places spread over all of it. Whatever a loader does shows there, and reading the
    whole base at once would make opening slower.
    """
    if pristine.shape != live.shape:
        return False
    if pristine.numel() <= PLACES * PER_PLACE:
        return torch.equal(pristine.to(live), live)
    starts = torch.linspace(0, pristine.numel() - PER_PLACE, PLACES, dtype=torch.float64).long()
    at = (starts[:, None] + torch.arange(PER_PLACE)).flatten()
    sample = pristine.flatten()[at.to(pristine.device)]
    return torch.equal(sample.to(live), live.flatten()[at.to(live.device)])


def _full_weights(parameters: Sequence[MergedParameter]) -> int:
    """Weights in full updates, of all experts together."""
    updates = [(parameter.pristine, update) for parameter in parameters for update in parameter.updates.values()]
    return sum(pristine.numel() for pristine, update in updates if not isinstance(update, LowRank))


def _free_bytes(device: torch.device) -> int:
    """Bytes of an accelerator that full tensors may take; 0 on a CPU, where nothing is moved."""
    if device.type != "cuda":
        return 0
    free, _ = torch.cuda.mem_get_info(device)
    return int(free * (1 - FOR_ACTIVATIONS))
