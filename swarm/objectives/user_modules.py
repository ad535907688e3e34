"""The files that a user's function depends on: its module, and the modules of the same folder that it imports."""

import ast
from collections.abc import Iterator
from pathlib import Path


def module_files(name: str, folder: Path) -> tuple[Path, ...]:
    """The files of a module in `folder` and of every module there that it imports, directly or through others.

    Packages count with their `__init__.py`. Modules that are found elsewhere are installed ones and are left out.
    """
    files: dict[Path, None] = {}
    names = [name]
    seen: set[str] = set()
    while names:
        name = names.pop(0)
        if name in seen:
            continue
        seen.add(name)
        file = _file_of(name, folder)
        if file is not None and file not in files:
            files[file] = None
            names += _imports(file, name)
        if parent := name.rpartition(".")[0]:
            names.append(parent)
    return tuple(files)


def _file_of(name: str, folder: Path) -> Path | None:
    place = folder.joinpath(*name.split("."))
    # A package hides a module of the same name.
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)


def _imports(file: Path, name: str) -> Iterator[str]:
    """Every name that the module imports, wherever in its code. What is imported from a module may be a module too."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (SyntaxError, ValueError):
        return  # Python says so when the module is imported.
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            yield from (".".join(filter(None, (module, alias.name))) for alias in node.names)
            if module:
                yield module


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that names are imported from; dots at its start count from the package."""
    if not node.level:
        return node.module or ""
    steps = package.split(".") if package else []
    return ".".join([*steps[: len(steps) - node.level + 1], *filter(None, [node.module])])
