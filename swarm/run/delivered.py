"""What an export holds, opened: the base with its experts, the recipe, and the dtype it was made for."""

import os
from dataclasses import dataclass
from pathlib import Path

from swarm.compositions.weights import Weights
from swarm.config.references import find
from swarm.core.errors import RunError, UserError
from swarm.core.recipes import Recipe
from swarm.experts.adapter_config import read_adapter_config
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.safetensors_files import read_json
from swarm.export import read_recipe
from swarm.export.mergekit import FILE as MERGEKIT_FILE
from swarm.export.recipe import FILE as RECIPE_FILE
from swarm.run.directory import BEST, CONFIG

NAMES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}  # of dtypes, as files have them and as engines do
ADAPTER, MODEL = "adapter_config.json", "config.json"
DTYPES = tuple(NAMES.values())


@dataclass(frozen=True)
class Delivered:
    """A weighting that can be run.

    dtype: of its weights, as the engine names it.
    """

    catalog: Catalog
    recipe: Recipe
    dtype: str


def open_delivered(path: Path, dtype: str = "") -> Delivered:
    """What a path holds: an export of any form but mergekit's, or a run's directory, whose best it is then.

    dtype: another one than it was made for; "" for that one. An adapter alone does not say: it gets the base's.

    Raises UserError where there is none, or base or experts are missing or have changed.
    """
    if dtype and dtype not in DTYPES:
        raise UserError(f"dtype: {dtype!r} is unknown; use one of {', '.join(DTYPES)}")
    found = _opened(_place(path))
    return Delivered(found.catalog, found.recipe, dtype or found.dtype)


def _place(path: Path) -> Path:
    """The export: the path itself, or best/ of a run."""
    if os.path.isfile(path / CONFIG) and not os.path.isfile(path / MODEL):
        if not os.path.isdir(path / BEST):
            raise RunError(
                f"{path} has no {BEST}/: the run has not ended; swarm resume it, or swarm export a candidate"
            )
        return path / BEST
    return path


def _opened(path: Path) -> Delivered:
    if os.path.isfile(path) or os.path.isfile(path / RECIPE_FILE):
        what = read_recipe(path)
        return Delivered(what.catalog, what.recipe, what.dtype)
    if os.path.isfile(path / MERGEKIT_FILE):
        raise UserError(f"{path} holds a configuration of mergekit, and no model; run mergekit-yaml on {MERGEKIT_FILE}")
    if os.path.isfile(path / ADAPTER):
        return _adapter(path)
    if os.path.isfile(path / MODEL):
        return _alone(open_catalog(path, []), ())
    raise UserError(
        f"{path} is no export: it holds no {MODEL}, {ADAPTER} or {RECIPE_FILE}; give a folder of swarm export, or a "
        "run's directory"
    )


def _adapter(path: Path) -> Delivered:
    recorded = read_json(path / ADAPTER, str(path)).get("base_model_name_or_path")
    if not isinstance(recorded, str) or not recorded:
        raise UserError(f"{path / ADAPTER} does not name its base; write base_model_name_or_path there")
    read_adapter_config(path)
    base = find(recorded, path, f"{path / ADAPTER}: base_model_name_or_path")
    return _alone(open_catalog(base, [ExpertSpec("best", path)]), (1.0,))


def _alone(catalog: Catalog, position: tuple[float, ...]) -> Delivered:
    """These coefficients on weights, in the dtype of most of the base's tensors."""
    stored = [info.dtype for info in catalog.base.tensors.info.values() if info.dtype in NAMES]
    dtype = NAMES[max(set(stored), key=stored.count)] if stored else "float32"
    return Delivered(catalog, Weights().recipe(position, catalog), dtype)
