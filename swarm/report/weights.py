"""The objectives' weights, which only the run's config.yaml holds."""

import math
from collections.abc import Mapping
from pathlib import Path

import yaml

from swarm.core.errors import RunError, first_line

CONFIG = "config.yaml"


def read_weights(run_dir: Path, objectives: tuple[str, ...]) -> Mapping[str, float]:
    """1 for each where the directory holds no config. Raises RunError where it is not valid YAML."""
    path = run_dir / CONFIG
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError) as error:
        why = first_line(error)
        raise RunError(f"{path} is not valid YAML ({why}); put back the file that the run wrote") from None
    stated = config.get("objectives") if isinstance(config, Mapping) else ()
    try:
        found = {one["name"]: float(one.get("weight", 1.0)) for one in stated or ()}
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        found = {"": math.nan}
    if not all(math.isfinite(weight) and weight > 0 for weight in found.values()):
        raise RunError(f"{path}: objectives is not what the run wrote; put back the file that the run wrote")
    return {name: found.get(name, 1.0) for name in objectives}
