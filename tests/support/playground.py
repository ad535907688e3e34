"""A small search that runs in this process, and the command line called without starting a process."""

import copy
import io
import json
import random
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import yaml

from support.models import make_adapter, make_base
from swarm.cli.main import main
from swarm.core.interrupts import same_handlers

EXPERTS = ("red", "green", "blue")
LETTERS = "abcdefgh"


@dataclass(frozen=True)
class Playground:
    """Where the base, the experts and the data lie, and a config of them."""

    folder: Path

    @property
    def base(self) -> Path:
        return self.folder / "base"

    @property
    def data(self) -> Path:
        return self.folder / "data.jsonl"

    @property
    def config_file(self) -> Path:
        return self.folder / "config.yaml"

    def expert(self, name: str) -> Path:
        return self.folder / name

    def config(self, **sections: object) -> dict[str, object]:
        """The config, with some of its sections replaced."""
        return copy.deepcopy(yaml.safe_load(self.config_file.read_text()) | sections)


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


def make_playground(folder: Path) -> Playground:
    """Fill `folder`. The config's search has 4 particles and 4 iterations, and no example fits two splits."""
    made = Playground(folder)
    make_base(made.base)
    for seed, name in enumerate(EXPERTS, 1):
        make_adapter(made.expert(name), made.base, seed=seed)
    write_lines(made.data, examples(60))
    content = {
        "base": str(made.base),
        "experts": [str(made.expert(name)) for name in EXPERTS],
        "objectives": [{"name": "words", "type": "multiple_choice", "data": str(made.data)}],
        "splits": {"search": 16, "select": 16, "test": "rest"},
        "optimizer": {"type": "pso", "particles": 4, "iterations": 4, "patience": None},
        "selection": {"finalists": 2},
        "engine": {"dtype": "float32"},
        "cluster": {"type": "local"},
        "export": {"check_examples": 4},
    }
    made.config_file.write_text(yaml.safe_dump(content))
    return made


def examples(n: int) -> list[dict[str, object]]:
    """Multiple choice: which of three words is the other one reversed."""
    rng = random.Random(0)
    words = sorted({"".join(rng.choices(LETTERS, k=6)) for _ in range(2 * n)})[:n]
    return [
        {"id": str(i), "prompt": f"{word}=", "choices": [word[::-1], word, word.upper()], "answer": "A"}
        for i, word in enumerate(words)
    ]


def write_lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run_cli(*words: object) -> Outcome:
    """Run `swarm WORDS...` in this process."""
    out, err = io.StringIO(), io.StringIO()
    argv = patch.object(sys, "argv", ["swarm", *map(str, words)])
    try:
        with same_handlers(), redirect_stdout(out), redirect_stderr(err), argv:
            main()
    except SystemExit as stop:
        return Outcome(int(stop.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main ends by SystemExit")


def only_object(text: str) -> dict[str, object]:
    """The one JSON object that a command printed, and nothing else."""
    content = json.loads(text)
    assert isinstance(content, dict)
    return content


def command(*words: object) -> list[str]:
    """The command line in a process of its own."""
    return [sys.executable, "-c", "from swarm.cli.main import main; main()", *map(str, words)]


def summary_of(run: Path) -> Mapping[str, object]:
    """A run's summary without its times."""
    content = json.loads((run / "summary.json").read_text())
    return {key: value for key, value in content.items() if key != "seconds"}
