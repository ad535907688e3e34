"""The objectives' weights, which are in the run's config.yaml alone."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from swarm.core.errors import RunError
from swarm.report.parse import mapping, number, sequence, text

CONFIG = "config.yaml"


def read_weights(run_dir: Path, objectives: tuple[str, ...]) -> Mapping[str, float]:
    """1 for each where the directory holds no config. Raises RunError where it is no YAML."""
    path = run_dir / CONFIG
    try:
        config = mapping(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = str(error).splitlines()[0]
        raise RunError(f"{path} is no YAML ({why}); put back the file that the run wrote") from None
    stated = [mapping(one) for one in sequence(config.get("objectives"))]
    found = {text(one.get("name")): number(one.get("weight", 1.0)) for one in stated}
    return {name: found.get(name, 1.0) for name in objectives}
