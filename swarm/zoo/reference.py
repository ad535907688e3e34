"""Paths of the references `zoo:NAME`, `zoo:NAME/EXPERT`, `zoo:NAME/MODEL` and `zoo:NAME/data/FILE`."""

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path

from swarm.core.errors import DataError, ExpertError, UserError
from swarm.zoo.store import MANIFEST

PREFIX = "zoo:"


def locate_in(cache: Path, reference: str, known: Collection[str]) -> Path:
    """The path of a reference in `cache`. Raises UserError where there is no such zoo, expert or file."""
    if not reference.startswith(PREFIX):
        raise UserError(f"{reference!r} is not a zoo reference; write zoo:NAME, zoo:NAME/EXPERT or zoo:NAME/data/FILE")
    name, _, rest = reference.removeprefix(PREFIX).partition("/")
    check_known(name, known, reference)
    zoo = cache / name
    if not (zoo / MANIFEST).is_file():
        raise ExpertError(f"{reference}: the zoo is not built; run `swarm zoo build {name}`")
    if not rest:
        return zoo / "base"
    if rest.startswith("data/"):
        return _data_file(zoo / "data", rest.removeprefix("data/"), reference)
    return _expert_or_model(zoo, rest, reference)


def check_known(name: str, known: Collection[str], reference: str) -> None:
    """Raises UserError where no zoo has this name."""
    if name not in known:
        raise UserError(f"{reference}: there is no zoo {name!r}; {_suggestion(name, known)}")


def _expert_or_model(zoo: Path, name: str, reference: str) -> Path:
    """An expert of the base, or a further model, where the zoo has some."""
    found = {path.name: path for kind in ("experts", "models") for path in sorted((zoo / kind).glob("*"))}
    if name not in found:
        raise ExpertError(f"{reference}: the zoo has no expert {name!r}; {_suggestion(name, found)}")
    return found[name]


def _data_file(folder: Path, name: str, reference: str) -> Path:
    names = sorted(path.name for path in folder.iterdir())
    if name not in names:
        raise DataError(f"{reference}: the zoo has no data file {name!r}; {_suggestion(name, names)}")
    return folder / name


def _suggestion(name: str, names: Iterable[str]) -> str:
    """The remedy: the closest name, or all of them where none is close."""
    names = list(names)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(names)}"
