"""A search keeps its budget: of evaluations, iterations, minutes and patience."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.generational_runs import Scorer, evaluations, fresh, run
from support.runs import START
from support.searches import loop, scored
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.errors import RunError
from swarm.core.outcomes import Feed, Outcome
from swarm.journal.archive import Archive
from swarm.optimizers import OPTIMIZERS
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.pso import PSO
from swarm.search.asynchronous import AsynchronousSearch
from swarm.search.generational import GenerationalSearch


@pytest.mark.parametrize("limit", [1, 5, 7, 10, 23])
@pytest.mark.parametrize("kind", ["pso", "model_swarms", "random"])
def test_a_budget_of_evaluations_is_kept_to_the_letter(tmp_path: Path, kind: str, limit: int) -> None:
    optimizer = OPTIMIZERS[kind](particles=5, evaluations=limit, patience=None)
    scorer = Scorer()
    assert run(tmp_path, optimizer, scorer) == "evaluations"
    assert len(scorer.seen) == len(fresh(tmp_path)) == limit
    assert run(tmp_path, optimizer, scorer) == "evaluations"
    assert len(scorer.seen) == limit


def test_failed_evaluations_count_too(tmp_path: Path) -> None:
    def failing(candidate: Candidate) -> list[Outcome]:
        return [Evaluation(candidate, "failed", error="no") if candidate.iteration else scored(candidate)]

    scorer = Scorer(failing)
    assert run(tmp_path, PSO(particles=4, evaluations=10, patience=None), scorer) == "evaluations"
    assert len(scorer.seen) == 10


def test_a_first_generation_of_nothing_but_failures_ends_the_search_with_the_first_reason(tmp_path: Path) -> None:
    failing = Scorer(lambda candidate: [Evaluation(candidate, "failed", error="no such function")])
    with pytest.raises(RunError, match="no such function"):
        run(tmp_path, PSO(particles=4), failing)
    assert len(failing.seen) == 4


@pytest.mark.parametrize(("schedule", "search"), [("sync", GenerationalSearch), ("async", AsynchronousSearch)])
def test_a_search_in_which_most_failed_is_an_error_and_resume_scores_again(
    tmp_path: Path, schedule: str, search: type[GenerationalSearch] | type[AsynchronousSearch]
) -> None:
    """With the cause mended, the search ends where one without failures ends."""

    def failing(candidate: Candidate) -> list[Outcome]:
        return [Evaluation(candidate, "failed", error="no such layer") if candidate.age > (0, 1) else scored(candidate)]

    optimizer = PSO(particles=4, iterations=3, schedule=schedule, patience=None)
    broken = loop(tmp_path / "broken", optimizer, Scorer(failing))
    search(broken).run()
    with pytest.raises(RunError, match=r"10 of 12 candidates failed; the first said: no such layer; .*swarm resume"):
        broken.check_failures()
    mended, straight = (loop(tmp_path / name, optimizer, Scorer()) for name in ("broken", "straight"))
    assert len(mended.archive.searched()) == 2, "what was scored before the first failure is kept"
    assert search(mended).run() == search(straight).run()
    mended.check_failures()
    assert mended.archive.searched() == straight.archive.searched()
    reread = Archive(mended.archive.journal.path)
    assert reread.searched() == straight.archive.searched()
    assert (reread.evaluations, reread.failures) == (12, 0)


def test_half_of_the_candidates_may_fail(tmp_path: Path) -> None:
    def failing(candidate: Candidate) -> list[Outcome]:
        return [Evaluation(candidate, "failed", error="poison") if (candidate.particle or 0) % 2 else scored(candidate)]

    search = loop(tmp_path, PSO(particles=4, iterations=3, patience=None), Scorer(failing))
    GenerationalSearch(search).run()
    search.check_failures()
    assert sum(each.status == "failed" for each in search.archive.searched()) == 6


def test_a_budget_of_iterations_is_kept(tmp_path: Path) -> None:
    assert run(tmp_path, PSO(particles=5, iterations=3, patience=None)) == "iterations"
    assert [(line["iteration"], line["particle"]) for line in evaluations(tmp_path)] == [
        (i, p) for i in range(3) for p in range(5)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_iterations_that_nobody_is_asked_in_count(tmp_path: Path, seed: int) -> None:
    optimizer = ModelSwarms(particles=5, iterations=6, drop_iteration=0.6, patience=None)
    scorer = Scorer()
    assert run(tmp_path, optimizer, scorer, seed) == "iterations"
    assert max(candidate.iteration or 0 for candidate in scorer.seen) < 6


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_ends_after_so_many_iterations_without_a_new_best(tmp_path: Path, patience: int) -> None:
    flat = Scorer(lambda candidate: [Evaluation(candidate, "ok", {"near": 0.0, "small": 0.0})])
    optimizer = PSO(particles=4, iterations=50, patience=patience)
    assert run(tmp_path, optimizer, flat) == "patience"
    assert {candidate.iteration for candidate in flat.seen} == set(range(patience + 1))


def test_patience_begins_again_at_every_new_best(tmp_path: Path) -> None:
    """Generations 0 to 3 each bring a new best, then none does."""

    def rising(candidate: Candidate) -> list[Outcome]:
        value = float(min(candidate.iteration or 0, 3))
        return [Evaluation(candidate, "ok", {"near": value, "small": value})]

    scorer = Scorer(rising)
    assert run(tmp_path, PSO(particles=4, patience=2), scorer) == "patience"
    assert max(candidate.iteration or 0 for candidate in scorer.seen) == 5


def test_minutes_end_a_search_between_two_evaluations(tmp_path: Path) -> None:
    closed = []

    def slow(tasks: Feed) -> Iterator[Outcome]:
        try:
            while tasks:
                time.sleep(0.05)
                yield scored(tasks.popleft().candidate)
        finally:
            closed.append(True)

    assert run(tmp_path, PSO(particles=100, minutes=0.2 / 60), slow) == "minutes"
    assert 1 <= len(fresh(tmp_path)) <= 5
    assert closed == [True], "what was in flight is cancelled"


def test_minutes_count_over_all_sessions(tmp_path: Path) -> None:
    assert run(tmp_path, PSO(particles=4, evaluations=2)) == "evaluations"
    later = {"kind": "failure", "id": "0-3", "attempt": 1, "error": "gone", "worker": "w", "elapsed": 90.0}
    with (tmp_path / "journal.jsonl").open("a") as stream:
        stream.write(json.dumps(later) + "\n")
    scorer = Scorer()
    assert run(tmp_path, PSO(particles=4, minutes=1), scorer) == "minutes"
    assert scorer.seen == []


def test_minutes_begin_with_the_first_evaluation(tmp_path: Path) -> None:
    """Starting workers and loading experts takes no search time."""
    started = START.model_copy(update={"elapsed": 600.0}).content()
    (tmp_path / "journal.jsonl").write_text(json.dumps(started) + "\n")
    assert run(tmp_path, PSO(particles=4, minutes=1, evaluations=4)) == "evaluations"
