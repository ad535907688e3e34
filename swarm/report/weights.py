"""The weights of objectives, the bounds and what the optimizer climbs, which only the run's config.yaml holds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from swarm.core.errors import RunError, first_line
from swarm.journal.router_use import STRENGTH

CONFIG = "config.yaml"
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Stated:
    """What the config states.

    weights: objective -> weight.
    bounds: the lowest and the highest coefficient that a bounded optimizer tries.
    soft: whether the optimizer learns from smoothed scores where there are any.
    """

    weights: Mapping[str, float]
    bounds: Bounds | None
    soft: bool


def read_stated(run_dir: Path, objectives: tuple[str, ...]) -> Stated:
    """As `read_weights`, with the rest."""
    return Stated(read_weights(run_dir, objectives), read_bounds(run_dir), read_soft(run_dir))


def read_weights(run_dir: Path, objectives: tuple[str, ...]) -> Mapping[str, float]:
    """1 for each where the directory holds no config. Raises RunError where it is not valid YAML."""
    path, config = run_dir / CONFIG, written_config(run_dir)
    stated = config.get("objectives") if isinstance(config, Mapping) else ()
    try:
        found = {one["name"]: float(one.get("weight", 1.0)) for one in stated or ()}
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        found = {"": math.nan}
    usable = all(math.isfinite(weight) and weight >= 0 for weight in found.values())
    if not usable or (found and not any(found.values())):
        raise RunError(f"{path}: objectives is not what the run wrote; put back the file that the run wrote")
    return {name: found.get(name, 1.0) for name in objectives}


def read_bounds(run_dir: Path) -> Bounds | None:
    """The lowest and the highest coefficient that a bounded optimizer tries; None where the config does not say."""
    config = written_config(run_dir)
    stated = config.get("composition") if isinstance(config, Mapping) else None
    ends = [stated.get(key) for key in ("low", "high")] if isinstance(stated, Mapping) else []
    found = [float(end) for end in ends if isinstance(end, int | float) and math.isfinite(end)]
    return (found[0], found[1]) if len(found) == 2 and found[0] < found[1] else None


def read_scales(run_dir: Path) -> Mapping[str, float]:
    """Coordinate -> the coefficient of one unit of a position, where the composition has such; 1 for the others."""
    config = written_config(run_dir)
    stated = config.get("composition") if isinstance(config, Mapping) else None
    scales = stated.get("scales") if isinstance(stated, Mapping) else None
    found = scales.items() if isinstance(scales, Mapping) else ()
    return {str(name): float(x) for name, x in found if isinstance(x, int | float) and math.isfinite(x)}


def in_units(position: Mapping[str, float], scales: Mapping[str, float]) -> dict[str, float]:
    """Coordinate -> its coefficient, from a position by coordinate; a router's strength as it acts."""
    return {name: acting(name, x * scales.get(name, 1.0)) for name, x in position.items()}


def acting(coordinate: str, coefficient: float) -> float:
    """A router's strength cut to 0 to 1, and every other coefficient as it is."""
    return min(1.0, max(0.0, coefficient)) if coordinate == STRENGTH else coefficient


def read_soft(run_dir: Path) -> bool:
    """Whether the optimizer learns from smoothed scores where there are any."""
    config = written_config(run_dir)
    stated = config.get("optimizer") if isinstance(config, Mapping) else None
    return isinstance(stated, Mapping) and stated.get("soft") is True


def written_config(run_dir: Path) -> object:
    """What config.yaml holds; an empty mapping where there is none. Raises RunError where it is not valid YAML."""
    path = run_dir / CONFIG
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError) as error:
        why = first_line(error)
        raise RunError(f"{path} is not valid YAML ({why}); put back the file that the run wrote") from None
