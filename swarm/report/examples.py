"""What changed on single test examples, and scores by task: the best beside the baselines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.journal.records import EvaluationRecord, Item
from swarm.report.read_journal import Journal
from swarm.report.score_table import kind_of

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
class Swap:
    """A test item that one of the two had right and the other had not."""

    item: Item
    best_said: str
    other_said: str


@dataclass(frozen=True)
class Contrast:
    """The best beside one baseline, item by item. both, neither: how many both or none of them had right."""

    other: str
    right: tuple[Swap, ...]
    wrong: tuple[Swap, ...]
    both: int
    neither: int

    @property
    def n(self) -> int:
        return len(self.right) + len(self.wrong) + self.both + self.neither

    @property
    def has_words(self) -> bool:
        """Whether the journal has what they said; not every objective lets them say anything."""
        return any(swap.best_said or swap.other_said for swap in (*self.right, *self.wrong))


@dataclass(frozen=True)
class Column:
    """Whose scores stand in a column. kind: base, expert, uniform or best."""

    key: str
    kind: str
    name: str


@dataclass(frozen=True)
class TaskScores:
    """Means on one task of the test split, one a column."""

    task: str
    n: int
    means: tuple[float, ...]


@dataclass(frozen=True)
class TaskTable:
    columns: tuple[Column, ...]
    tasks: tuple[TaskScores, ...]


def changes(journal: Journal, best_id: str, objective: str) -> Changes | None:
    """None until the best, and the base or an expert, were tested."""
    items, best = _test_items(journal, objective), journal.tested.get(best_id)
    others = {key: line for key, line in journal.tested.items() if kind_of(key) in ("base", "expert")}
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


def contrast(journal: Journal, best_id: str, other: str, objective: str) -> Contrast | None:
    """None until both were tested, and where they are the same position."""
    best, base = journal.tested.get(best_id), journal.tested.get(tested_key(journal, other))
    if best is None or base is None or best is base:
        return None
    groups: dict[tuple[bool, bool], list[Swap]] = {(a, b): [] for a in (True, False) for b in (True, False)}
    for i, item in enumerate(_test_items(journal, objective)):
        has, had = (_score(line, objective, i) > RIGHT for line in (best, base))
        groups[has, had].append(Swap(item, _output(best, objective, i), _output(base, objective, i)))
    both, neither = len(groups[True, True]), len(groups[False, False])
    return Contrast(other, tuple(groups[True, False]), tuple(groups[False, True]), both, neither)


def by_task(journal: Journal, best_id: str, objective: str) -> TaskTable | None:
    """None unless there are several tasks and the best was tested. A task stands where its best expert stands."""
    rows: dict[str, list[int]] = {}
    for i, item in enumerate(_test_items(journal, objective)):
        rows.setdefault(item.task, []).append(i)
    columns = _columns(journal, best_id)
    if len(rows) < 2 or best_id not in journal.tested:
        return None
    found = [
        TaskScores(task or "(none)", len(of), tuple(_mean(journal.tested[c.key], objective, of) for c in columns))
        for task, of in rows.items()
    ]
    experts = [i for i, column in enumerate(columns) if column.kind == "expert"]
    found.sort(key=lambda task: max(experts, key=lambda i: (task.means[i], -i), default=0))
    return TaskTable(columns, tuple(found))


def tested_key(journal: Journal, key: str) -> str:
    """The id a baseline was tested under: "uniform" may stand there with its scale, "uniform:0.25"."""
    return next((found for found in journal.tested if found == key or found.startswith(f"{key}:")), key)


def _columns(journal: Journal, best_id: str) -> tuple[Column, ...]:
    """The base, the experts, the uniform average, the best: those that were tested."""
    experts = [Column(f"expert:{name}", "expert", name) for name in journal.start.experts]
    uniform = Column(tested_key(journal, "uniform"), "uniform", "uniform")
    columns = (Column("base", "base", "base"), *experts, uniform, Column(best_id, "best", "best"))
    return tuple(column for column in columns if column.key in journal.tested)


def _test_items(journal: Journal, objective: str) -> Sequence[Item]:
    return journal.start.items.get(objective, {}).get("test", ())


def _score(line: EvaluationRecord, objective: str, i: int) -> float:
    scores = line.examples.get(objective, ())
    return scores[i] if i < len(scores) else math.nan


def _mean(line: EvaluationRecord, objective: str, rows: list[int]) -> float:
    scores = [score for score in (_score(line, objective, i) for i in rows) if not math.isnan(score)]
    return sum(scores) / len(scores) if scores else math.nan


def _output(line: EvaluationRecord | None, objective: str, i: int) -> str:
    outputs = line.outputs.get(objective, ()) if line else ()
    return outputs[i] if i < len(outputs) else ""
