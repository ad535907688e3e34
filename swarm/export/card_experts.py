"""The model card's table of experts: what each is, and its coefficient in each place where it acts."""

from collections.abc import Sequence
from dataclasses import dataclass

from swarm.core.recipes import Recipe
from swarm.experts.expert import Expert
from swarm.experts.path_models import ModelPair, PathModel
from swarm.export.base import Exported, kind_of, named_path, sparsification_of

UNNAMED = "not on the hub"  # in place of a folder of this machine, where a card is for the hub
ABSENT = "–"


@dataclass(frozen=True)
class ExpertRow:
    """One row of the table of experts; one cell per place."""

    name: str
    kind: str
    path: str
    fingerprint: str
    cells: tuple[str, ...]


def places_of(what: Exported) -> list[str]:
    """The headings of coefficients: groups of weights, and where the recipe has them, logits or a router."""
    groups = [group.name for group in what.recipe.weights.groups]
    weights = ["coefficient"] if len(groups) == 1 else groups
    if not _beyond(what.recipe):
        return weights
    on_weights = [f"on weights ({name})" if len(groups) > 1 else "on weights" for name in groups]
    return [*(on_weights if what.merged else []), *(["scale", "bias"] if what.recipe.routing else ["on logits"])]


def expert_rows(what: Exported) -> list[ExpertRow]:
    """All that has a coefficient, in the config's order, unused ones too."""
    return [
        ExpertRow(
            name=source.name,
            kind=", ".join(filter(None, (kind_of(source), _details(source, what)))),
            path=named_path(source.path, what) or UNNAMED,
            fingerprint=source.fingerprint,
            cells=tuple(_cells(source.name, what)),
        )
        for source in what.catalog.sources
    ]


def _beyond(recipe: Recipe) -> bool:
    return recipe.logits is not None or recipe.routing is not None


def _cells(name: str, what: Exported) -> Sequence[str]:
    recipe = what.recipe
    values = recipe.weights.coefficients.get(name)
    weights = [ABSENT] * len(recipe.weights.groups) if values is None else [_number(value) for value in values]
    if not _beyond(recipe):
        return weights
    shown = weights if what.merged else []
    if recipe.routing:
        return [*shown, *(_number(of.get(name)) for of in (recipe.routing.scales, recipe.routing.biases))]
    return [*shown, _number(recipe.logits.coefficients.get(name) if recipe.logits else None)]


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.6g}"


def _details(source: Expert | PathModel, what: Exported) -> str:
    """How an expert is sparsified, or what a pair subtracts."""
    if isinstance(source, Expert):
        return sparsification_of(source)
    if not isinstance(source, ModelPair):
        return ""
    return f"minus {named_path(source.minus.path, what) or UNNAMED if source.minus else 'the base'}"
