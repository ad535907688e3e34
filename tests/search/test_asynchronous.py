"""The async schedule: a particle moves as soon as its score is in, budgets hold, the journal's order is the search."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ValidationError

from support.optimizer_runs import space
from support.runs import START, Silent, journal, timeless
from support.searches import WEIGHTS, scored
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.errors import RunError
from swarm.core.outcomes import Failure, Feed, Outcome
from swarm.journal.archive import Archive
from swarm.optimizers import OPTIMIZERS, Observation, Optimizer
from swarm.optimizers.base import Proposal
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.grid import Grid
from swarm.optimizers.guided_pso import GuidedPSO
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.pso import PSO
from swarm.optimizers.random_search import RandomSearch
from swarm.run.listener import REPLAY, telling_replay
from swarm.search.asynchronous import AsynchronousSearch
from swarm.search.loop import Evaluate, Loop

SMALL: dict[str, Optimizer[Any]] = {
    "pso": PSO(schedule="async", particles=5, iterations=4, patience=None),
    "model_swarms": ModelSwarms(schedule="async", particles=5, iterations=5, drop_iteration=0.3, drop_particle=0.3),
    "random": RandomSearch(schedule="async", particles=5, iterations=4),
    "grid": Grid(schedule="async", points=2, particles=5),
    "bayesian": Bayesian(schedule="async", particles=5, iterations=4, patience=None),
    "guided_pso": GuidedPSO(schedule="async", particles=4, iterations=4, patience=None),
    "evaluations": PSO(schedule="async", particles=5, evaluations=13),
    "patience": PSO(schedule="async", particles=4, patience=1),
}


class Workers:
    """`count` candidates at a time, answered in a random order. failing: candidates that fail."""

    def __init__(self, count: int = 3, seed: int = 0, failing: tuple[str, ...] = ()) -> None:
        self.seen: list[Task] = []
        self.at_once = 0
        self._count, self._rng, self._failing = count, random.Random(seed), failing

    def __call__(self, feed: Feed) -> Iterator[Outcome]:
        in_flight: list[Task] = []
        while feed or in_flight:
            while feed and len(in_flight) < self._count:
                in_flight.append(feed.popleft())
            self.at_once = max(self.at_once, len(in_flight))
            task = in_flight.pop(self._rng.randrange(len(in_flight)))
            self.seen.append(task)
            yield self.answer(task.candidate)

    def answer(self, candidate: Candidate) -> Evaluation:
        failed = candidate.id in self._failing
        return Evaluation(candidate, "failed", error="no") if failed else scored(candidate)


def run(
    folder: Path,
    optimizer: Optimizer[Any],
    workers: Evaluate,
    heard: list[str] | None = None,
    replayed: list[tuple[int, int]] | None = None,
) -> str:
    folder.mkdir(exist_ok=True)
    archive = Archive(folder / "journal.jsonl")
    if archive.start is None:
        archive.append(START)
    listen = ([] if heard is None else heard).append
    loop = Loop(
        optimizer,
        space(3),
        0,
        WEIGHTS,
        archive,
        workers,
        lambda e: listen(e.candidate.id),
        finalists=4,
        on_replayed=lambda done, of: replayed.append((done, of)) if replayed is not None else None,
    )
    return AsynchronousSearch(loop).run()


def lines(folder: Path) -> list[dict[str, Any]]:
    return [line for line in timeless(journal(folder)) if line["kind"] == "evaluation"]


@pytest.mark.parametrize("name", SMALL)
def test_one_worker_or_many_every_candidate_is_scored_once(tmp_path: Path, name: str) -> None:
    for count in (1, 4):
        workers = Workers(count)
        reason = run(tmp_path / str(count), SMALL[name], workers)
        ids = [line["id"] for line in lines(tmp_path / str(count))]
        assert len(set(ids)) == len(ids)
        seen = [task.candidate.position for task in workers.seen]
        assert len(set(seen)) == len(seen), "no position is scored twice"
        assert reason == {"grid": "exhausted", "evaluations": "evaluations", "patience": "patience"}.get(
            name, "iterations"
        )


def test_fast_workers_do_not_wait_for_slow_ones(tmp_path: Path) -> None:
    """One candidate is never answered until all others are: the particle behind it stays, the others go on."""

    def all_but_one(feed: Feed) -> Iterator[Outcome]:
        slow = feed.popleft()
        while feed:
            yield scored(feed.popleft().candidate)
        yield scored(slow.candidate)
        while feed:
            yield scored(feed.popleft().candidate)

    run(tmp_path, SMALL["pso"], all_but_one)
    found = [(line["iteration"], line["particle"]) for line in lines(tmp_path)]
    assert found.index((0, 0)) == 16, "four particles had gone all their way"
    assert len(found) == 20


@pytest.mark.parametrize("limit", [1, 5, 7, 23])
@pytest.mark.parametrize("kind", ["pso", "model_swarms", "random", "bayesian", "guided_pso"])
def test_a_budget_of_evaluations_is_kept_to_the_letter(tmp_path: Path, kind: str, limit: int) -> None:
    optimizer = OPTIMIZERS[kind](schedule="async", particles=5, evaluations=limit, patience=None)
    workers = Workers()
    assert run(tmp_path, optimizer, workers) == "evaluations"
    assert len(workers.seen) == limit
    assert run(tmp_path, optimizer, workers) == "evaluations"
    assert len(workers.seen) == limit


@pytest.mark.parametrize("name", SMALL)
def test_with_one_worker_a_resume_goes_the_way_of_an_undisturbed_run(tmp_path: Path, name: str) -> None:
    straight = tmp_path / "straight"
    reason = run(straight, SMALL[name], Workers(1))
    whole = (straight / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(1, len(whole) + 1):
        cut = tmp_path / str(kept)
        cut.mkdir()
        (cut / "journal.jsonl").write_bytes(b"".join(whole[:kept]))
        assert run(cut, SMALL[name], Workers(1)) == reason
        assert lines(cut) == lines(straight)


@pytest.mark.parametrize("name", ["pso", "model_swarms", "random", "grid"])
def test_a_journal_of_many_workers_replays_to_where_it_stood(tmp_path: Path, name: str) -> None:
    """Cut anywhere, the journal is accepted by the resume, which takes the same steps and scores the rest."""
    straight = tmp_path / "straight"
    run(straight, SMALL[name], Workers(4, seed=3))
    whole = (straight / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(2, len(whole), 3):
        cut = tmp_path / str(kept)
        cut.mkdir()
        (cut / "journal.jsonl").write_bytes(b"".join(whole[:kept]))
        run(cut, SMALL[name], Workers(4, seed=kept))
        assert lines(cut)[: kept - 1] == lines(straight)[: kept - 1]
        assert len(lines(cut)) == len(lines(straight))


def test_the_journal_is_written_before_the_optimizer_learns(tmp_path: Path) -> None:
    class Watching(PSO):
        def step(self, state: Any, result: Observation) -> tuple[Any, list[Proposal]]:
            journaled = [line["id"] for line in lines(tmp_path)]
            assert f"{result.iteration}-{result.particle}" in journaled
            return super().step(state, result)

    run(tmp_path, Watching(schedule="async", particles=4, iterations=3), Workers())


def test_a_position_that_comes_again_is_not_scored_again(tmp_path: Path) -> None:
    class Doubled(PSO):
        def init(self, space: Any, seed: int) -> Any:
            state = super().init(space, seed)
            x_ND = np.repeat(state.generation.x_ND[:2], [3, 2], axis=0)
            return type(state)(**{**vars(state), "generation": type(state.generation).fresh(0, x_ND)})

    heard: list[str] = []
    workers = Workers(5)
    run(tmp_path, Doubled(schedule="async", particles=5, iterations=1), workers, heard)
    assert len(workers.seen) == 2
    assert sorted(heard) == [f"0-{i}" for i in range(5)]
    assert sum("same_as" in line for line in lines(tmp_path)) == 3


def test_failures_are_journaled_and_a_failed_particle_moves_on(tmp_path: Path) -> None:
    class Flaky(Workers):
        def __call__(self, feed: Feed) -> Iterator[Outcome]:
            yield Failure(feed[0].candidate, 1, "the worker died", "worker-0")
            yield from super().__call__(feed)

    run(tmp_path, SMALL["pso"], Flaky(failing=("0-1", "1-2")))
    found = {line["id"]: line["status"] for line in lines(tmp_path)}
    assert len(found) == 20
    assert [name for name, status in found.items() if status == "failed"] in (["0-1", "1-2"], ["1-2", "0-1"])
    assert [line["kind"] for line in journal(tmp_path)].count("failure") == 1


def test_nothing_but_failures_ends_the_search_with_the_first_reason(tmp_path: Path) -> None:
    everyone = tuple(f"{iteration}-{i}" for i in range(5) for iteration in range(4))
    with pytest.raises(RunError, match="the first 5 candidates failed; the first said: no"):
        run(tmp_path, SMALL["pso"], Workers(failing=everyone))


def test_another_config_than_the_journal_s_is_refused(tmp_path: Path) -> None:
    run(tmp_path, SMALL["pso"], Workers())
    path = tmp_path / "journal.jsonl"
    text = [json.loads(line) for line in path.read_text().splitlines()]
    text[3]["position"][0] += 0.25
    path.write_text("".join(json.dumps(line) + "\n" for line in text))
    with pytest.raises(RunError, match="was scored where this config would not have it"):
        run(tmp_path, SMALL["pso"], Workers())


@pytest.mark.parametrize("name", ["pso", "model_swarms"])
def test_a_single_step_moves_a_particle_where_a_generation_of_one_would(name: str) -> None:
    """With no other result in between, step and tell agree on the first move."""
    optimizer = OPTIMIZERS[name](schedule="async", particles=4)
    state = optimizer.init(space(3), 1)
    results = [Observation(0, i, float("nan") if i else 0.5) for i in range(4)]
    together = optimizer.ask(optimizer.tell(state, results))[0]
    _, (alone,) = optimizer.step(state, results[0])
    assert alone.iteration == together.iteration == 1
    np.testing.assert_array_equal(alone.x_D, together.x_D)


@pytest.mark.parametrize("kind", ["cma_es", "optuna"])
def test_an_optimizer_that_knows_generations_alone_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match="moves all its particles together; take sync"):
        OPTIMIZERS[kind](schedule="async")


class Counted(Bayesian):
    """Counts what is proposed by the process."""

    proposed: ClassVar[int] = 0

    def next_positions(self, *arguments: Any) -> np.ndarray:
        type(self).proposed += 1
        return super().next_positions(*arguments)


def test_a_resume_believes_most_of_the_journal_and_goes_on_as_an_undisturbed_run(tmp_path: Path) -> None:
    optimizer = Counted(schedule="async", particles=2, evaluations=60, patience=None)
    replayed: list[tuple[int, int]] = []
    run(tmp_path / "straight", optimizer, Workers(1))
    whole = (tmp_path / "straight" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "journal.jsonl").write_bytes(b"".join(whole[:51]))
    Counted.proposed = 0
    run(tmp_path / "cut", optimizer, Workers(1), replayed=replayed)
    assert lines(tmp_path / "cut") == lines(tmp_path / "straight")
    assert replayed == [(done, 50) for done in range(1, 51)]
    assert Counted.proposed < 30, "of 60: the first, the last and the new ones"


@pytest.mark.parametrize("line", [4, 25, 49])
def test_a_position_that_was_changed_shows_although_not_every_step_is_taken(tmp_path: Path, line: int) -> None:
    optimizer = Bayesian(schedule="async", particles=2, evaluations=52, patience=None)
    run(tmp_path, optimizer, Workers(1))
    path = tmp_path / "journal.jsonl"
    text = [json.loads(line) for line in path.read_text().splitlines()]
    text[line]["position"][0] += 0.25
    path.write_text("".join(json.dumps(line) + "\n" for line in text))
    with pytest.raises(RunError, match="was scored where this config would not have it"):
        run(tmp_path, optimizer, Workers(1))


def test_a_replay_that_takes_long_is_told_and_a_short_one_is_not() -> None:
    class Heard(Silent):
        said: ClassVar[list[str]] = []

        def phase(self, text: str) -> None:
            self.said.append(text)

        def steps(self, done: int, of: int) -> None:
            self.said.append(f"{done} of {of}")

        def scores_so_far(self, split: Any, scores: Any) -> None: ...

    seconds = iter([0.0, 1.0, 2.0, 4.0])
    replayed = telling_replay(Heard(), "searching", lambda: next(seconds))
    for done in range(1, 6):
        replayed(done, 5)
    assert Heard.said == [REPLAY, "3 of 5", "4 of 5", "5 of 5", "searching"]
