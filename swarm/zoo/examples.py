"""Evaluation examples as JSON lines."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from swarm.core.examples import Example


def write_level_examples(path: Path, examples: Iterable[Example]) -> None:
    """One line per example: its number, prompt, the answer of each level, task."""
    lines = ({"id": str(i), "prompt": e.prompt, **(e.choices or {}), "task": e.task} for i, e in enumerate(examples))
    write_json_lines(path, lines)


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """One line per example: id, prompt, answer, task."""
    write_json_lines(path, ({"id": e.id, "prompt": e.prompt, "answer": e.answer, "task": e.task} for e in examples))


def write_json_lines(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
