"""The best and the baselines on single test examples, and by task."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.journal.records import EvaluationRecord, Item
from swarm.report.read_journal import Journal
from swarm.report.score_table import kind_of

RIGHT = 0.5  # a score above it counts as right, as in the summary's emergence


@dataclass(frozen=True)
class Change:
    """A test example that is newly right or newly wrong against every source.

    best_said, base_said: their outputs.
    had: the sources that had it right: "base" and the names of experts.
    """

    item: Item
    best_said: str
    base_said: str
    had: tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """Every change between the sources, which are the base and the single experts, and the best.

    right: newly right: wrong for every source, right for the best.
    wrong: newly wrong: right for some source, wrong for the best.
    n: test examples.
    """

    right: tuple[Change, ...]
    wrong: tuple[Change, ...]
    n: int


@dataclass(frozen=True)
class Swap:
    """A test example that one of two had right and the other had wrong."""

    item: Item
    best_said: str
    other_said: str


@dataclass(frozen=True)
class Contrast:
    """The best against one baseline, example by example.

    other: the baseline's name.
    right, wrong: examples newly right and newly wrong.
    both, neither: how many examples both had right, and both had wrong.
    """

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
        """Whether the journal has their outputs: only objectives that generate text do."""
        return any(swap.best_said or swap.other_said for swap in (*self.right, *self.wrong))


@dataclass(frozen=True)
class Column:
    """A column of the table of tasks. kind: base, expert, uniform or best."""

    key: str
    kind: str
    name: str


@dataclass(frozen=True)
class TaskScores:
    """Mean scores on one task of the test split, one per column."""

    task: str
    n: int
    means: tuple[float, ...]


@dataclass(frozen=True)
class TaskTable:
    columns: tuple[Column, ...]
    tasks: tuple[TaskScores, ...]


def changes(journal: Journal, best_id: str, objective: str) -> Changes | None:
    """None before the best, and the base or an expert, are tested."""
    items, best = _test_items(journal, objective), journal.tested.get(best_id)
    others = {key: line for key, line in journal.tested.items() if kind_of(key) in ("base", "expert")}
    if not items or best is None or not others:
        return None
    right: list[Change] = []
    wrong: list[Change] = []
    scores = {key.removeprefix("expert:"): _scores(line, objective, items) for key, line in others.items()}
    best_scores = _scores(best, objective, items)
    for i, item in enumerate(items):
        had = tuple(key for key, of in scores.items() if of[i] > RIGHT)
        has = best_scores[i] > RIGHT
        if has == bool(had):
            continue
        said = _output(best, objective, i), _output(others.get("base"), objective, i)
        (right if has else wrong).append(Change(item, *said, had))
    return Changes(tuple(right), tuple(wrong), len(items))


def contrast(journal: Journal, best_id: str, other: str, objective: str) -> Contrast | None:
    """None before both are tested, and where both are the same position."""
    best, base = journal.tested.get(best_id), journal.tested.get(tested_key(journal, other))
    if best is None or base is None or best is base:
        return None
    groups: dict[tuple[bool, bool], list[Swap]] = {(a, b): [] for a in (True, False) for b in (True, False)}
    items = _test_items(journal, objective)
    ours, theirs = _scores(best, objective, items), _scores(base, objective, items)
    for i, item in enumerate(items):
        has, had = ours[i] > RIGHT, theirs[i] > RIGHT
        groups[has, had].append(Swap(item, _output(best, objective, i), _output(base, objective, i)))
    both, neither = len(groups[True, True]), len(groups[False, False])
    return Contrast(other, tuple(groups[True, False]), tuple(groups[False, True]), both, neither)


def by_task(journal: Journal, best_id: str, objective: str) -> TaskTable | None:
    """None unless there are several tasks and the best was tested. Tasks are in the order of their best experts."""
    rows: dict[str, list[int]] = {}
    items = _test_items(journal, objective)
    for i, item in enumerate(items):
        rows.setdefault(item.task, []).append(i)
    columns = _columns(journal, best_id)
    if len(rows) < 2 or best_id not in journal.tested:
        return None
    scores = [_scores(journal.tested[column.key], objective, items) for column in columns]
    found = [TaskScores(task or "(none)", len(of), tuple(_mean(s, of) for s in scores)) for task, of in rows.items()]
    experts = [i for i, column in enumerate(columns) if column.kind == "expert"]
    found.sort(key=lambda task: max(experts, key=lambda i: (task.means[i], -i), default=0))
    return TaskTable(columns, tuple(found))


def tested_key(journal: Journal, key: str) -> str:
    """The id that a baseline was tested under; that of "uniform" includes its scale, as in "uniform:0.25"."""
    return next((found for found in journal.tested if found == key or found.startswith(f"{key}:")), key)


def _columns(journal: Journal, best_id: str) -> tuple[Column, ...]:
    """The base, the experts, the uniform average and the best, as far as they were tested."""
    experts = [Column(f"expert:{name}", "expert", name) for name in journal.start.experts]
    uniform = Column(tested_key(journal, "uniform"), "uniform", "uniform")
    columns = (Column("base", "base", "base"), *experts, uniform, Column(best_id, "best", "best"))
    return tuple(column for column in columns if column.key in journal.tested)


def _test_items(journal: Journal, objective: str) -> Sequence[Item]:
    return journal.start.items.get(objective, {}).get("test", ())


def _scores(line: EvaluationRecord, objective: str, items: Sequence[Item]) -> Sequence[float]:
    """One score per item: NaN where there is none."""
    scores = line.examples.get(objective, ())
    return [*scores, *[math.nan] * (len(items) - len(scores))]


def _mean(all_scores: Sequence[float], rows: list[int]) -> float:
    scores = [all_scores[i] for i in rows if not math.isnan(all_scores[i])]
    return sum(scores) / len(scores) if scores else math.nan


def _output(line: EvaluationRecord | None, objective: str, i: int) -> str:
    outputs = line.outputs.get(objective, ()) if line else ()
    return outputs[i] if i < len(outputs) else ""
