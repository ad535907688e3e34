"""Positions that are the same model: it is scored once, and the optimizer learns it at each of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.generational_runs import Scorer
from support.optimizer_runs import space
from support.searches import loop, scored
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.outcomes import Outcome
from swarm.core.space import Array, Space, position_of
from swarm.optimizers import OPTIMIZERS
from swarm.search.asynchronous import AsynchronousSearch
from swarm.search.baselines import Baselines
from swarm.search.generational import GenerationalSearch
from swarm.search.loop import Loop

FIRST, SECOND = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
SHARED = replace(space(3), same_model={SECOND: FIRST})
ASYNC = [kind for kind in OPTIMIZERS if kind in ("pso", "bayesian", "guided_pso", "random")]
CASES = [("sync", kind) for kind in OPTIMIZERS if kind != "lorahub"] + [("async", kind) for kind in ASYNC]


def alike(candidate: Candidate) -> list[Outcome]:
    """Both positions have the first one's score."""
    at = replace(candidate, position=FIRST) if candidate.position == SECOND else candidate
    return [replace(scored(at), candidate=candidate)]


def searched(
    folder: Path, kind: str, schedule: str, where: Space, stop: int | None = None
) -> tuple[Loop, list[Candidate]]:
    """The search, and what was scored for it; stop: as if it was killed after so many evaluations, once."""
    small = {"points": 2} if kind == "grid" else {"iterations": 3, "patience": None}
    optimizer = OPTIMIZERS[kind](schedule=schedule, **small)
    scorer = Scorer(alike)
    if stop is not None:
        first = replace(loop(folder, optimizer, scorer), space=where)
        short = replace(first, optimizer=optimizer.model_copy(update={"evaluations": stop}))
        run(short)
        first.archive.journal.close()
    found = replace(loop(folder, optimizer, scorer), space=where)
    run(found)
    return found, scorer.seen


def run(search: Loop) -> None:
    (AsynchronousSearch if search.optimizer.schedule == "async" else GenerationalSearch)(search).run()


def by_age(search: Loop) -> list[Evaluation]:
    """A generation's repeats stand at its end, or where a budget cut it."""
    return sorted(search.archive.history(), key=lambda each: each.candidate.age)


def positions(candidates: Sequence[Candidate]) -> list[tuple[float, ...]]:
    return [candidate.position for candidate in candidates]


@pytest.mark.parametrize(("schedule", "kind"), CASES)
def test_a_model_is_scored_once_and_stands_in_the_journal_for_each_of_its_positions(
    tmp_path: Path, schedule: str, kind: str
) -> None:
    search, seen = searched(tmp_path, kind, schedule, SHARED)
    assert SECOND not in positions(seen)
    assert positions(seen).count(FIRST) == 1
    shared = [record for record in search.archive.scored if tuple(record.position) == FIRST]
    assert len(shared) >= 2
    assert len({tuple(record.scores.items()) for record in shared}) == 1
    assert [bool(record.repeated) for record in shared] == [False] + [True] * (len(shared) - 1)


@pytest.mark.parametrize(("schedule", "kind"), CASES)
def test_the_search_goes_where_it_goes_if_both_are_scored_alike(tmp_path: Path, schedule: str, kind: str) -> None:
    shared, _ = searched(tmp_path / "shared", kind, schedule, SHARED)
    twice, seen = searched(tmp_path / "twice", kind, schedule, space(3))
    assert SECOND in positions(seen)
    assert shared.archive.evaluations == twice.archive.evaluations - 1
    own, others = by_age(shared), by_age(twice)
    assert [e.scores for e in own] == [e.scores for e in others]
    alike = [FIRST if each == SECOND else each for each in positions([e.candidate for e in others])]
    assert positions([e.candidate for e in own]) == alike


@pytest.mark.parametrize("stop", [3, 6, 11])
@pytest.mark.parametrize(("schedule", "kind"), [("sync", "guided_pso"), ("sync", "pso"), ("async", "bayesian")])
def test_a_resumed_search_is_that_of_an_undisturbed_one(tmp_path: Path, schedule: str, kind: str, stop: int) -> None:
    straight, _ = searched(tmp_path / "straight", kind, schedule, SHARED)
    resumed, _ = searched(tmp_path / "resumed", kind, schedule, SHARED, stop)
    assert by_age(resumed) == by_age(straight)


def test_a_baseline_in_two_places_is_one() -> None:
    assert list(Baselines.of(space(3)).experts) == ["expert:expert0", "expert:expert1", "expert:expert2"]
    assert list(Baselines.of(SHARED).experts) == ["expert:expert0", "expert:expert2"]
    x_D: Array = np.array(SECOND)
    assert SHARED.scored_at(x_D) == FIRST
    assert SHARED.scored_at(x_D / 2) == position_of(x_D / 2)
