"""What a case of a bad input is made of: a scene in which the mistake is made, and what the message must name."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from support.models import make_checkpoint
from support.playground import Playground

Words = list[object]


@dataclass(frozen=True)
class Scene:
    """A folder for one case, and what a case may start from."""

    folder: Path
    playground: Playground
    finished: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def search(self, **sections: object) -> Words:
        """`swarm search` of the playground's config with some sections replaced."""
        return self.search_text(yaml.safe_dump(self.playground.config(**sections)))

    def search_text(self, text: str) -> Words:
        (self.folder / "case.yaml").write_text(text)
        return ["search", self.folder / "case.yaml", "--run-dir", self.run]

    def search_set(self, *overrides: str) -> Words:
        return [*self.search(), *(word for override in overrides for word in ("--set", override))]

    def search_expert(self, expert: Path) -> Words:
        return self.search(experts=[str(expert), str(self.playground.expert("green"))])

    def search_data(self, text: str, name: str = "case.jsonl") -> Words:
        (self.folder / name).write_text(text)
        return self.search_objective(data=str(self.folder / name))

    def search_objective(self, **settings: object) -> Words:
        words = {"name": "words", "type": "multiple_choice", "data": str(self.playground.data)}
        return self.search(objectives=[words | settings])

    def base(self) -> Path:
        return shutil.copytree(self.playground.base, self.folder / "mine")

    def expert(self) -> Path:
        return shutil.copytree(self.playground.expert("red"), self.folder / "mine")

    def checkpoint(self, **settings: object) -> Path:
        return make_checkpoint(self.folder / "mine", self.playground.base, seed=5, **settings)  # type: ignore[arg-type]

    def stopped_run(self, lines: int = 12) -> Path:
        """The finished run as it was when its journal had so many lines."""
        shutil.copytree(self.finished, self.run)
        kept = (self.run / "journal.jsonl").read_text().splitlines(keepends=True)[:lines]
        (self.run / "journal.jsonl").write_text("".join(kept))
        (self.run / "summary.json").unlink()
        return self.run


@dataclass(frozen=True)
class Case:
    """A mistake: `arrange` makes it and gives the command; the line holds place, value and remedy.

    What the remedy is in practice stands under the case's id in tests/support/remedies.py, and is followed in a test.

    environment: variables, in which {folder} is the scene's.
    """

    id: str
    arrange: Callable[[Scene], Words]
    place: str
    value: str
    remedy: str
    environment: Mapping[str, str] = field(default_factory=dict)


def edited(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file} holds no {old}"
    file.write_text(text.replace(old, new))
