"""The status of a search: the count agrees with the archive, and rates forget what is long past."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support.optimizer_runs import space
from support.runs import START
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.outcomes import Failure
from swarm.journal.archive import Archive
from swarm.optimizers.pso import PSO
from swarm.run.summarise import counts
from swarm.search.status import Budget, Counts, Status, StatusCounter

WEIGHTS = {"words": 1.0}
PARTICLES = 5


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def scored(iteration: int, particle: int, value: float, status: str = "ok", **settings: object) -> Evaluation:
    candidate = Candidate(f"{iteration}-{particle}", (float(iteration), float(particle)), iteration, particle)
    scores = {} if status == "failed" else {"words": value}
    made = Evaluation(candidate, status, scores, {"words": (value,)} if scores else {}, tokens=100, seconds=0.5)  # type: ignore[arg-type]
    return replace(made, **settings)  # type: ignore[arg-type]


def generations(n: int, seed: int = 0) -> list[Evaluation]:
    """A search's evaluations, a tenth of them failed, a tenth stopped; scores repeat."""
    rng = random.Random(seed)
    kinds = ["ok"] * 8 + ["failed", "stopped"]
    return [
        scored(i, p, rng.randint(0, 6) / 6, "ok" if i == p == 0 else rng.choice(kinds))
        for i in range(n)
        for p in range(PARTICLES)
    ]


def counter(
    known: list[Evaluation] | None = None, clock: Callable[[], float] | None = None, **budget: float
) -> StatusCounter:
    given = Budget(int(budget.get("evaluations", 1000)), budget.get("seconds", float("inf")))
    return StatusCounter(WEIGHTS, given, known or (), len(known or ()), clock=clock or Clock())


def taken(count: StatusCounter, evaluations: list[Evaluation], before: int = 0, workers: int = 1) -> Status:
    statuses = [count.take(e, Counts(before + i, 0, workers)) for i, e in enumerate(evaluations, 1)]
    return statuses[-1]


def paced(count: StatusCounter, clock: Clock, n: int, every: float, before: int = 0, workers: int = 1) -> Status:
    """n evaluations, one every so many seconds."""
    for i in range(n):
        clock.now += every
        status = count.take(scored(i, 0, 0.5), Counts(before + i + 1, 0, workers))
    return status


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    opened = Archive(tmp_path / "journal.jsonl")
    opened.append(START)
    return opened


@pytest.mark.parametrize("seed", range(5))
def test_the_best_is_the_archives_whatever_the_order(archive: Archive, seed: int) -> None:
    evaluations = generations(6, seed)
    for evaluation in evaluations:
        archive.append_evaluation("evaluation", evaluation)
    random.Random(seed).shuffle(evaluations)
    status = taken(counter(), evaluations)
    best = archive.ranked(WEIGHTS)[0]
    assert (status.best_id, status.best) == (best.candidate.id, best.scores["words"])


def test_after_a_generation_the_mean_is_that_generations() -> None:
    evaluations = generations(4)
    last = [e.scores["words"] for e in evaluations[-PARTICLES:] if e.status != "failed"]
    assert taken(counter(), evaluations).mean == pytest.approx(sum(last) / len(last))


def test_where_particles_keep_their_own_pace_the_mean_is_of_each_ones_latest() -> None:
    assert taken(counter(), [scored(0, 0, 0.0), scored(0, 1, 0.2), scored(1, 0, 0.6)]).mean == pytest.approx(0.4)


def test_what_failed_is_in_no_mean_and_what_was_stopped_is_no_best() -> None:
    status = taken(counter(), [scored(0, 0, 0.4), scored(0, 1, 0.9, "stopped"), scored(0, 2, 0.0, "failed")])
    assert (status.best_id, status.mean) == ("0-0", pytest.approx(0.65))


def test_of_nothing_but_failures_nothing_is_said() -> None:
    status = taken(counter(), [scored(0, 0, 0.0, "failed")])
    assert (status.best, status.best_id, status.mean) == (None, "", None)


def test_a_resumed_count_goes_on_where_the_first_stood() -> None:
    evaluations = generations(6)
    straight = taken(counter(), evaluations)
    resumed = taken(counter(evaluations[:17]), evaluations[17:], before=17)
    for name in ("best", "best_id", "iteration", "evaluations", "tokens", "failures"):
        assert getattr(resumed, name) == getattr(straight, name), name
    assert resumed.mean == pytest.approx(straight.mean)


def test_an_archive_that_is_read_back_gives_the_count_repeats_too(archive: Archive, tmp_path: Path) -> None:
    archive.append_evaluation("evaluation", scored(0, 0, 0.8))
    again = archive.append_repeat("evaluation", replace(scored(0, 1, 0.8).candidate, position=(0.0, 0.0)), "search")
    archive.append_evaluation("select", replace(scored(0, 0, 0.1), candidate=Candidate("base", (0.0, 9.0))), "search")
    archive.journal.close()
    known = list(Archive(tmp_path / "journal.jsonl").history())
    assert [e.candidate.id for e in known] == ["0-0", "0-1"]
    assert (known[1].tokens, again.tokens) == (0, 0)


def test_rates_are_of_this_session() -> None:
    clock = Clock()
    status = paced(counter(generations(4), clock), clock, 10, every=2.0, before=20)
    assert status.evaluations_per_minute == pytest.approx(30)
    assert status.tokens_per_second == pytest.approx(50)
    assert status.busy == pytest.approx(0.25)


def test_rates_forget_what_is_long_past() -> None:
    clock = Clock()
    count = counter(clock=clock)
    paced(count, clock, 100, every=10.0)
    assert paced(count, clock, 200, every=1.0, before=100).evaluations_per_minute == pytest.approx(60)


def test_slow_evaluations_have_rates_too() -> None:
    clock = Clock()
    assert paced(counter(clock=clock), clock, 20, every=600.0).evaluations_per_minute == pytest.approx(0.1)


def test_one_evaluation_is_no_pace() -> None:
    clock = Clock()
    status = paced(counter(clock=clock), clock, 1, every=1.0)
    assert (status.evaluations_per_minute, status.tokens_per_second, status.seconds_left) == (None, None, None)


def test_workers_that_come_are_idle_from_then_on() -> None:
    clock = Clock()
    count = counter(clock=clock)
    assert paced(count, clock, 10, every=0.5, workers=1).busy == pytest.approx(1.0)
    assert paced(count, clock, 10, every=0.5, before=10, workers=3).busy == pytest.approx(10 / 20)


def test_the_time_left_is_that_of_the_budget_that_is_spent_first() -> None:
    clock = Clock()
    assert paced(counter(clock=clock, evaluations=40), clock, 10, every=2.0).seconds_left == pytest.approx(60)
    clock = Clock()
    status = paced(counter(clock=clock, evaluations=40, seconds=50.0), clock, 10, every=2.0)
    assert (status.seconds_left, status.most) == (pytest.approx(30), 40)


def test_a_budget_is_the_optimizers_less_what_earlier_sessions_took() -> None:
    where = space(3)
    assert Budget.of(PSO(particles=4, iterations=5), where, 0, 100.0) == Budget(20)
    limited = PSO(particles=4, iterations=5, evaluations=7, minutes=2)
    assert Budget.of(limited, where, 0, 100.0) == Budget(7, 20.0)
    assert Budget.of(PSO(minutes=1), where, 0, 100.0).seconds == 0.0


def test_failures_are_attempts_and_candidates_counted_as_they_come(archive: Archive, tmp_path: Path) -> None:
    for evaluation in generations(4):
        archive.append_evaluation("evaluation", evaluation)
        if evaluation.candidate.particle == 2:
            archive.append_failure(Failure(evaluation.candidate, 1, "the worker died", "worker-0"))
    assert archive.failures == counts(archive).failures > 4
    archive.journal.close()
    assert Archive(tmp_path / "journal.jsonl").failures == archive.failures
