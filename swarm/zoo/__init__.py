"""Demonstration zoos: a base, experts trained from it, and examples.

`tiny`, `levels` and `sizes` take about a minute or less; `smollm2` is a real model.

A built zoo contains `base/` (a Hugging Face checkpoint), `experts/NAME/` (PEFT adapters), `models/NAME/` where there
are further checkpoints, `data/*.jsonl` and `zoo.json`, which has the fingerprint of its recipe.

To add a zoo: write its recipe (a `ZooRecipe` of settings, in a module without torch), a module with a function
`make(recipe, paths, progress)` that fills `paths.work`, a function here that imports that module and calls it, and an
entry in ZOOS.

Of Swarm, this package imports `swarm.core` alone. `base`, `reference`, `store` and the recipes must not import torch,
because every config is checked for `zoo:` references; only the modules that build or train do.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from swarm.core.errors import UserError
from swarm.zoo import levels, sizes, smollm2, tiny
from swarm.zoo.base import Builder, BuildPaths, Progress
from swarm.zoo.reference import check_known, locate_in
from swarm.zoo.store import build_at, cache_directory

__all__ = ["ZOOS", "build", "cache_directory", "locate", "named_in"]

# The imports below are inside functions because they take seconds (torch) and `locate` needs neither.


def _make_tiny(paths: BuildPaths, progress: Progress) -> None:
    from swarm.zoo.tiny_build import make

    make(tiny.RECIPE, paths, progress)


def _make_levels(paths: BuildPaths, progress: Progress) -> None:
    from swarm.zoo.levels_build import make

    make(levels.RECIPE, paths, progress)


def _make_sizes(paths: BuildPaths, progress: Progress) -> None:
    from swarm.zoo.sizes_build import make

    make(sizes.RECIPE, paths, progress)


def _make_smollm2(paths: BuildPaths, progress: Progress) -> None:
    for package in ("reasoning_gym", "gguf"):
        if find_spec(package) is None:
            raise UserError(f"zoo smollm2: {package} is missing; run pip install 'swarm-experts[zoo]'")
    from swarm.zoo.smollm2_build import make

    make(smollm2.RECIPE, paths, progress)


ZOOS: dict[str, Builder] = {
    "tiny": Builder(tiny.RECIPE, _make_tiny),
    "levels": Builder(levels.RECIPE, _make_levels),
    "sizes": Builder(sizes.RECIPE, _make_sizes),
    "smollm2": Builder(smollm2.RECIPE, _make_smollm2),
}


def build(name: str, directory: Path, progress: Progress) -> Path:
    """Build the zoo `name` in `directory`, unless it is complete there. Raises UserError for an unknown name."""
    check_known(name, ZOOS, f"zoo build {name}")
    return build_at(ZOOS[name], name, directory, progress)


def named_in(references: Iterable[str]) -> list[str]:
    """The names of the zoos that `zoo:` references are of, each once."""
    return sorted({each.removeprefix("zoo:").split("/")[0] for each in references if each.startswith("zoo:")})


def locate(reference: str) -> Path:
    """The path in the cache of a `zoo:` reference. Raises UserError where there is none (ExpertError, DataError)."""
    return locate_in(cache_directory(), reference, ZOOS)
