"""A recipe as a small JSON file: coefficients, and the paths and fingerprints of all that they refer to.

Version 1 holds coefficients on weights; version 2 also those on logits, routing, and what acts there: pairs of models,
control layers, a router. What needs no more is written as version 1.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationError, model_validator

from swarm.core.errors import ExpertError, UserError
from swarm.core.files import write_json
from swarm.core.recipe_places import merged_names
from swarm.core.recipes import ExpertKind, ModelKind, Recipe
from swarm.core.settings import Settings
from swarm.core.terminal_text import shortened
from swarm.experts.catalog import Catalog, ExpertSpec, open_catalog
from swarm.experts.expert import Expert
from swarm.experts.path_models import BASE, ModelPair, PathModel
from swarm.experts.preparations import AnyPreparation
from swarm.experts.router_files import check_router, fingerprint
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
    """An expert or a model that acts on logits alone; path and fingerprint as for the base.

    name: its name in the coefficients.
    kind: adapter, checkpoint or vector; pair or control of what acts on logits alone.
    trim, dare, svd, prepare: its sparsification.
    minus: of a pair, the folder of the model that is subtracted, or "base".
    """

    name: str
    kind: ExpertKind | ModelKind
    trim: float | None = None
    dare: float | None = None
    svd: int | None = None
    prepare: AnyPreparation | None = None
    minus: Annotated[str, AfterValidator(_possible)] | None = None

    @property
    def acts_on_logits(self) -> bool:
        return self.kind in ("pair", "control")

    @property
    def spec(self) -> ExpertSpec:
        """Its fingerprint says that it is what the run has checked against the base, so that is not asked again."""
        minus = None if self.minus is None else Path(self.minus)
        return ExpertSpec(self.name, Path(self.path), self.sparsification, self.kind in ("adapter", "vector"), minus)

    @property
    def sparsification(self) -> Sparsification:
        return Sparsification(trim=self.trim, dare=self.dare, svd=self.svd, prepare=self.prepare)


class RecipeFile(Settings):
    """The content of recipe.json.

    format, version: what the file is.
    base, experts: what the coefficients refer to.
    router: the folder of the router, where the recipe has routing.
    recipe: the coefficients.
    dtype: the engine's, as torch names it.
    candidate: the recipe's candidate in the run.
    summary: the run's summary.json; {} where nothing was scored.
    config: the run's configuration in YAML; "" where it is not known.
    """

    format: Literal["swarm-recipe"] = "swarm-recipe"
    version: Literal[1, 2] = 1
    base: BaseEntry
    experts: tuple[ExpertEntry, ...]
    router: BaseEntry | None = None
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
            if entry.acts_on_logits:
                if (entry.kind == "pair") != (entry.minus is not None):
                    raise ValueError(f"{entry.name}: minus is for a pair of models, which has one")
            elif len(weights.coefficients.get(entry.name, ())) != len(weights.groups):
                raise ValueError(f"{entry.name} needs one coefficient for each of {len(weights.groups)} groups")
        if not weights.groups or "*" not in weights.groups[-1].patterns:
            raise ValueError('the last group needs the pattern "*"')
        self._check_names()
        return self

    def _check_names(self) -> None:
        """Raise ValueError where a coefficient is of what the file does not name, or routing has no router."""
        known = {entry.name for entry in self.experts}
        routing = self.recipe.routing
        logits = self.recipe.logits.coefficients if self.recipe.logits else {}
        routed = {**routing.scales, **routing.biases} if routing else {}
        for name in (*merged_names(self.recipe), *logits, *routed):
            if name not in known:
                raise ValueError(f"{name} has a coefficient and is not among the experts")
        if (routing is None) != (self.router is None):
            raise ValueError("routing needs a router, and a router needs routing")


def write_recipe(what: Exported, folder: Path) -> None:
    """Fill `folder`."""
    recipe, router = what.recipe, None
    if recipe.routing:
        place = Path(recipe.routing.router)
        router = {"path": local_path(place), "fingerprint": fingerprint(place)}
    beyond = recipe.logits is not None or recipe.routing is not None or bool(what.catalog.models)
    content = RecipeFile.model_validate(
        {
            "version": 2 if beyond else 1,
            "base": {"path": local_path(what.catalog.base.path), "fingerprint": what.catalog.base.tensors.fingerprint},
            "experts": [_entry(source) for source in what.catalog.sources],
            "router": router,
            "recipe": recipe,
            "dtype": what.dtype,
            "candidate": what.candidate_id,
            "summary": what.summary,
            "config": what.config_yaml,
        }
    )
    write_json(folder / FILE, _written(content, what.summary))


def _written(content: RecipeFile, summary: Summary | None) -> dict[str, object]:
    """The content of the file, without keys of places that the recipe does not use."""
    found: dict[str, object] = content.model_dump()
    found["experts"] = [
        entry.model_dump(exclude={key for key in ("prepare", "minus") if getattr(entry, key) is None})
        for entry in content.experts
    ]
    places = content.model_dump()["recipe"]
    found["recipe"] = {key: value for key, value in places.items() if value is not None}
    found["summary"] = summary.content() if summary else {}
    return found if content.router else {key: value for key, value in found.items() if key != "router"}


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
        catalog=(catalog := _open(content, file)),
        recipe=_routed(content, catalog, file),
        dtype=content.dtype,
        summary=content.summary,
        config_yaml=content.config,
        candidate_id=content.candidate,
    )


def specs_of(what: Exported) -> tuple[ExpertSpec, ...]:
    """How to open the experts of what was read from a recipe once more."""
    return tuple(ExpertEntry.model_validate(_entry(source)).spec for source in what.catalog.sources)


def _entry(source: Expert | PathModel) -> Mapping[str, object]:
    known: dict[str, object] = {
        "name": source.name,
        "path": local_path(source.path),
        "fingerprint": source.fingerprint,
        "kind": source.kind,
    }
    if isinstance(source, Expert):
        return known | source.sparsification.model_dump()
    if isinstance(source, ModelPair):
        return known | {"minus": BASE if source.minus is None else local_path(source.minus.path)}
    return known


def _open(content: RecipeFile, file: Path) -> Catalog:
    catalog = open_catalog(Path(content.base.path), [entry.spec for entry in content.experts])
    _check_fingerprint("base", content.base, catalog.base.tensors.fingerprint, file)
    for entry, found in _opened(content, catalog):
        if found.kind != entry.kind:
            raise ExpertError(
                f"expert {entry.name}: {entry.path} is a {found.kind}, but {file} was made with a {entry.kind}; put "
                "back what was searched"
            )
        _check_fingerprint(f"expert {entry.name}", entry, found.fingerprint, file)
    return catalog


def _opened(content: RecipeFile, catalog: Catalog) -> Iterator[tuple[ExpertEntry, Expert | PathModel]]:
    found = {source.name: source for source in catalog.sources}
    return ((entry, found[entry.name]) for entry in content.experts)


def _routed(content: RecipeFile, catalog: Catalog, file: Path) -> Recipe:
    """The recipe, with its router where the file says that it is."""
    recipe, entry = content.recipe, content.router
    if recipe.routing is None or entry is None:
        return recipe
    check_router(Path(entry.path), catalog)
    _check_fingerprint("router", entry, fingerprint(Path(entry.path)), file)
    return replace(recipe, routing=replace(recipe.routing, router=entry.path))


def _check_fingerprint(owner: str, entry: BaseEntry, found: str, file: Path) -> None:
    if found != entry.fingerprint:
        raise ExpertError(
            f"{owner}: {entry.path} has the fingerprint {found}, but {file} was made with "
            f"{shortened(entry.fingerprint)}; put back the weights that were searched"
        )
