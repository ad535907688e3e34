"""A recipe as a small JSON file: coefficients, and the paths and fingerprints of base and experts."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationError, model_validator

from swarm.core.errors import ExpertError, UserError
from swarm.core.files import write_json
from swarm.core.recipes import ExpertKind, Recipe
from swarm.core.settings import Settings
from swarm.core.terminal_text import shortened
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.preparations import AnyPreparation
from swarm.experts.sparsify import Sparsification
from swarm.export.base import Exported, local_path
from swarm.journal.records import first_problem
from swarm.journal.strict_json import read_json
from swarm.journal.summary import Summary

FILE = "recipe.json"


def _possible(path: str) -> str:
    """Raises ValueError where no file can have this path."""
    if b"\0" in os.fsencode(path):
        raise ValueError("holds a null character")
    return path


class BaseEntry(Settings):
    """The base.

    path: where it was at the time of the export.
    fingerprint: of its weights.
    """

    path: Annotated[str, AfterValidator(_possible)]
    fingerprint: str


class ExpertEntry(BaseEntry):
    """An expert; path and fingerprint as for the base.

    name: its name in the coefficients.
    kind: adapter, checkpoint or vector.
    trim, dare, svd, prepare: its sparsification.
    """

    name: str
    kind: ExpertKind
    trim: float | None = None
    dare: float | None = None
    svd: int | None = None
    prepare: AnyPreparation | None = None

    @property
    def sparsification(self) -> Sparsification:
        return Sparsification(trim=self.trim, dare=self.dare, svd=self.svd, prepare=self.prepare)


class RecipeFile(Settings):
    """The content of recipe.json.

    format, version: what the file is.
    base, experts: what the coefficients refer to.
    recipe: the coefficients.
    dtype: the engine's, as torch names it.
    candidate: the recipe's candidate in the run.
    summary: the run's summary.json; {} where nothing was scored.
    config: the run's configuration in YAML; "" where it is not known.
    """

    format: Literal["swarm-recipe"] = "swarm-recipe"
    version: Literal[1] = 1
    base: BaseEntry
    experts: tuple[ExpertEntry, ...]
    recipe: Recipe
    dtype: Literal["float32", "bfloat16", "float16"]
    candidate: str
    summary: Annotated[Summary | None, BeforeValidator(lambda found: found or None)]
    config: str

    @model_validator(mode="after")
    def _complete(self) -> "RecipeFile":
        weights = self.recipe.weights
        for entry in self.experts:
            try:
                _ = entry.sparsification
            except ValidationError as error:
                raise ValueError(f"{entry.name}.{first_problem(error)}") from None
            if len(weights.coefficients.get(entry.name, ())) != len(weights.groups):
                raise ValueError(f"{entry.name} needs one coefficient for each of {len(weights.groups)} groups")
        if not weights.groups or "*" not in weights.groups[-1].patterns:
            raise ValueError('the last group needs the pattern "*"')
        return self


def write_recipe(what: Exported, folder: Path) -> None:
    """Fill `folder`."""
    content = RecipeFile.model_validate(
        {
            "base": {"path": local_path(what.catalog.base.path), "fingerprint": what.catalog.base.tensors.fingerprint},
            "experts": _experts(what.catalog),
            "recipe": what.recipe,
            "dtype": what.dtype,
            "candidate": what.candidate_id,
            "summary": what.summary,
            "config": what.config_yaml,
        }
    )
    summary = what.summary.content() if what.summary else {}
    experts = [entry.model_dump(exclude=None if entry.prepare else {"prepare"}) for entry in content.experts]
    write_json(folder / FILE, content.model_dump() | {"experts": experts, "summary": summary})


def read_recipe(path: Path) -> Exported:
    """Read a recipe file, or the folder that holds one, and open the base and experts that it refers to.

    Raises UserError where the file is not a recipe, ExpertError where base or experts are missing or have changed.
    """
    file = path / FILE if path.is_dir() else path
    try:
        content = RecipeFile.model_validate(read_json(file.read_bytes()))
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); give a file written by --format recipe") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        why = first["msg"].removeprefix("Value error, ")
        reason = f"{shortened(where)} is wrong ({shortened(why, 200)})"
        raise UserError(f"{file}: {reason}; export the recipe again") from None
    except ValueError as error:
        raise UserError(f"{file} is not JSON ({error}); give a file written by --format recipe") from None
    return Exported(
        catalog=_open(content, file),
        recipe=content.recipe,
        dtype=content.dtype,
        summary=content.summary,
        config_yaml=content.config,
        candidate_id=content.candidate,
    )


def _experts(catalog: Catalog) -> list[dict[str, object]]:
    return [
        {
            "name": expert.name,
            "path": local_path(expert.path),
            "fingerprint": expert.fingerprint,
            "kind": expert.kind,
            **expert.sparsification.model_dump(),
        }
        for expert in catalog.experts
    ]


def _open(content: RecipeFile, file: Path) -> Catalog:
    specs = [ExpertSpec(entry.name, Path(entry.path), entry.sparsification) for entry in content.experts]
    catalog = open_catalog(Path(content.base.path), specs)
    _check_fingerprint("base", content.base, catalog.base.tensors.fingerprint, file)
    for entry, expert in zip(content.experts, catalog.experts, strict=True):
        _check_fingerprint(f"expert {entry.name}", entry, expert.fingerprint, file)
    return catalog


def _check_fingerprint(owner: str, entry: BaseEntry, found: str, file: Path) -> None:
    if found != entry.fingerprint:
        raise ExpertError(
            f"{owner}: {entry.path} has the fingerprint {found}, but {file} was made with "
            f"{shortened(entry.fingerprint)}; put back the weights that were searched"
        )
