"""Patterns among the experts of a config: `adapters/*` stands for every expert of a folder."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from swarm.config.schema import ExpertSettings
from swarm.core.errors import ConfigError
from swarm.core.terminal_text import shortened

WEIGHTS = ".safetensors"


def expanded(experts: Sequence[ExpertSettings], folder: Path, base: Path) -> list[ExpertSettings]:
    """The experts, each pattern replaced by what it matches, in the order of names.

    Left out are what is no expert, the base, and what the list names by itself. folder: that of the config file. Raises
    ConfigError where a pattern matches no expert.
    """
    taken = {base.resolve(), *((folder / expert.path).resolve() for expert in experts)}
    found: list[ExpertSettings] = []
    for i, expert in enumerate(experts):
        if not is_pattern(expert.path, folder):
            found.append(expert)
            continue
        new = [path for path in _matched(expert, folder, f"experts.{i}") if path.resolve() not in taken]
        taken |= {path.resolve() for path in new}
        found += [expert.model_copy(update={"path": str(path)}) for path in new]
    return found


def _matched(expert: ExpertSettings, folder: Path, key: str) -> list[Path]:
    pattern = shortened(expert.path)
    if expert.name:
        raise ConfigError(
            f"{key}.name: {shortened(expert.name)} would be the name of all that match {pattern}; remove it, or list "
            "the experts one by one"
        )
    matches = list(_matches(expert.path, folder))
    if not matches:
        raise ConfigError(
            f"{key}.path: no folder with adapter_config.json or {WEIGHTS} files matches {pattern} (looked in "
            f"{shortened(str(folder.absolute()), 300)}); correct the pattern"
        )
    return matches


def is_pattern(reference: str, folder: Path) -> bool:
    """Whether it is a pattern, and not the name of a file that happens to look like one."""
    return glob.has_magic(reference) and not reference.startswith("zoo:") and not (folder / reference).exists()


def _matches(pattern: str, folder: Path) -> Iterator[Path]:
    for name in sorted(glob.glob(str(Path(pattern).expanduser()), root_dir=folder)):
        path = folder / name
        if path.suffix == WEIGHTS if path.is_file() else _holds_expert(path):
            yield path.absolute()


def _holds_expert(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file() or any(folder.glob(f"*{WEIGHTS}"))
