"""Pools: one evaluation per candidate, the same in this process and on Ray, whatever happens to the workers."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray

from support.pools import CANDIDATES, EXAMPLES, POSITIONS, TASKS, mode, open_pool
from support.runs import workload
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.errors import RunError
from swarm.core.outcomes import Failure, Outcome
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.workers.pool import LocalPool
from swarm.workers.scheduling.coordinator import Coordinator


@pytest.fixture(autouse=True)
def _no_faults(folder: Path) -> None:
    mode(folder)


@pytest.fixture(scope="module")
def pool(joined_ray: None, what: EvaluatorSpec) -> Iterator[Coordinator]:
    """Two workers that all tests share. Workers that die are replaced, so that the next test has some.

    Without speculative copies: on a busy machine one may answer before a death is noticed, and then nothing has failed.
    """
    shared = open_pool(what, respawns=20, hedge=None)
    shared.load("search", workload(what, EXAMPLES))
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def expected(folder: Path, what: EvaluatorSpec) -> dict[str, Evaluation]:
    """The results of the pool in this process: one evaluation per candidate, in order."""
    mode(folder)
    local = LocalPool(what)
    local.load("search", workload(what, EXAMPLES))
    outcomes = list(local.run(deque(TASKS)))
    assert [outcome.candidate for outcome in outcomes] == CANDIDATES
    local.close()
    return {outcome.candidate.id: outcome for outcome in outcomes if isinstance(outcome, Evaluation)}


def split(outcomes: list[Outcome]) -> tuple[dict[str, Evaluation], list[Failure]]:
    evaluations = [outcome for outcome in outcomes if isinstance(outcome, Evaluation)]
    by_id = {evaluation.candidate.id: evaluation for evaluation in evaluations}
    assert len(by_id) == len(evaluations), "a candidate was evaluated twice"
    return by_id, [outcome for outcome in outcomes if isinstance(outcome, Failure)]


def timeless(evaluations: dict[str, Evaluation]) -> dict[str, Evaluation]:
    return {
        name: replace(e, seconds=0, compose_seconds=0, forward_seconds=0, worker="", method="merged", split="search")
        for name, e in evaluations.items()
    }


def output_of(expected: dict[str, Evaluation], name: str) -> str:
    """The text that this candidate, and no other, generates."""
    texts = [evaluation.outputs["mine"][0] for evaluation in expected.values()]
    text = expected[name].outputs["mine"][0]
    assert texts.count(text) == 1
    return text


def test_ray_and_local_pools_give_equal_evaluations(pool: Coordinator, expected: dict[str, Evaluation]) -> None:
    found, failures = split(list(pool.run(deque(TASKS))))
    assert timeless(found) == timeless(expected)
    assert failures == []
    assert pool.workers in (1, 2), "the second may still be loading"
    assert {evaluation.worker for evaluation in found.values()} <= {"worker-0", "worker-1"}


def test_one_worker_gives_the_same_evaluations_and_its_death_ends_the_run(
    joined_ray: None,
    what: EvaluatorSpec,
    folder: Path,
    expected: dict[str, Evaluation],
) -> None:
    """Without respawns a dead worker is not replaced, and an error says that none is left."""
    one = open_pool(what, workers=1, respawns=0)
    one.load("search", workload(what, EXAMPLES))
    found, _ = split(list(one.run(deque(TASKS))))
    assert timeless(found) == timeless(expected)
    mode(folder, poison=output_of(expected, "0-0"), deaths=1)
    outcomes = one.run(deque(TASKS))
    assert isinstance(next(outcomes), Failure)
    with pytest.raises(
        RunError, match=r"cluster.respawns: no worker is left \(1 died, 0 replacements per worker are allowed\)"
    ):
        next(outcomes)
    one.close()
    assert ray.is_initialized(), "a Ray that was joined is not shut down"


def test_an_empty_feed_has_no_outcomes(pool: Coordinator) -> None:
    assert list(pool.run(deque())) == []


def test_an_error_of_the_objective_is_a_failed_evaluation(
    pool: Coordinator, folder: Path, expected: dict[str, Evaluation]
) -> None:
    mode(folder, error=output_of(expected, "0-1"))
    found, failures = split(list(pool.run(deque(TASKS))))
    assert (found["0-1"].status, failures) == ("failed", [])
    assert "no score for this" in found["0-1"].error
    assert timeless({**found, "0-1": expected["0-1"]}) == timeless(expected)


def test_a_candidate_whose_worker_dies_is_tried_again(
    pool: Coordinator, folder: Path, expected: dict[str, Evaluation]
) -> None:
    mode(folder, poison=output_of(expected, "0-2"), deaths=1)
    found, failures = split(list(pool.run(deque(TASKS))))
    assert timeless(found) == timeless(expected)
    assert len(failures) == 1, "of the candidate itself, or of one that it waited behind"
    assert "the worker died" in failures[0].error
    assert failures[0].worker.startswith("worker-")


def test_a_lethal_candidate_fails_and_the_others_are_scored(
    pool: Coordinator, folder: Path, expected: dict[str, Evaluation]
) -> None:
    mode(folder, poison=output_of(expected, "0-0"), deaths=99)
    found, failures = split(list(pool.run(deque(TASKS))))
    assert found["0-0"].status == "failed"
    assert "the worker died" in found["0-0"].error
    assert 1 <= len(failures) <= 2
    assert (failures[-1].candidate.id, failures[-1].attempt) == ("0-0", 1), "alone at a worker"
    assert timeless({**found, "0-0": expected["0-0"]}) == timeless(expected)


def newest(folder: Path) -> int:
    """The process id of the worker that scored last, of those that are alive. This process scores, too."""
    files = sorted((folder / "pids").iterdir(), key=lambda file: file.stat().st_mtime)
    alive = [int(file.name) for file in files if Path(f"/proc/{file.name}").exists()]
    return [pid for pid in alive if pid != os.getpid()][-1]


def test_a_worker_that_is_killed_from_outside_costs_only_time(
    pool: Coordinator, folder: Path, expected: dict[str, Evaluation]
) -> None:
    mode(folder, sleep=0.5)
    for file in (folder / "pids").iterdir():
        file.unlink()
    outcomes = pool.run(deque(TASKS))
    got = [next(outcomes)]
    os.kill(newest(folder), signal.SIGKILL)
    found, failures = split([*got, *outcomes])
    assert timeless(found) == timeless(expected)
    assert len(failures) == 1


def test_a_worker_that_died_between_two_splits_is_replaced(
    pool: Coordinator, folder: Path, what: EvaluatorSpec, expected: dict[str, Evaluation]
) -> None:
    assert len(list(pool.run(deque(TASKS)))) == len(TASKS)
    pid = newest(folder)
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.1)
    time.sleep(1.0)  # until Ray knows of it
    pool.load("select", workload(what, EXAMPLES))
    found, failures = split(list(pool.run(deque(replace(task, split="select") for task in TASKS))))
    assert timeless(found) == timeless(expected)
    assert failures == []


def test_a_worker_that_is_stopped_and_goes_on_costs_only_time(
    pool: Coordinator, folder: Path, expected: dict[str, Evaluation]
) -> None:
    mode(folder, sleep=0.2)
    outcomes = pool.run(deque(TASKS))
    got = [next(outcomes)]
    worker = newest(folder)
    os.kill(worker, signal.SIGSTOP)
    threading.Timer(2.0, os.kill, (worker, signal.SIGCONT)).start()
    found, failures = split([*got, *outcomes])
    assert timeless(found) == timeless(expected)
    assert failures == []


@pytest.mark.slow
def test_a_search_that_is_stopped_with_its_worker_misses_no_deadline(
    joined_ray: None, what: EvaluatorSpec, folder: Path, expected: dict[str, Evaluation]
) -> None:
    """As after Ctrl-Z and fg. A worker that is stopped alone for as long does miss it, is killed and replaced."""
    one = open_pool(what, workers=1, deadline_seconds=8, hedge=None)
    one.load("search", workload(what, EXAMPLES))
    many = [Task(Candidate(f"2-{i}", POSITIONS[i % 5])) for i in range(12)]
    outcomes = one.run(deque(many))
    got = [next(outcomes) for _ in range(6)]  # a median is known by now
    worker = newest(folder)
    os.kill(worker, signal.SIGSTOP)
    time.sleep(12)  # this process asks for no outcome, so it might as well be stopped
    os.kill(worker, signal.SIGCONT)
    found, failures = split([*got, *outcomes])
    assert (len(found), failures) == (12, [])
    outcomes = one.run(deque(TASKS))
    got = [next(outcomes)]
    os.kill(newest(folder), signal.SIGSTOP)
    found, failures = split([*got, *outcomes])
    assert timeless(found) == timeless(expected)
    assert [failure.error for failure in failures] == [failures[0].error]
    assert "no answer within" in failures[0].error
    one.close()


def test_closing_cancels_the_rest_and_the_pool_stays_usable(
    pool: Coordinator, folder: Path, expected: dict[str, Evaluation]
) -> None:
    mode(folder, sleep=0.3)
    many = [Task(Candidate(f"1-{i}", POSITIONS[i % 5])) for i in range(200)]
    outcomes = pool.run(deque(many))
    next(outcomes)
    start = time.monotonic()
    outcomes.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 5
    mode(folder)
    found, _ = split(list(pool.run(deque(TASKS))))
    assert timeless(found) == timeless(expected)
    assert time.monotonic() - start < 20


def test_what_is_scored_ahead_is_taken_over_and_scored_once(
    pool: Coordinator, folder: Path, what: EvaluatorSpec, expected: dict[str, Evaluation]
) -> None:
    pool.load("select", workload(what, EXAMPLES))
    selected = [replace(task, split="select") for task in TASKS]
    mode(folder, sleep=0.1)
    outcomes = pool.run(deque([*(replace(task, background=True) for task in selected), *TASKS]))
    before: list[Outcome] = []
    while sum(outcome.split == "search" for outcome in before if isinstance(outcome, Evaluation)) < len(TASKS):
        before.append(next(outcomes))
    outcomes.close()  # type: ignore[attr-defined]
    ahead = {
        outcome.candidate.id for outcome in before if isinstance(outcome, Evaluation) and outcome.split == "select"
    }
    after = list(pool.run(deque(task for task in selected if task.candidate.id not in ahead)))
    for name in ("search", "select"):
        found, failures = split([e for e in (*before, *after) if isinstance(e, Evaluation) and e.split == name])
        assert timeless(found) == timeless(expected)
        assert failures == []


@pytest.mark.slow
def test_a_lethal_bundle_is_tried_as_a_whole_and_then_one_by_one(
    pool: Coordinator, folder: Path, what: EvaluatorSpec, expected: dict[str, Evaluation]
) -> None:
    mode(folder, poison=output_of(expected, "0-2"), deaths=99)
    pool.load("select", workload(what, EXAMPLES))
    found, failures = split(list(pool.run(deque(replace(task, together=3, split="select") for task in TASKS))))
    ids = [failure.candidate.id for failure in failures]
    # A third time as a whole if another bundle waited behind it, since that one might have been to blame.
    assert ids in [["0-0", "0-1", "0-2"] * whole + ["0-2"] for whole in (2, 3)], (
        "attempts of the bundle are not charged to its candidates"
    )
    assert found["0-2"].status == "failed"
    assert timeless({**found, "0-2": expected["0-2"]}) == timeless(expected)


def test_two_runs_on_one_cluster_share_it(
    joined_ray: None, pool: Coordinator, what: EvaluatorSpec, expected: dict[str, Evaluation]
) -> None:
    """The first holds half of the cores. The second asks for all and works with those that it gets."""
    second = open_pool(what, workers=4)
    second.load("search", workload(what, EXAMPLES))
    for each in (second, pool):
        found, failures = split(list(each.run(deque(TASKS))))
        assert timeless(found) == timeless(expected)
        assert failures == []
    second.close()


def test_workers_share_a_gpu(joined_ray: None, what: EvaluatorSpec, expected: dict[str, Evaluation]) -> None:
    """Each takes half of the one GPU that Ray counts here; there is none for a third worker."""
    halves = open_pool(what, workers="auto", gpus_per_worker=0.5)
    halves.load("search", workload(what, EXAMPLES))
    found, _ = split(list(halves.run(deque(TASKS))))
    assert timeless(found) == timeless(expected)
    assert ray.available_resources().get("GPU", 0.0) in (0.0, 0.5), "the second may still be starting"
    halves.close()
