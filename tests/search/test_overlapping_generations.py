"""Overlapping generations: two are scored at a time, and neither the order of answers nor a kill changes the search."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from support.ahead import Ahead
from support.optimizer_runs import score, space
from support.runs import journal, timeless
from support.searches import WEIGHTS, loop, scored
from swarm.core.candidates import Candidate, Evaluation, PruningBounds, Task
from swarm.core.errors import RunError
from swarm.core.outcomes import Feed, Outcome
from swarm.optimizers import Optimizer
from swarm.optimizers.bayesian import Bayesian
from swarm.preferences.weighted_sum import utility
from swarm.search.generational import GenerationalSearch, mean_scores


@dataclass
class Workers:
    """So many at a time are in the air, and one of them, by `choose`, answers next. tasks: all that were handed out."""

    choose: Callable[[list[Task]], int] = lambda open_tasks: 0
    at_once: int = 99
    answer: Callable[[Task], Evaluation] = lambda task: scored(task.candidate)
    tasks: list[Task] = field(default_factory=list)
    spans: list[set[int]] = field(default_factory=list)

    def __call__(self, feed: Feed) -> Iterator[Outcome]:
        in_air: list[Task] = []
        while feed or in_air:
            while feed and len(in_air) < self.at_once:
                in_air.append(feed.popleft())
                self.tasks.append(in_air[-1])
            self.spans.append({task.candidate.iteration or 0 for task in (*in_air, *feed)})
            yield self.answer(in_air.pop(self.choose(in_air)))

    @property
    def bounds(self) -> dict[str, PruningBounds]:
        return {task.candidate.id: task.pruning for task in self.tasks}


def raced(task: Task) -> Evaluation:
    """Stopped wherever the utility changes nothing: as often as any race could."""
    full = scored(task.candidate)
    unaffected = task.pruning.low <= utility(full.scores, WEIGHTS) <= task.pruning.high
    return replace(full, status="stopped") if unaffected else full


def run(folder: Path, optimizer: Optimizer[Any], workers: Workers | None = None, seed: int = 0) -> str:
    return GenerationalSearch(loop(folder, optimizer, workers or Workers(), seed)).run()


def lines(folder: Path) -> dict[str, dict[str, Any]]:
    found = [line for line in timeless(journal(folder)) if line["kind"] == "evaluation"]
    by_id = {line["id"]: line for line in found}
    assert len(by_id) == len(found), "an evaluation came twice"
    return by_id


def anyone(rng: random.Random) -> Workers:
    return Workers(choose=lambda tasks: rng.randrange(len(tasks)))


ORDERS: dict[str, Callable[[int], Workers]] = {
    "one worker": lambda seed: Workers(at_once=1),
    "two workers": lambda seed: Workers(at_once=2, choose=lambda tasks: len(tasks) - 1),
    "the last first": lambda seed: Workers(choose=lambda tasks: len(tasks) - 1),
    "any": lambda seed: anyone(random.Random(seed)),
}


@pytest.mark.parametrize("answer", [lambda task: scored(task.candidate), raced], ids=["full", "raced"])
@pytest.mark.parametrize("seed", range(3))
def test_neither_the_workers_nor_the_order_of_their_answers_decide(
    tmp_path: Path, seed: int, answer: Callable[[Task], Evaluation]
) -> None:
    optimizer = Ahead(evaluations=30, patience=12)
    ends, found, bounds = [], [], []
    for name, make in ORDERS.items():
        workers = replace(make(seed), answer=answer)
        ends.append(run(tmp_path / name, optimizer, workers, seed))
        found.append(lines(tmp_path / name))
        bounds.append(workers.bounds)
    assert ends == [ends[0]] * len(ORDERS)
    assert all(each == found[0] for each in found)
    assert all(each == bounds[0] for each in bounds)
    assert any("same_as" in line for line in found[0].values()), "positions are repeated"


@pytest.mark.parametrize("order", ["one worker", "any"])
@pytest.mark.parametrize("answer", [lambda task: scored(task.candidate), raced], ids=["full", "raced"])
def test_cut_after_any_line_and_run_again_it_ends_the_same(
    tmp_path: Path, order: str, answer: Callable[[Task], Evaluation]
) -> None:
    optimizer = Ahead(evaluations=16)
    reason = run(tmp_path / "straight", optimizer, replace(ORDERS[order](0), answer=answer))
    whole = (tmp_path / "straight" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for count in range(1, len(whole) + 1):
        cut = tmp_path / f"cut{count}"
        cut.mkdir()
        (cut / "journal.jsonl").write_bytes(b"".join(whole[:count] + [line[:40] for line in whole[count : count + 1]]))
        assert run(cut, optimizer, replace(ORDERS["any"](count), answer=answer)) == reason
        assert lines(cut) == lines(tmp_path / "straight")


def test_what_is_told_early_is_learnt_late() -> None:
    optimizer = Ahead()
    state = optimizer.init(space(3), 0)
    known: list[dict[tuple[int, int], list[float]]] = []
    for rng in (random.Random(0), random.Random(1)):
        told, proposals = state, {}
        for _ in range(40):
            asked = optimizer.ask(told)
            proposals |= {(p.iteration, p.particle): p.x_D.tolist() for p in asked}
            told = optimizer.tell(told, score([rng.choice(asked)]))
        known.append(proposals)
    both = known[0].keys() & known[1].keys()
    assert len(both) > 30
    assert {key: known[0][key] for key in both} == {key: known[1][key] for key in both}


def test_bayesian_with_overlap_ends_the_same_after_a_kill_and_in_any_order(tmp_path: Path) -> None:
    optimizer = Bayesian(overlap=True, particles=3, evaluations=15)
    assert run(tmp_path / "straight", optimizer) == "evaluations"
    run(tmp_path / "any", optimizer, ORDERS["any"](0))
    assert lines(tmp_path / "any") == lines(tmp_path / "straight")
    whole = (tmp_path / "any" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for count in (1, 5, 9, 12, 15):
        cut = tmp_path / f"cut{count}"
        cut.mkdir()
        (cut / "journal.jsonl").write_bytes(b"".join(whole[:count]))
        run(cut, optimizer, ORDERS["any"](count))
        assert lines(cut) == lines(tmp_path / "straight")


@pytest.mark.parametrize("limit", [1, 4, 5, 7, 8, 14])
@pytest.mark.parametrize("order", ["one worker", "the last first"])
def test_a_budget_of_evaluations_is_kept_to_the_letter(tmp_path: Path, limit: int, order: str) -> None:
    optimizer, workers = Ahead(evaluations=limit), ORDERS[order](0)
    assert run(tmp_path, optimizer, workers, seed=1) == "evaluations"
    fresh = {tuple(line["position"]) for line in lines(tmp_path).values()}
    assert len(workers.tasks) == len(fresh) == limit
    run(tmp_path / "alone", optimizer, ORDERS["one worker"](0), seed=1)
    assert lines(tmp_path) == lines(tmp_path / "alone")
    assert run(tmp_path, optimizer, workers, seed=1) == "evaluations"
    assert len(workers.tasks) == limit, "run again, it scores nothing"


def test_the_next_generation_is_in_the_air_as_soon_as_the_older_one_is_complete(tmp_path: Path) -> None:
    workers = Workers()
    assert run(tmp_path, Bayesian(overlap=True, particles=3, iterations=5), workers) == "iterations"
    assert [min(span) for span in workers.spans] == sorted(min(span) for span in workers.spans)
    assert all(len(span) == 2 for span in workers.spans[:-3]), "two generations until the last one is alone"
    assert workers.spans[-1] == {4}


def test_bounds_come_from_what_was_complete_when_the_generation_was_asked(tmp_path: Path) -> None:
    workers = ORDERS["any"](1)
    found = loop(tmp_path, Ahead(evaluations=30), workers)
    GenerationalSearch(found).run()
    assert max(task.candidate.iteration or 0 for task in workers.tasks) > 4
    for task in workers.tasks:
        complete = (task.candidate.iteration or 0) - 1
        earlier = [utility(e.scores, WEIGHTS) for e in found.archive.ranked(WEIGHTS, before=complete)]
        high = min(earlier[0], earlier[3]) if len(earlier) > 3 else -math.inf
        expected = mean_scores(found.archive, complete - 1)
        assert (task.pruning.high, task.pruning.expected) == (high, expected)


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_counts_the_generations_that_are_complete(tmp_path: Path, patience: int) -> None:
    flat = Workers(answer=lambda task: Evaluation(task.candidate, "ok", {"near": 0.0, "small": 0.0}))
    assert run(tmp_path, Bayesian(overlap=True, particles=2, patience=patience), flat) == "patience"
    assert max(task.candidate.iteration or 0 for task in flat.tasks) == patience + 1
    assert {f"{patience + 1}-0", f"{patience + 1}-1"} <= lines(tmp_path).keys(), "what is in the air is scored"


def test_minutes_end_it_at_once(tmp_path: Path) -> None:
    workers = Workers()
    found = loop(tmp_path, Ahead(minutes=1), workers)
    late = iter([False] * 5 + [True] * 99)
    object.__setattr__(found, "out_of_time", lambda: next(late))
    assert GenerationalSearch(found).run() == "minutes"
    assert 1 <= len(lines(tmp_path)) <= 5


def test_failures_are_learnt_and_a_first_generation_of_nothing_else_ends_the_search(tmp_path: Path) -> None:
    def failing(candidate: Candidate, all_of_the_first: bool) -> Evaluation:
        fails = candidate.iteration == 0 if all_of_the_first else (candidate.particle or 0) % 2
        return Evaluation(candidate, "failed", error="no such layer") if fails else scored(candidate)

    some = Workers(answer=lambda task: failing(task.candidate, False))
    assert run(tmp_path / "some", Bayesian(overlap=True, particles=3, evaluations=16), some) == "evaluations"
    every = Workers(answer=lambda task: failing(task.candidate, True))
    with pytest.raises(RunError, match="no such layer"):
        run(tmp_path / "every", Ahead(), every)


def test_a_missing_line_is_noticed(tmp_path: Path) -> None:
    run(tmp_path, Ahead(evaluations=25), Workers(at_once=1))
    path = tmp_path / "journal.jsonl"
    whole = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in whole if '"id":"1-1"' not in line.replace(" ", "")))
    with pytest.raises(RunError, match="candidate 1-1 has no line"):
        run(tmp_path, Ahead(evaluations=25))
