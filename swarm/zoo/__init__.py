"""Demonstration zoos: a base, experts made from it, and examples. `tiny` takes a minute, `smollm2` is a real model.

A built zoo holds `base/` (a Hugging Face checkpoint), `experts/NAME/` (PEFT adapters), `data/examples.jsonl` and
`zoo.json`, which names the recipe by its fingerprint.

To add a zoo: write its recipe (a `Recipe` of settings, in a module without torch), a module with a `make(recipe,
site, progress)` that fills `site.work`, a function here that imports that module and calls it, and a line in ZOOS.
"""

from importlib.util import find_spec
from pathlib import Path

from swarm.core.errors import UserError
from swarm.zoo import smollm2, tiny
from swarm.zoo.base import Builder, Progress, Site
from swarm.zoo.reference import check_known, locate_in
from swarm.zoo.store import build_at, cache_directory

__all__ = ["ZOOS", "build", "cache_directory", "locate"]

# The two imports below stand in functions because they take seconds (torch), and `locate` needs neither.


def _make_tiny(site: Site, progress: Progress) -> None:
    from swarm.zoo.tiny_build import make

    make(tiny.RECIPE, site, progress)


def _make_smollm2(site: Site, progress: Progress) -> None:
    for package in ("reasoning_gym", "gguf"):
        if find_spec(package) is None:
            raise UserError(f"zoo smollm2: {package} is missing; run pip install 'swarm-experts[zoo]'")
    from swarm.zoo.smollm2_build import make

    make(smollm2.RECIPE, site, progress)


ZOOS: dict[str, Builder] = {
    "tiny": Builder(tiny.RECIPE, _make_tiny),
    "smollm2": Builder(smollm2.RECIPE, _make_smollm2),
}


def build(name: str, directory: Path, progress: Progress) -> Path:
    """Build the zoo `name` at `directory`, or find it complete there. Raises UserError for an unknown name."""
    check_known(name, ZOOS, f"zoo build {name}")
    return build_at(ZOOS[name], name, directory, progress)


def locate(reference: str) -> Path:
    """The path in the cache that a `zoo:` reference stands for. Raises UserError (ExpertError, DataError)."""
    return locate_in(cache_directory(), reference, ZOOS)
