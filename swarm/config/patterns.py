"""Patterns among the experts of a config: `adapters/*` stands for every expert of a folder."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from swarm import zoo
from swarm.config.schema import ExpertSettings
from swarm.core.errors import ConfigError
from swarm.core.terminal_text import shortened, shortened_path

WEIGHTS = ".safetensors"


def expanded(experts: Sequence[ExpertSettings], folder: Path, base: Path) -> list[ExpertSettings]:
    """The experts, each pattern replaced by what it matches, in the order of names.

    Left out are what is no expert, the base, and what the list names by itself. folder: that of the config file. Raises
    ConfigError where a pattern adds no expert.
    """
    taken = {os.path.realpath(base), *(_real(expert.path, folder) for expert in experts)}
    found: list[ExpertSettings] = []
    for i, expert in enumerate(experts):
        if not is_pattern(expert.path, folder):
            found.append(expert)
            continue
        matches = _matched(expert, folder, f"experts.{i}")
        new = [path for path in matches if os.path.realpath(path) not in taken]
        if not new:
            raise ConfigError(
                f"experts.{i}.path: {shortened_path(expert.path)} matches nothing but the base and experts that "
                "are listed besides; correct the pattern, or remove it"
            )
        taken |= {os.path.realpath(path) for path in new}
        names = _names(new)
        found += [
            expert.model_copy(update={"path": str(path), "name": name}) for path, name in zip(new, names, strict=True)
        ]
    return found


def is_pattern(reference: str, folder: Path) -> bool:
    """Whether it is a pattern, and not the name of a file that happens to look like one."""
    return (
        glob.has_magic(reference)
        and not reference.startswith("zoo:")
        and not os.path.lexists(os.path.join(folder, os.path.expanduser(reference)))
    )


def _real(reference: str, folder: Path) -> str:
    """The path that an expert's reference leads to, where it is a path."""
    path = os.fspath(zoo.locate(reference)) if reference.startswith("zoo:") else os.path.expanduser(reference)
    return os.path.realpath(os.path.join(folder, path))


def _matched(expert: ExpertSettings, folder: Path, key: str) -> list[Path]:
    pattern = shortened_path(expert.path)
    if expert.name:
        raise ConfigError(
            f"{key}.name: {shortened(expert.name)} would be the name of all that match {pattern}; remove it, or list "
            "the experts one by one"
        )
    try:
        names = sorted(glob.glob(os.path.expanduser(expert.path), root_dir=folder))
    except (OSError, ValueError):  # no name of a file can be so long, or hold such a character
        names = []
    matches = [path for name in names if _is_expert(path := os.path.join(folder, name))]
    if not matches:
        raise ConfigError(
            f"{key}.path: no folder with adapter_config.json or {WEIGHTS} files matches {pattern} (looked in "
            f"{shortened_path(folder.absolute())}); correct the pattern"
        )
    return [Path(os.path.abspath(path)) for path in matches]


def _is_expert(path: str) -> bool:
    """Whether it is a file of weights, or a folder with an adapter or weights; what cannot be read is none."""
    if os.path.isfile(path):
        return path.endswith(WEIGHTS)
    try:
        return any(name == "adapter_config.json" or name.endswith(WEIGHTS) for name in os.listdir(path))
    except OSError:
        return False


def _names(paths: Sequence[Path]) -> list[str]:
    """ "" for each, which is called like its folder or file; where several are called alike, the parts that differ.

    So out/maths/checkpoint-100 and out/style/checkpoint-100 are called maths and style.
    """
    if len({path.name for path in paths}) == len(paths):
        return [""] * len(paths)
    shared = len(os.path.commonpath(paths).split(os.sep))
    parts = [path.parts[shared:] for path in paths]
    while all(len(each) > 1 for each in parts) and len({each[-1] for each in parts}) == 1:
        parts = [each[:-1] for each in parts]
    return ["/".join(each) for each in parts]
