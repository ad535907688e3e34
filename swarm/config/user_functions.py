"""Whether the functions that a config names are those of the user's folder, and not others of the same name."""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from swarm.core.errors import ConfigError
from swarm.objectives.base import Objective
from swarm.objectives.function import UserFunction
from swarm.objectives.user_modules import module_files


def check_functions(objectives: Sequence[Objective], modules: Path) -> None:
    """Raise ConfigError where Python would take a function from another place than the user's folder of modules."""
    for i, objective in enumerate(objectives):
        if isinstance(objective, UserFunction):
            _check(objective.function, modules, f"objectives.{i}.function")


def _check(function: str, modules: Path, key: str) -> None:
    module = function.partition(":")[0]
    own, found = module_files(module, modules), _importable(module.partition(".")[0])
    if own and found and not found.is_relative_to(modules):
        raise ConfigError(
            f"{key}: {function}: {own[0]} is hidden by {found}, which Python finds first; rename your module"
        )
    here = module_files(module, Path.cwd())
    if here and not own and not found:
        raise ConfigError(
            f"{key}: {function}: {module} is not in {modules}, where modules: points, but in the working directory "
            f"({here[0]}); set modules: to {Path.cwd()}"
        )


def _importable(name: str) -> Path | None:
    """Where Python finds a module of this name; the working directory, which `python -m` adds, does not count."""
    spec = _spec(name)
    if spec is None:
        return None
    place = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), "")).resolve()
    added = sys.path[:1] in ([""], [os.getcwd()]) and not {"", os.getcwd()} & {*sys.path[1:]}
    return None if added and place.is_relative_to(Path.cwd()) else place


def _spec(name: str) -> ModuleSpec | None:
    """The spec of a module, which is not imported; one that is loaded already does not count."""
    return next((spec for finder in sys.meta_path if (spec := finder.find_spec(name, None, None))), None)
