"""The configs that come with the package, which `swarm search NAME` runs without a file of the user's."""

import os
from pathlib import Path

from swarm.core.errors import ConfigError

FOLDER = Path(__file__).parent / "examples"


def shipped_names() -> list[str]:
    """In alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def config_file(path: Path) -> Path:
    """The file that a command's argument means: the user's own, or where there is none, one that is shipped.

    Raises ConfigError where there is neither.
    """
    try:
        os.lstat(path)
    except FileNotFoundError:
        pass
    except OSError:  # a name that is too long, say: who reads the file tells
        return path
    else:
        return path
    if str(path) in (known := shipped_names()):
        return FOLDER / f"{path}.yaml"
    raise ConfigError(
        f"{path} does not exist; give the path of a config file, or a shipped example: {', '.join(known)}"
    )
