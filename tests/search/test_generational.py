"""The search by generations: budgets are exact, no position is scored twice, the journal is written before the
optimizer learns of it, and a search resumes from any line.

`evaluate` is a plain function here: a candidate's score is how near it is to a target."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.generational_runs import Scorer, evaluations, fresh, run
from support.optimizer_runs import space
from support.runs import journal, timeless
from support.searches import WEIGHTS, loop, scored
from swarm.core.candidates import Candidate, Evaluation, PruningBounds, Task
from swarm.core.errors import RunError
from swarm.core.outcomes import Failure, Feed, Outcome
from swarm.core.space import Array
from swarm.journal.archive import Archive
from swarm.optimizers import OPTIMIZERS, Observation, Optimizer
from swarm.optimizers.grid import Grid
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.pso import PSO
from swarm.optimizers.random_search import RandomSearch
from swarm.preferences.weighted_sum import utility
from swarm.search.generational import GenerationalSearch, mean_scores
from swarm.search.loop import Evaluate

SMALL: dict[str, Optimizer[Any]] = {
    "pso": PSO(particles=5, iterations=4),
    "model_swarms": ModelSwarms(particles=5, iterations=5, drop_iteration=0.3, drop_particle=0.3),
    "random": RandomSearch(particles=5, iterations=4),
    "grid": Grid(points=2, particles=5),
    "evaluations": PSO(particles=5, evaluations=13),
    "patience": PSO(particles=4, patience=1),
}


@pytest.mark.parametrize(
    "optimizer",
    [Grid(points=3, particles=7), RandomSearch(particles=30, iterations=3), ModelSwarms(crossover=False, particles=9)],
    ids=lambda optimizer: optimizer.type,
)
def test_no_position_is_scored_twice(tmp_path: Path, optimizer: Optimizer[Any]) -> None:
    scorer = Scorer()
    run(tmp_path, optimizer, scorer)
    positions = [candidate.position for candidate in scorer.seen]
    assert len(set(positions)) == len(positions)
    repeats = [line for line in evaluations(tmp_path) if "same_as" in line]
    by_id = {line["id"]: line for line in evaluations(tmp_path)}
    for line in repeats:
        first = by_id[line["same_as"]]
        assert (line["position"], line["scores"], line["tokens"]) == (first["position"], first["scores"], 0)
    if optimizer.type == "model_swarms":
        assert len(repeats) >= 6, "its start repeats the experts"


def test_a_grid_ends_by_itself(tmp_path: Path) -> None:
    assert run(tmp_path, Grid(points=2)) == "exhausted"
    assert len(fresh(tmp_path)) == 2**3 + 7, "the anchors and the corners"


def test_a_line_is_journaled_before_the_optimizer_hears_of_it(tmp_path: Path) -> None:
    class Watchful(PSO):
        def tell(self, state: Any, results: Sequence[Observation]) -> Any:
            known = {(line["iteration"], line["particle"]): line for line in evaluations(tmp_path)}
            for result in results:
                assert utility(known[result.iteration, result.particle]["scores"], WEIGHTS) == result.utility
            learnt.extend(results)
            return super().tell(state, results)

    learnt: list[Observation] = []
    run(tmp_path, Watchful(particles=4, iterations=3))
    assert len(learnt) == 12


def test_the_optimizer_hears_the_weighted_mean_of_the_objectives() -> None:
    assert utility({"near": 0.5, "small": 0.1}, {"near": 3.0, "small": 1.0}) == pytest.approx(0.4)
    assert utility({"small": 0.1}, {"near": 3.0, "small": 1.0}) == pytest.approx(0.1)


def test_a_failed_evaluation_is_learnt_as_nan_and_is_never_a_best(tmp_path: Path) -> None:
    """What fails here would be the best of all, and its scores are in the evaluation."""

    class Listening(PSO):
        def tell(self, state: Any, results: Sequence[Observation]) -> Any:
            learnt.extend(results)
            state = super().tell(state, results)
            assert state.global_utility < 0
            return state

    def failing(candidate: Candidate) -> list[Outcome] | None:
        if (candidate.particle or 0) % 2:
            return None
        return [Evaluation(candidate, "failed", {"near": 9.0, "small": 9.0}, error="no")]

    learnt: list[Observation] = []
    run(tmp_path, Listening(particles=6, iterations=3), Scorer(failing))
    assert all(math.isnan(result.utility) == (result.particle % 2 == 0) for result in learnt)
    assert len(learnt) == 18


def test_failures_are_journaled_beside_the_evaluation_that_follows(tmp_path: Path) -> None:
    def twice(candidate: Candidate) -> list[Outcome]:
        return [Failure(candidate, 1, "died", "worker-3"), scored(candidate)]

    run(tmp_path, PSO(particles=2, iterations=1), Scorer(twice))
    lines = timeless(journal(tmp_path))[1:]
    assert [line["kind"] for line in lines] == ["failure", "evaluation"] * 2
    assert lines[0] == {"kind": "failure", "id": "0-0", "attempt": 1, "error": "died"}


def test_dropped_particles_and_iterations_are_not_scored_and_the_budget_counts_them(tmp_path: Path) -> None:
    optimizer = ModelSwarms(particles=6, iterations=12, patience=None, drop_iteration=0.4, drop_particle=0.4)
    scorer = Scorer()
    assert run(tmp_path, optimizer, scorer) == "iterations"
    state = optimizer.init(space(3), 0)
    expected = []
    for iteration in range(12):
        mask_N = np.ones(6, bool) if iteration == 0 else optimizer.scored(state.seed, iteration, np.arange(6))
        expected += [(iteration, int(i)) for i in np.flatnonzero(mask_N)]
    assert [(line["iteration"], line["particle"]) for line in evaluations(tmp_path)] == expected
    assert len({iteration for iteration, _ in expected}) < 12


def by_id(folder: Path) -> dict[str, dict[str, Any]]:
    lines = evaluations(folder)
    assert len({line["id"] for line in lines}) == len(lines), "an evaluation came twice"
    return {line["id"]: line for line in lines}


def backwards(tasks: Feed) -> Iterator[Outcome]:
    """As a pool may: the last one first, with failed attempts, and stopped where that changes nothing."""
    while tasks:
        task = tasks.pop()
        if task.candidate.particle == 2:
            yield Failure(task.candidate, 1, "died", "w")
        yield stopped_where_harmless(task)


def stopped_where_harmless(task: Task) -> Evaluation:
    """Stopped wherever the utility changes nothing: as often as any race could."""
    full = scored(task.candidate)
    unaffected = task.pruning.low <= utility(full.scores, WEIGHTS) <= task.pruning.high
    return replace(full, status="stopped") if unaffected else full


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("evaluate", [Scorer(), backwards], ids=["in order", "backwards"])
def test_cut_after_any_line_and_run_again_it_ends_the_same(tmp_path: Path, name: str, evaluate: Evaluate) -> None:
    straight = tmp_path / "straight"
    reason = run(straight, SMALL[name], evaluate)
    lines = (straight / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for count in range(1, len(lines) + 1):
        cut = tmp_path / f"cut{count}"
        cut.mkdir()
        (cut / "journal.jsonl").write_bytes(b"".join(lines[:count] + [line[:40] for line in lines[count : count + 1]]))
        assert run(cut, SMALL[name], evaluate) == reason
        assert by_id(cut) == by_id(straight)


def test_a_finished_search_scores_nothing_again(tmp_path: Path) -> None:
    reason = run(tmp_path, SMALL["pso"])
    before = (tmp_path / "journal.jsonl").read_bytes()
    scorer = Scorer()
    assert run(tmp_path, SMALL["pso"], scorer) == reason
    assert scorer.seen == []
    assert (tmp_path / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize("kind", ["pso", "model_swarms", "random"])
def test_all_randomness_is_from_the_seed(tmp_path: Path, kind: str) -> None:
    optimizer = OPTIMIZERS[kind](particles=6, iterations=4)
    for name, seed in (("one", 7), ("two", 7), ("other", 8)):
        np.random.seed(len(name))
        run(tmp_path / name, optimizer, seed=seed)
    assert evaluations(tmp_path / "one") == evaluations(tmp_path / "two")
    assert evaluations(tmp_path / "one") != evaluations(tmp_path / "other")


def test_a_journal_of_another_config_is_refused(tmp_path: Path) -> None:
    run(tmp_path, PSO(particles=5, iterations=2))
    with pytest.raises(RunError, match=r"candidate 0-0 .* another position|candidate 0-\d was scored at another"):
        run(tmp_path, ModelSwarms(particles=5, iterations=2))


def finalists(archive: Archive) -> list[Candidate]:
    return [evaluation.candidate for evaluation in archive.ranked(WEIGHTS)[:4]]


@pytest.mark.parametrize("name", SMALL)
def test_stopping_what_changes_nothing_changes_nothing(tmp_path: Path, name: str) -> None:
    """The harshest race that the pruning bounds allow leaves positions, bests, finalists and the end as they were."""
    stopped = 0
    for seed in range(10):
        loops = [loop(tmp_path / f"{kind}{seed}", SMALL[name], Scorer(), seed) for kind in ("full", "raced")]
        raced = replace(loops[1], evaluate=lambda tasks: map_outcomes(stopped_where_harmless, tasks))
        assert GenerationalSearch(loops[0]).run() == GenerationalSearch(raced).run()
        pairs = [by_id(tmp_path / f"{kind}{seed}") for kind in ("full", "raced")]
        assert [line["position"] for line in pairs[0].values()] == [line["position"] for line in pairs[1].values()]
        assert finalists(loops[0].archive) == finalists(raced.archive)
        stopped += sum(line["status"] == "stopped" for line in pairs[1].values())
    assert stopped > 0 or name in ("grid", "patience"), "too short to have any"


def map_outcomes(score: Callable[[Task], Evaluation], tasks: Feed) -> Iterator[Outcome]:
    while tasks:
        yield score(tasks.popleft())


def test_only_what_is_no_finalist_and_no_best_may_be_stopped(tmp_path: Path) -> None:
    seen: list[Task] = []

    def watching(task: Task) -> Evaluation:
        seen.append(task)
        return scored(task.candidate)

    found = loop(tmp_path, PSO(particles=5, iterations=4), partial(map_outcomes, watching))
    GenerationalSearch(found).run()
    for task in seen:
        iteration = task.candidate.iteration or 0
        earlier = [utility(e.scores, WEIGHTS) for e in found.archive.ranked(WEIGHTS, before=iteration)]
        own = [
            utility(e.scores, WEIGHTS)
            for e in found.archive.searched()
            if e.candidate.particle == task.candidate.particle and (e.candidate.iteration or 0) < iteration
        ]
        high = min(max(own), earlier[3]) if iteration else -math.inf
        expected = mean_scores(found.archive, iteration - 1)
        assert task.pruning == PruningBounds(-math.inf, high, expected=expected)
        assert bool(expected) == bool(iteration)


def test_a_sequential_search_sends_incumbents(tmp_path: Path) -> None:
    seen: list[Task] = []

    def watching(task: Task) -> Evaluation:
        seen.append(task)
        return scored(task.candidate)

    found = replace(
        loop(tmp_path, ModelSwarms(particles=5, iterations=4), partial(map_outcomes, watching)), sequential=True
    )
    GenerationalSearch(found).run()
    for task in seen:
        pruning, iteration = task.pruning, task.candidate.iteration or 0
        if not iteration:
            assert (pruning.personal, pruning.best, pruning.worst) == (None, None, None)
            continue
        ranked = found.archive.ranked(WEIGHTS, before=iteration)
        assert pruning.best is not None
        assert pruning.best.scores == ranked[0].examples
        assert pruning.worst == utility(ranked[-1].scores, WEIGHTS)
        own = [e for e in ranked if e.candidate.particle == task.candidate.particle]
        assert pruning.personal is not None
        assert pruning.personal.scores == own[0].examples


class Still(PSO):
    """All particles at one position, of two that alternate."""

    def advance(self, state: Any) -> Any:
        state = super().advance(state)
        place = float(state.generation.iteration % 2)
        x_ND: Array = np.full_like(state.generation.x_ND, place)
        return replace(state, generation=replace(state.generation, x_ND=x_ND))


def test_a_position_that_was_stopped_is_raced_anew_and_counts_once(tmp_path: Path) -> None:
    scorer = Scorer(lambda candidate: [replace(scored(candidate), status="stopped")] if candidate.iteration else None)
    found = loop(tmp_path, Still(particles=4, iterations=5, patience=None), scorer)
    assert GenerationalSearch(found).run() == "iterations"
    raced = [candidate.id for candidate in scorer.seen]
    assert raced == ["0-0", "0-1", "0-2", "0-3", "1-0", "2-0", "3-0", "4-0"], "one for all who are there"
    assert found.archive.evaluations == 4 + 2
    assert found.archive.at((1.0, 1.0, 1.0)) is None
    lines = by_id(tmp_path)
    assert {lines[f"3-{i}"]["same_as"] for i in (1, 2, 3)} == {"3-0"}
    assert {lines[f"3-{i}"]["status"] for i in range(4)} == {"stopped"}
    assert run(tmp_path, Still(particles=4, iterations=5, patience=None), Scorer()) == "iterations"


class Returning(PSO):
    """In its third generation the first particle has a new position; the others have those of the second generation."""

    def advance(self, state: Any) -> Any:
        state = super().advance(state)
        x_ND: Array = np.tile([[0.1], [0.2], [0.3]], 3)
        if state.generation.iteration == 2:
            x_ND[0] = 0.4
        return replace(state, generation=replace(state.generation, x_ND=x_ND))


def test_a_position_that_was_paid_for_is_scored_behind_a_new_one_that_the_budget_has_no_room_for(
    tmp_path: Path,
) -> None:
    """All of the second generation is stopped, so in the third two of its positions are raced anew, at no cost."""
    scorer = Scorer(lambda candidate: [replace(scored(candidate), status="stopped")] if candidate.iteration else None)
    found = loop(tmp_path, Returning(particles=3, evaluations=6, patience=None), scorer)
    assert GenerationalSearch(found).run() == "evaluations"
    assert [candidate.id for candidate in scorer.seen[3:]] == ["1-0", "1-1", "1-2", "2-1", "2-2"]
    assert found.archive.evaluations == 6
    assert found.archive.of("2-0") is None
    assert GenerationalSearch(found).run() == "evaluations", "also when it is run again"
    assert len(scorer.seen) == 8


@pytest.mark.parametrize("limit", [5, 6, 7])
def test_a_budget_of_evaluations_counts_a_stopped_position_once(tmp_path: Path, limit: int) -> None:
    def stopped(candidate: Candidate) -> list[Outcome] | None:
        return [replace(scored(candidate), status="stopped")] if candidate.iteration else None

    found = loop(tmp_path, Still(particles=4, evaluations=limit, patience=None, iterations=9), Scorer(stopped))
    assert GenerationalSearch(found).run() == ("evaluations" if limit == 5 else "iterations")
    assert found.archive.evaluations == min(limit, 6)
