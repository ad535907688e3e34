"""Python code that a model's folder brings along: it is never run and never copied, and the user is told."""

from collections.abc import Mapping
from pathlib import Path

from swarm.core.errors import ExpertError
from swarm.core.terminal_text import shortened
from swarm.experts.safetensors_files import read_json

ASKING = ("config.json", "tokenizer_config.json")  # the files whose auto_map names code


def asked_code(folder: Path) -> str:
    """What the folder's files ask for: "auto_map of config.json: modeling_own.Model"; "" where that is nothing."""
    for file in ASKING:
        if (folder / file).is_file() and (names := _auto_map(read_json(folder / file, str(folder)))):
            return f"auto_map of {file}: {shortened(', '.join(names))}"
    return ""


def refused_code(owner: str, folder: Path, what: str) -> ExpertError:
    """The error where transformers has no class of its own for a folder. what: of asked_code."""
    return ExpertError(
        f"{owner}: {folder} needs Python code of its own ({what}), which is never run; "
        "give a model whose architecture and tokenizer transformers has itself"
    )


def code_notes(folders: Mapping[str, Path], used: str) -> list[str]:
    """What the user should know where folders bring code that is not needed.

    folders: by how a note names them. used: what transformers has instead.
    """
    brought = {owner: asked_code(folder) or _python_files(folder) for owner, folder in folders.items()}
    return [
        f"{owner}: its own code ({shortened(code)}) is neither run nor exported; transformers' {used} is used"
        for owner, code in brought.items()
        if code
    ]


def _python_files(folder: Path) -> str:
    return ", ".join(sorted(file.name for file in folder.glob("*.py")))


def _auto_map(content: Mapping[str, object]) -> list[str]:
    found = content.get("auto_map")
    values = found.values() if isinstance(found, dict) else [found]
    names = [name for value in values for name in (value if isinstance(value, list) else [value])]
    return [str(name) for name in names if name]
