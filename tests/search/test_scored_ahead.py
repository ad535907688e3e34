"""What is scored ahead of the selection: handed out once the search has nothing more for the workers, and journaled."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.ahead import Ahead
from support.optimizer_runs import space
from support.runs import journal, timeless
from support.searches import loop, scored
from swarm.core.candidates import Evaluation, Task
from swarm.core.outcomes import Failure, Feed, Outcome
from swarm.journal.archive import Archive
from swarm.journal.records import VoidRecord
from swarm.optimizers import Optimizer
from swarm.optimizers.grid import Grid
from swarm.optimizers.pso import PSO
from swarm.search.asynchronous import AsynchronousSearch
from swarm.search.baselines import Baselines
from swarm.search.generational import GenerationalSearch
from swarm.search.loop import Loop

CERTAIN = Baselines.of(space(3)).certain()
SEARCHES: dict[str, tuple[type[GenerationalSearch] | type[AsynchronousSearch], Optimizer[Any]]] = {
    "one generation after another": (GenerationalSearch, PSO(particles=4, evaluations=14)),
    "whole generations": (GenerationalSearch, PSO(particles=4, evaluations=16, patience=None)),
    "whole generations by iterations": (GenerationalSearch, PSO(particles=4, iterations=4, patience=None)),
    "overlapping generations": (GenerationalSearch, Ahead(evaluations=16)),
    "by iterations": (GenerationalSearch, Ahead(iterations=3)),
    "patience": (GenerationalSearch, Ahead(evaluations=300, patience=2)),
    "without generations": (AsynchronousSearch, PSO(particles=4, evaluations=14, schedule="async")),
}


class Pool:
    """Answers in any order, or background tasks first or last. handed: all tasks, in the order of the feed."""

    def __init__(self, seed: int | None = None, ahead_first: bool = True) -> None:
        self.handed: list[Task] = []
        self._ahead_first = ahead_first
        self._rng = None if seed is None else random.Random(seed)

    def __call__(self, feed: Feed):  # type: ignore[no-untyped-def]
        open_tasks: list[Task] = []
        while feed or open_tasks:
            while feed:
                self.handed.append(feed.popleft())
                open_tasks.append(self.handed[-1])
            first = max(open_tasks, key=lambda task: task.background == self._ahead_first)
            chosen = self._rng.choice(open_tasks) if self._rng else first
            open_tasks.remove(chosen)
            yield answer(chosen)


def answer(task: Task) -> Outcome:
    return replace(scored(task.candidate), split=task.split)


def ahead(archive: Archive) -> list[Task]:
    unknown = [each for each in CERTAIN if archive.at(each.position, "select") is None]
    return [Task(each, split="select", background=True) for each in unknown]


def looking_ahead(plain: Loop) -> Loop:
    return replace(plain, afterwards=lambda: ahead(plain.archive))


def lines(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in timeless(journal(folder)) if line["kind"] == kind}


@pytest.mark.parametrize("name", SEARCHES)
def test_it_is_handed_out_once_and_last_and_changes_nothing_of_the_search(tmp_path: Path, name: str) -> None:
    search, optimizer = SEARCHES[name]
    plain = search(loop(tmp_path / "plain", optimizer, Pool())).run()
    pool = Pool()
    assert search(looking_ahead(loop(tmp_path / "ahead", optimizer, pool))).run() == plain
    assert lines(tmp_path / "ahead", "evaluation") == lines(tmp_path / "plain", "evaluation")
    first = next(i for i, task in enumerate(pool.handed) if task.background)
    assert [task.candidate for task in pool.handed[first:] if task.background] == CERTAIN
    assert len(pool.handed) == len(CERTAIN) + len([task for task in pool.handed if not task.background])
    selected = lines(tmp_path / "ahead", "select")
    assert selected.keys() == {candidate.id for candidate in CERTAIN}, "all of it was scored before the search ended"
    assert {line["split"] for line in selected.values()} == {"select"}
    known = {candidate.id: list(candidate.position) for candidate in CERTAIN}
    assert all(line["position"] == known[name] for name, line in selected.items())


def test_until_a_budget_is_spent_the_workers_are_the_search_s_own(tmp_path: Path) -> None:
    pool = Pool()
    GenerationalSearch(looking_ahead(loop(tmp_path, Ahead(evaluations=16), pool))).run()
    behind = pool.handed[next(i for i, task in enumerate(pool.handed) if task.background) :]
    assert all(task.background for task in behind), "the last candidates are handed out before"


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_does_not_wait_for_what_is_scored_ahead(tmp_path: Path, name: str) -> None:
    search, optimizer = SEARCHES[name]
    pool = Pool(ahead_first=False)
    search(looking_ahead(loop(tmp_path, optimizer, pool))).run()
    assert any(task.background for task in pool.handed)
    assert lines(tmp_path, "select") == {}
    resumed = Pool()
    search(looking_ahead(loop(tmp_path, optimizer, resumed))).run()
    assert resumed.handed == [], "it is over"


def test_a_search_that_ends_by_itself_hands_out_nothing_ahead(tmp_path: Path) -> None:
    """It does not know that it will end before the last score is there."""
    pool = Pool()
    GenerationalSearch(looking_ahead(loop(tmp_path, Grid(points=2), pool))).run()
    assert not any(task.background for task in pool.handed)


@pytest.mark.parametrize("name", SEARCHES)
def test_cut_after_any_line_and_run_again_nothing_is_scored_twice(tmp_path: Path, name: str) -> None:
    search, optimizer = SEARCHES[name]
    reason = search(looking_ahead(loop(tmp_path / "straight", optimizer, Pool(1)))).run()
    whole = (tmp_path / "straight" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    ends = range(max(1, len(whole) - 8), len(whole) + 1)
    for count in ends:
        cut = tmp_path / f"cut{count}"
        cut.mkdir()
        (cut / "journal.jsonl").write_bytes(b"".join(whole[:count]))
        pool = Pool(count)
        assert search(looking_ahead(loop(cut, optimizer, pool))).run() == reason
        if optimizer.schedule == "sync":
            assert lines(cut, "evaluation") == lines(tmp_path / "straight", "evaluation")
        known = [line["id"] for line in journal(cut) if line["kind"] == "select"]
        assert len(set(known)) == len(known)
        archive = Archive(cut / "journal.jsonl")
        assert {task.candidate.id for task in ahead(archive)} == {each.id for each in CERTAIN} - set(known)


def test_a_failed_attempt_ahead_is_journaled(tmp_path: Path) -> None:
    class Failing(Pool):
        def __call__(self, feed: Feed):  # type: ignore[no-untyped-def]
            for outcome in super().__call__(feed):
                if outcome.split == "select":
                    yield Failure(outcome.candidate, 1, "the worker died", "w")
                yield outcome

    GenerationalSearch(looking_ahead(loop(tmp_path, Ahead(evaluations=16), Failing()))).run()
    assert {line["id"] for line in journal(tmp_path) if line["kind"] == "failure"} == set(lines(tmp_path, "select"))


def test_a_void_search_takes_failures_ahead_of_its_selection_back_too(tmp_path: Path) -> None:
    """The cause is mended and the search scored again: then the baselines must be, too."""
    archive = loop(tmp_path, PSO(particles=4), Pool()).archive
    base, first, *_ = CERTAIN
    archive.append_evaluation(
        "evaluation", Evaluation(replace(base, id="0-0", iteration=0, particle=0), "failed", error="no")
    )
    archive.append_evaluation("select", replace(scored(base), split="select"), "select")
    archive.append_evaluation("select", Evaluation(first, "failed", error="no", split="select"), "select")
    archive.append(VoidRecord(failed=1, scored=1, error="no"))
    for each in (archive, Archive(tmp_path / "journal.jsonl")):
        assert each.at(base.position, "select") is not None
        assert each.at(first.position, "select") is None
        assert each.searched() == []
