"""What is exported: a recipe with its base and experts, and what is known of its quality."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from swarm.core.recipe_places import is_plain, merged_names, path_names
from swarm.core.recipes import Recipe
from swarm.experts.catalog import Catalog
from swarm.experts.composed_adapter import ComposedAdapter, composed_adapter
from swarm.experts.expert import Expert
from swarm.experts.lora import Adapter
from swarm.experts.path_models import PathModel
from swarm.experts.rank_reduction import ReducedAdapter
from swarm.journal.summary import SplitScores, Summary

CACHED = re.compile(r"models--(?P<owner>[^/]+?)--(?P<name>[^/]+)/snapshots/")  # in a folder of the hub's cache


@dataclass(frozen=True)
class OtherCandidate:
    """What a run knows of a candidate that it did not select.

    scores: those in the journal.
    missing: split -> why a candidate that was tried there has no score.
    summary: the run's, which names the selected one; None while the run has not ended.
    """

    scores: SplitScores
    missing: Mapping[str, str]
    summary: Summary | None


@dataclass(frozen=True)
class Exported:
    """A recipe to be written out.

    catalog: the base and experts that it refers to.
    recipe: the coefficients.
    dtype: the engine's, as torch names it ("bfloat16").
    summary: of the run whose best this is; None where there is none.
    config_yaml: the run's configuration; "" where it is not known.
    candidate_id: the recipe's candidate in the run.
    other: what the run knows of it where it is not the run's best.
    choice: how it was chosen after the search, as the end of a sentence; "" where it was not.
    reduced: the adapter at a lower rank, which takes its place; None where the whole one is written.
    repository: the hub's repository that it is for, as OWNER/NAME; its files then name no folder of this machine.
    on_step: called with the tensors that a checkpoint holds already, and how many it will.
    """

    catalog: Catalog
    recipe: Recipe
    dtype: str
    summary: Summary | None
    config_yaml: str
    candidate_id: str
    other: OtherCandidate | None = None
    choice: str = ""
    reduced: ReducedAdapter | None = None
    repository: str = ""
    on_step: Callable[[int, int], None] = field(default=lambda done, of: None, compare=False)

    @property
    def torch_dtype(self) -> torch.dtype:
        dtype = getattr(torch, self.dtype)
        assert isinstance(dtype, torch.dtype), "engines admit only names of dtypes"
        return dtype

    @property
    def adapter(self) -> ComposedAdapter:
        """The adapter to be written. Every expert in use must have low-rank updates alone."""
        return self.reduced.adapter if self.reduced else composed_adapter(self.catalog, self.recipe)

    @property
    def plain(self) -> bool:
        """Whether weights are all: nothing acts on logits, and no router chooses."""
        return is_plain(self.recipe)

    @property
    def merged(self) -> tuple[Expert, ...]:
        """The experts with a coefficient other than 0 on weights."""
        names = merged_names(self.recipe)
        return tuple(expert for expert in self.catalog.experts if expert.name in names)

    @property
    def active(self) -> tuple[Expert | PathModel, ...]:
        """All that the recipe uses: with a coefficient other than 0 on weights or on logits, or a scale of a router."""
        names = merged_names(self.recipe) | path_names(self.recipe)
        return tuple(source for source in self.catalog.sources if source.name in names)


def kind_of(expert: Expert | PathModel) -> str:
    """What an expert is, in the words of messages and model cards."""
    if not isinstance(expert, Expert):
        return {"pair": "pair of models", "control": "control layer"}[expert.kind]
    if expert.sparsification.prunes:
        return "sparsified expert"
    if isinstance(expert.source, Adapter):
        return expert.source.kind
    return {"vector": "alignment vector", "checkpoint": "full checkpoint"}[expert.kind]


def sparsification_of(expert: Expert) -> str:
    """How an expert is sparsified: "trim 0.2, svd 8", "ties (density 0.5)", or ""."""
    settings = expert.sparsification.model_dump(exclude_none=True, exclude={"prepare"})
    found = [f"{name} {value:g}" for name, value in settings.items()]
    if prepare := expert.sparsification.prepare:
        given = prepare.model_dump(exclude={"type"}, exclude_defaults=True).items()
        chosen = ", ".join(f"{name} {value}" for name, value in given)
        found.append(f"{prepare.type} ({chosen})" if chosen else prepare.type)
    return ", ".join(found)


def local_path(path: Path) -> str:
    """The path as exports hold it: absolute, symbolic links not resolved."""
    return str(path.absolute())


def hub_id(path: Path) -> str:
    """The id of the repository that a folder was downloaded from, as the hub's cache has it; "" for another folder."""
    found = CACHED.search(local_path(path))
    return f"{found['owner']}/{found['name']}" if found else ""


def hub_ids(what: Exported) -> tuple[str, ...]:
    """The hub's ids of the base and of the experts in use, in that order and each once, as far as they have one."""
    paths = (what.catalog.base.path, *(expert.path for expert in what.active))
    return tuple(dict.fromkeys(filter(None, map(hub_id, paths))))


def named_path(path: Path, what: Exported) -> str:
    """How the export's files name a base or an expert: by its path, or for the hub by its id there, or ""."""
    return hub_id(path) if what.repository else local_path(path)
