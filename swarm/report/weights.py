"""The objectives' weights, which only the run's config.yaml holds."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from swarm.core.errors import RunError

CONFIG = "config.yaml"


def read_weights(run_dir: Path, objectives: tuple[str, ...]) -> Mapping[str, float]:
    """1 for each where the directory holds no config. Raises RunError where it is not valid YAML."""
    path = run_dir / CONFIG
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = str(error).splitlines()[0]
        raise RunError(f"{path} is not valid YAML ({why}); put back the file that the run wrote") from None
    stated = config.get("objectives", ()) if isinstance(config, Mapping) else ()
    found = {one["name"]: float(one.get("weight", 1.0)) for one in stated}
    return {name: found.get(name, 1.0) for name in objectives}
