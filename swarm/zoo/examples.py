"""Evaluation examples as JSON lines."""

import json
from collections.abc import Iterable
from pathlib import Path

from swarm.core.examples import Example


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """One line per example: id, prompt, answer, task."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ({"id": e.id, "prompt": e.prompt, "answer": e.answer, "task": e.task} for e in examples)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
