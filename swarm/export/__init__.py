"""Exports: a recipe written out in a form that other tools load.

hf        a checkpoint in the engine's dtype: what was scored, bit for bit. Loads with transformers.
adapter   one PEFT LoRA adapter, exact in float32. Loads with PEFT. Only from LoRA experts.
mergekit  a task_arithmetic configuration that mergekit turns into the checkpoint. Only `algebra: delta`, no vectors.
recipe    a small JSON file with coefficients and fingerprints, which `swarm.load` opens as a model. The only form of
          what combines logits or routes; `swarm export` turns the rest into any other form.

Each is a folder with a model card (README.md), written whole or not at all. base.py: what is exported; card.py: the
model card; whole.py: what an export must hold, checked before it takes its name; a file for each form.

To add a form:
1. Write `swarm/export/NAME.py` with a function that takes an Exported and an empty folder and fills the folder.
2. Add its line to EXPORTS, and what it must hold to `whole.py`. Where it cannot hold every recipe, add a function to
   CHECKS that raises UserError, too.
The command `swarm export`, the model card and the tests that all forms must pass take it from there.

May import: core, experts, journal. Must never hold: an engine, or arithmetic on weights; experts/ has that, so that an
export has the bits that an engine scored.
"""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from swarm.core.errors import ExportError, UserError
from swarm.core.files import replaced_directory, write_text
from swarm.experts.path_models import folders_of
from swarm.export.adapter import check_adapter, write_adapter
from swarm.export.base import Exported
from swarm.export.card import model_card
from swarm.export.hf import write_checkpoint
from swarm.export.mergekit import mergekit_config, write_mergekit
from swarm.export.recipe import read_recipe, write_recipe
from swarm.export.whole import CARD, check_composed, lack_of

EXPORTS: dict[str, Callable[[Exported, Path], None]] = {
    "hf": write_checkpoint,
    "adapter": write_adapter,
    "mergekit": write_mergekit,
    "recipe": write_recipe,
}

# For forms that cannot hold every recipe: each raises UserError where the form cannot. They read no weights.
CHECKS: dict[str, Callable[[Exported], object]] = {
    "adapter": check_adapter,
    "mergekit": mergekit_config,
}

WEIGHTS = ("hf", "mergekit")  # forms that are made of the base's weights

__all__ = ["EXPORTS", "Exported", "check_form", "export", "lack_of", "read_recipe"]


def check_form(what: Exported, format: str) -> None:
    """Raise UserError where there is no such form or it cannot hold the recipe. Quick enough to be called up front."""
    if format not in EXPORTS:
        near = get_close_matches(format, EXPORTS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"--format: {format!r} is unknown; use one of {', '.join(EXPORTS)}{hint}")
    if format != "recipe" and not what.plain:
        acts = "routes each prompt" if what.recipe.routing else "combines logits of several models"
        raise UserError(
            f"--format: {format} holds one model's weights, and this weighting {acts}; use recipe (export.format in a "
            "config), which swarm.load opens"
        )
    if format in WEIGHTS and what.catalog.base.codes:
        raise UserError(
            f"--format: {format} holds whole weights, but base {what.catalog.base.path} is quantised; use adapter or "
            "recipe (export.format in a config)"
        )
    if format in CHECKS:
        CHECKS[format](what)


def export(what: Exported, dest: Path, format: str, overwrite: bool = False) -> Path:
    """Write the recipe to the folder `dest`, whole or not at all; returns `dest`.

    format: one of EXPORTS. overwrite: whether a folder that holds something may be replaced.

    Raises UserError where the form cannot hold this recipe, ExpertError where its weights are not finite, RunError
    where `dest` cannot be written.
    """
    check_form(what, format)
    _check_apart_from_sources(what, dest)
    with replaced_directory(dest, overwrite) as folder:
        if format != "hf":  # a checkpoint's tensors are checked as they are written
            check_composed(what)
        EXPORTS[format](what, folder)
        write_text(folder / CARD, model_card(what, format))
        if lack := lack_of(what, folder, format):
            raise ExportError(f"{dest} is not written, as it would not be whole ({lack}); please report this")
    return dest


def _check_apart_from_sources(what: Exported, dest: Path) -> None:
    """Raise UserError where the folder to be replaced holds the base or an expert."""
    place = dest.resolve()
    models = (folder for model in what.catalog.models for folder, _ in folders_of(model))
    routers = [Path(what.recipe.routing.router)] if what.recipe.routing else []
    for path in (what.catalog.base.path, *(expert.path for expert in what.catalog.experts), *models, *routers):
        if path.resolve().is_relative_to(place):
            raise UserError(f"{dest} holds {path}, which the export is made from; choose another folder")
