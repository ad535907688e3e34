"""What changed on single test examples and on tasks: the best beside the base and the single experts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarm.lines import EvaluationLine, Item
from swarm.report.facts import kind_of
from swarm.report.journal import Journal

RIGHT = 0.5  # a score above it counts as right


@dataclass(frozen=True)
class Change:
    """A test item on which the best differs from all of them (newly right) or from some (newly wrong)."""

    item: Item
    best_said: str
    base_said: str
    had: tuple[str, ...]  # who had it right: "base" and experts' names


@dataclass(frozen=True)
class Changes:
    """right: neither base nor any single expert had it, the best has. wrong: one of them had it, the best has not."""

    right: tuple[Change, ...]
    wrong: tuple[Change, ...]
    n: int


@dataclass(frozen=True)
class TaskScores:
    """Means on one task of the test split, by kind: best, base, expert (the best single one), uniform."""

    task: str
    n: int
    means: Mapping[str, float]


def changes(journal: Journal, best_id: str, objective: str) -> Changes | None:
    """None until the best, and the base or an expert, were tested."""
    items, best = _test_items(journal, objective), journal.tests.get(best_id)
    others = {key: line for key, line in journal.tests.items() if kind_of(key) in ("base", "expert")}
    if not items or best is None or not others:
        return None
    right: list[Change] = []
    wrong: list[Change] = []
    for i, item in enumerate(items):
        had = tuple(key.removeprefix("expert:") for key, line in others.items() if _score(line, objective, i) > RIGHT)
        has = _score(best, objective, i) > RIGHT
        if has == bool(had):
            continue
        said = _output(best, objective, i), _output(others.get("base"), objective, i)
        (right if has else wrong).append(Change(item, *said, had))
    return Changes(tuple(right), tuple(wrong), len(items))


def by_task(journal: Journal, keys: Mapping[str, str], objective: str) -> tuple[TaskScores, ...]:
    """keys: kind -> id of a test line. Empty unless there are several tasks."""
    tasks: dict[str, list[int]] = {}
    for i, item in enumerate(_test_items(journal, objective)):
        tasks.setdefault(item.task, []).append(i)
    tested = {kind: journal.tests[key] for kind, key in keys.items() if key in journal.tests}
    if len(tasks) < 2 or not tested:
        return ()
    return tuple(
        TaskScores(task or "(none)", len(rows), {k: _mean(line, objective, rows) for k, line in tested.items()})
        for task, rows in tasks.items()
    )


def tested_key(journal: Journal, key: str) -> str:
    """The id a baseline was tested under: "uniform" may stand there with its scale, "uniform:0.25"."""
    return next((found for found in journal.tests if found == key or found.startswith(f"{key}:")), key)


def _test_items(journal: Journal, objective: str) -> Sequence[Item]:
    return journal.start.items.get(objective, {}).get("test", ())


def _score(line: EvaluationLine, objective: str, i: int) -> float:
    scores = line.examples.get(objective, ())
    return scores[i] if i < len(scores) else math.nan


def _mean(line: EvaluationLine, objective: str, rows: list[int]) -> float:
    scores = [score for score in (_score(line, objective, i) for i in rows) if not math.isnan(score)]
    return sum(scores) / len(scores) if scores else math.nan


def _output(line: EvaluationLine | None, objective: str, i: int) -> str:
    outputs = line.outputs.get(objective, ()) if line else ()
    return outputs[i] if i < len(outputs) else ""
