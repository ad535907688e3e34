"""A router on disk: a folder with its arrays in router.safetensors and the rest in router.json.

Written by `swarm fit-router`. It belongs to one base and one list of experts, whose fingerprints it holds.
"""

from collections.abc import Mapping
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError
from safetensors.numpy import save_file

from swarm.core.errors import ExpertError
from swarm.core.files import write_json
from swarm.core.settings import Settings
from swarm.core.terminal_text import shortened, shortened_path
from swarm.experts.calibrators import Calibration
from swarm.experts.catalog import Catalog
from swarm.experts.expert import Base
from swarm.experts.router import Router
from swarm.experts.router_geometry import Geometry
from swarm.experts.safetensors_files import TensorFiles, read_json

ARRAYS, ABOUT = "router.safetensors", "router.json"
AXES = {
    "mean_H": "H",
    "components_HK": "HK",
    "points_MK": "MK",
    "best_ME": "ME",
    "centres_EK": "EK",
    "whitening_KK": "KK",
    "radii_R": "R",
    "dimensions_E": "E",
    "fractal_ME": "ME",
    "natural_ME": "ME",
}
REMEDY = "fit it again with swarm fit-router CONFIG -o DIR"
Positive = Annotated[float, Field(gt=0)]


class About(Settings):
    """The content of router.json.

    format, version: what the folder is. Version 1 had the same arrays, and calibrators of r instead of its log-odds.
    base: fingerprint of the base. experts: name -> fingerprint, in the order of the arrays.
    layer, calibration, spreads, report: as in Router.
    """

    format: Literal["swarm-router"] = "swarm-router"
    version: Literal[2] = 2
    base: str
    experts: dict[str, str] = Field(min_length=2)
    layer: int = Field(ge=0)
    calibration: Calibration
    spreads: tuple[Positive, Positive]
    report: dict[str, object] = Field(default_factory=dict)


def write_router(router: Router, folder: Path) -> None:
    """Fill `folder`. Raises RunError where it cannot be written."""
    arrays = {each.name: getattr(router.geometry, each.name) for each in fields(router.geometry)}
    arrays |= {"fractal_ME": router.fractal_ME, "natural_ME": router.natural_ME}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / ARRAYS)
    about = About(
        base=router.base,
        experts=router.experts,
        layer=router.layer,
        calibration=router.calibration,
        spreads=router.spreads,
        report=router.report,
    )
    write_json(folder / ABOUT, about.model_dump(mode="json"))


def open_router(path: Path, catalog: Catalog) -> Router:
    """The router in a folder, for a base and all that has a coefficient beside it.

    Raises ExpertError where the folder holds no router, or one of another base or of other experts, or is damaged.
    """
    about = check_router(path, catalog)
    arrays = _arrays(TensorFiles((path / ARRAYS,)))
    geometry = Geometry(**{each.name: arrays[each.name] for each in fields(Geometry)})
    return Router(
        base=about.base,
        experts=about.experts,
        layer=about.layer,
        calibration=about.calibration,
        geometry=geometry,
        spreads=about.spreads,
        fractal_ME=arrays["fractal_ME"],
        natural_ME=arrays["natural_ME"],
        report=about.report,
    )


def check_router(path: Path, catalog: Catalog) -> About:
    """What router.json says, where the router belongs to this base and these experts.

    Of the arrays the shapes are checked; they are not read. Raises ExpertError.
    """
    if not (path / ABOUT).is_file():
        raise ExpertError(f"router {shortened_path(path)} is no folder with a {ABOUT}; make one with swarm fit-router")
    try:
        content = read_json(path / ABOUT, f"router {path}")
        if content.get("version") == 1:
            raise ExpertError(f"router {path}: its version is 1, which stands for other probabilities; {REMEDY}")
        about = About.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ExpertError(f"router {path}: {shortened(where)} in {ABOUT} is wrong ({first['msg']}); {REMEDY}") from None
    if about.base != catalog.base.tensors.fingerprint:
        raise ExpertError(
            f"router {path}: it was fitted to a base with fingerprint {shortened(about.base, 32)}, and "
            f"{catalog.base.path} has {catalog.base.tensors.fingerprint}; {REMEDY}"
        )
    _check_experts(path, about.experts, {each.name: each.fingerprint for each in catalog.sources})
    _check_features(path, about, catalog.base)
    return about


def fingerprint(path: Path) -> str:
    """16 hex digits over both files of a router's folder. Raises ExpertError where one cannot be read."""
    try:
        return sha256(b"".join((path / name).read_bytes() for name in (ABOUT, ARRAYS))).hexdigest()[:16]
    except OSError as error:
        raise ExpertError(f"router {path}: it cannot be read ({error.strerror}); {REMEDY}") from None


def _check_experts(path: Path, fitted: Mapping[str, str], given: Mapping[str, str]) -> None:
    for name in fitted.keys() ^ given.keys():
        whose = "the router knows, and the config does not" if name in fitted else "the router does not know"
        raise ExpertError(f"router {path}: {shortened(name)} is an expert that {whose}; {REMEDY}")
    for name, known in fitted.items():
        if known != given[name]:
            raise ExpertError(
                f"router {path}: expert {name} has fingerprint {given[name]}, and the router was fitted to one with "
                f"{shortened(known, 32)}; {REMEDY}"
            )


def _check_features(path: Path, about: About, base: Base) -> None:
    """Raise ExpertError unless the router reads hidden states that the base has, and its arrays fit each other."""
    config = base.architecture.model.config.get_text_config()
    if about.layer > config.num_hidden_layers:
        raise ExpertError(
            f"router {path}: it reads layer {about.layer}, and {base.path} has {config.num_hidden_layers}; {REMEDY}"
        )
    file = path / ARRAYS
    files, sizes = TensorFiles((file,)), {"E": len(about.experts), "H": int(config.hidden_size)}
    for name, axes in AXES.items():
        if name not in files.info:
            raise ExpertError(f"{file}: the array {name} is missing; {REMEDY}")
        info, wanted = files.info[name], "BOOL" if name == "best_ME" else "F64"
        fits = len(axes) == len(info.shape) and all(
            sizes.setdefault(axis, size) == size for axis, size in zip(axes, info.shape, strict=True)
        )
        if axes == "H" and not fits:
            raise ExpertError(
                f"{file}: {name} has the shape {list(info.shape)}, and hidden states of {base.path} have "
                f"{sizes['H']} numbers; {REMEDY}"
            )
        if info.dtype != wanted or not fits:
            raise ExpertError(f"{file}: {name} is not what a router holds; {REMEDY}")


def _arrays(files: TensorFiles) -> dict[str, Any]:
    """Every array. Raises ExpertError for values that are not finite."""
    found = {name: files.read(name).numpy() for name in AXES}
    for name, array in found.items():
        if not np.isfinite(array).all():
            raise ExpertError(f"{files.files[0]}: {name} is not what a router holds; {REMEDY}")
    return found
