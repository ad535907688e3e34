"""A tutorial followed from top to bottom: files are written as they name themselves, commands and Python are run."""

import re
import runpy
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from support.playground import run_cli

LANGUAGES = ("python", "yaml", "bash")


def steps(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of every code block, in order."""
    pattern = rf"^ *```({'|'.join(LANGUAGES)})\n(.*?)^ *```"
    yield from re.findall(pattern, page.read_text(), re.MULTILINE | re.DOTALL)


def written(text: str) -> bool:
    """Write a block that begins with the name of a file to that file. False for any other block."""
    named = re.match(r"# ([\w.]+)\b", text)
    if named and "." in named[1]:
        Path(named[1]).write_text(text)
    return named is not None and "." in named[1]


def lines(text: str) -> Iterator[list[str]]:
    """The words of each command of a shell block, without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield words


def follow(page: Path) -> list[str]:
    """Follow a tutorial in the working directory; every command must succeed. Returns what each Python block prints."""
    names: dict[str, object] = {"__name__": "__main__"}
    printed = []
    for language, text in steps(page):
        if written(text):
            continue
        if language == "bash":
            for words in lines(text):
                run(words)
        elif language == "python":
            with redirect_stdout(StringIO()) as out:
                exec(compile(text, page.name, "exec"), names)
            printed.append(out.getvalue())
    return printed


def run(words: list[str]) -> None:
    """A command of swarm, in this process, or `python FILE`."""
    if words[0] == "python":
        runpy.run_path(words[1], run_name="__main__")
        return
    assert words[0] == "swarm", f"{words}: no command of a tutorial"
    done = run_cli(*words[1:])
    assert done.code == 0, f"{shlex.join(words)}: {done.err}"
