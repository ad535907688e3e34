"""The sequential test stops candidates at its stated error, and hardly changes where a search ends.

The searches run over synthetic landscapes (landscapes.py): the real Search, and a scorer that races rung by rung.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.landscapes import Landscape, Run, Scorer, loop, run
from support.races import EXACT, OFF, SEEDS, SEQUENTIAL, UNIT, race
from support.runs import journal, timeless
from swarm.core.candidates import Candidate, Evaluation, Incumbent, PruningBounds, Task
from swarm.core.outcomes import Feed, Outcome
from swarm.evaluation.racing import Race, Racing
from swarm.optimizers import Optimizer
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.guided_pso import GuidedPSO
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.pso import PSO
from swarm.optimizers.random_search import RandomSearch
from swarm.preferences.weighted_sum import estimate
from swarm.search.asynchronous import AsynchronousSearch
from swarm.search.generational import GenerationalSearch
from swarm.statistics.intervals import mean_interval

SEARCHES: dict[str, tuple[Optimizer[Any], float]] = {  # with the share of example evaluations that it may take
    "pso": (PSO(particles=15, iterations=12), 0.65),
    "random": (RandomSearch(particles=15, iterations=12), 0.35),
    "model_swarms": (ModelSwarms(particles=15, iterations=12), 0.85),
    "bayesian": (Bayesian(evaluations=180, patience=None), 0.75),
}
KINDS = ["pso", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("random", "model_swarms", "bayesian"))]


@cache
def searched(folder: Path, kind: str, seed: int, sequential: bool) -> Run:
    racing = SEQUENTIAL if sequential else OFF
    return run(folder / f"{kind}{seed}{sequential}", SEARCHES[kind][0], Landscape.drawn(seed), racing, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("searches")


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequential_search_ends_as_well_on_a_part_of_the_examples(folder: Path, kind: str) -> None:
    shares, inside = [], 0
    for seed in SEEDS:
        full, raced = (searched(folder, kind, seed, sequential) for sequential in (False, True))
        shares.append(raced.scorer.examples / (200 * len(raced.archive.searched())))
        interval = mean_interval(full.tested())
        inside += interval.low <= np.mean(raced.tested()) <= interval.high
    print(f"{kind}: {np.mean(shares):.3f} of the examples (at most {max(shares):.3f}), inside on {inside} of 20")
    assert np.mean(shares) <= SEARCHES[kind][1]
    assert inside >= 18


@pytest.mark.parametrize("kind", KINDS)
def test_few_new_bests_are_lost(folder: Path, kind: str) -> None:
    """Of those that would have been a personal best (of all, where particles have none), at most the stated error."""
    lost = kept = 0
    for seed in SEEDS:
        scorer = searched(folder, kind, seed, True).scorer
        lost += sum(is_best(task, scorer) for task in scorer.stopped)
        kept += sum(is_best(task, scorer) for task in scorer.whole)
    print(f"{kind}: {lost} of {lost + kept} new bests lost")
    assert kept > 30
    assert lost <= SEQUENTIAL.error * (lost + kept)


def is_best(task: Task, scorer: Scorer) -> bool:
    incumbent = task.pruning.personal or task.pruning.best
    scores, _ = scorer.everything(task.candidate)
    return incumbent is not None and bool(np.mean(scores["right"]) > np.mean(incumbent.scores["right"]))


def test_a_new_personal_best_is_stopped_no_more_often_than_the_stated_error() -> None:
    """The hardest case: full means that are equal, differences in any order, and only the test to decide."""
    rng = np.random.default_rng(0)
    lost = 0
    for _ in range(400):
        surrogate_P = rng.normal(0.0, 1.0, 200) * rng.choice([0.2, 2.0], 200)
        surrogate_P -= surrogate_P.mean() - 1e-9
        better = Incumbent({"right": (1.0,) * 200}, {"right": (9.0,) * 200})
        personal = Incumbent({"right": (0.0,) * 200}, {"right": (0.0,) * 200})
        one = race(racing=SEQUENTIAL, low=-math.inf, high=0.0, personal=personal, best=better)
        scores = (0.0,) * 200
        lost += any(
            one.over({"right": scores[:k]}, {"right": tuple(surrogate_P[:k].tolist())}) for k in one.rungs if k < 200
        )
    assert 0 < lost <= SEQUENTIAL.error * 400


def test_only_the_spread_within_tasks_is_chance() -> None:
    """Always worse at one task, always better at another: a fair share of both leaves no doubt."""
    differences = [(-0.6 if i % 2 else 0.4) + 0.01 * (i % 3) for i in range(50)]
    incumbent = Incumbent({"right": (0.0,) * 200}, {"right": (0.0,) * 200})
    pruning = PruningBounds(-math.inf, -9.0, incumbent, incumbent)
    for strata, over in (({}, False), ({"right": ["ab"[i % 2] for i in range(200)]}, True)):
        one = Race(SEQUENTIAL, pruning, {"right": 200}, {"right": (-1.0, 1.0)}, {"right": 1.0}, strata)
        assert one.over({"right": differences}, {"right": differences}) == over
    alone = {"right": [str(i) for i in range(200)]}
    one = Race(SEQUENTIAL, pruning, {"right": 200}, {"right": (-1.0, 1.0)}, {"right": 1.0}, alone)
    assert not one.over({"right": differences}, {"right": differences}), "a task an example is none"


def pair(candidate: Sequence[float], incumbent: Sequence[float], n: int = 200, **pruning: Any) -> bool:
    """Whether the test stops a candidate with these first scores; the incumbent is personal and global best."""
    full = {"right": (*incumbent, *[1.0] * (n - len(incumbent)))}
    one = race(
        n, SEQUENTIAL, low=-math.inf, high=-1.0, best=Incumbent(full, full), personal=Incumbent(full, full), **pruning
    )
    return one.over({"right": candidate}, {"right": candidate})


def test_a_test_needs_pairs_and_differences() -> None:
    assert not pair([0.0] * 9, [1.0] * 9), "too few"
    assert pair([0.0] * 10, [1.0] * 10), "always worse"
    assert not pair([1.0] * 25, [1.0] * 25), "equal"
    assert not pair([0.0] + [1.0] * 24, [1.0] * 25), "one worse is chance"
    assert pair([0.0] * 8 + [1.0] * 17, [1.0] * 25)
    assert not pair([0.0] * 8 + [1.0] * 17, [0.0] * 8 + [1.0] * 17)


def test_who_could_be_the_global_best_is_scored_in_full() -> None:
    """Far below its personal best and equal to the global best."""
    high, level = ({"right": (value,) * 200} for value in (1.0, 0.0))
    one = race(
        racing=SEQUENTIAL, low=-math.inf, high=-1.0, personal=Incumbent(high, high), best=Incumbent(level, level)
    )
    assert not one.over({"right": (0.0,) * 25}, {"right": (0.0,) * 25})
    by_surrogates = race(
        racing=SEQUENTIAL, low=-math.inf, high=-1.0, personal=Incumbent(high, high), best=Incumbent(high, level)
    )
    assert not by_surrogates.over({"right": (0.0,) * 25}, {"right": (0.0,) * 25}), "the surrogates must say so too"


def test_who_could_be_the_worst_is_scored_in_full_where_that_matters() -> None:
    few_right = [1.0, 0.0, 0.0, 0.0, 0.0] * 5
    best = {"right": (1.0,) * 200}
    for worst, over in ((0.0, True), (0.15, False), (0.5, False)):
        one = race(
            racing=SEQUENTIAL,
            low=worst,
            high=1.0,
            personal=Incumbent(best, best),
            best=Incumbent(best, best),
            worst=worst,
        )
        assert one.over({"right": few_right}, {"right": few_right}) == over
    assert race(racing=SEQUENTIAL, low=0.0, high=0.2, best=Incumbent(best, best)).rungs[0] == 25


def test_incumbents_without_sequential_racing_stop_nobody() -> None:
    best = {"right": (1.0,) * 200}
    one = race(low=-math.inf, high=0.5, best=Incumbent(best, best), personal=Incumbent(best, best))
    assert one.rungs == (100, 150, 200)
    assert not one.over({"right": (0.0,) * 50}, {"right": (0.0,) * 50})


def test_several_objectives_are_tested_by_their_scores() -> None:
    """The surrogates of several objectives have no common scale."""
    sizes = {"a": 100, "b": 100}
    right, wrong = dict.fromkeys(sizes, (1.0,) * 100), dict.fromkeys(sizes, (0.0,) * 25)
    pruning = PruningBounds(-math.inf, -1.0, Incumbent(right, wrong), Incumbent(right, wrong))
    one = Race(SEQUENTIAL, pruning, sizes, dict.fromkeys(sizes, UNIT), {"a": 1.0, "b": 9.0})
    assert one.over(wrong, dict.fromkeys(sizes, (9.0,) * 25))
    assert not one.over({"a": (0.0, 1.0, 1.0) * 8, "b": (0.0,) + (1.0,) * 23}, wrong), "the heavier one decides"
    assert one.over({"a": (1.0,) * 24, "b": (0.0, 0.0, 1.0) * 8}, wrong)


# Estimates


def evaluation(scores: Sequence[float], status: Any = "ok") -> Evaluation:
    examples = {"right": tuple(scores)}
    return Evaluation(Candidate("0-0", (0.0,)), status, {"right": float(np.mean(scores))}, examples)


def test_an_estimate_allows_for_easy_and_hard_examples() -> None:
    incumbent = evaluation([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    alike = evaluation([1.0, 0.0, 0.0, 0.0], "stopped")  # the slope is a half
    assert estimate(alike, incumbent, {"right": 1.0}, soft=False) == pytest.approx(0.25 + 0.5 * 0.25)
    unlike = evaluation([0.0, 0.0, 1.0, 0.0], "stopped")
    assert estimate(unlike, incumbent, {"right": 1.0}, soft=False) == 0.25, "the two are not correlated"
    softer = replace(alike, soft={"right": 0.35})
    assert estimate(softer, replace(incumbent, soft={"right": 0.7}), {"right": 1.0}, soft=True) == pytest.approx(0.475)
    assert estimate(softer, incumbent, {"right": 1.0}, soft=True) == 0.375, "only where the incumbent is smoothed too"
    easy = evaluation([1.0, 0.0, 1.0, 1.0], "stopped")
    assert estimate(easy, incumbent, {"right": 1.0}, soft=False) == 0.75, "it was stopped for being worse"


def test_estimates_are_near_the_scores(folder: Path) -> None:
    guesses, means = [], []
    for seed in range(5):
        found = searched(folder, "bayesian", seed, True)
        ranked = found.archive.ranked({"right": 1.0})
        for stopped in (e for e in found.archive.searched() if e.status == "stopped"):
            full, _ = found.scorer.everything(stopped.candidate)
            best = next(e for e in ranked if (e.candidate.iteration or 0) < (stopped.candidate.iteration or 0))
            guesses.append(estimate(stopped, best, {"right": 1.0}, soft=False) - np.mean(full["right"]))
            means.append(stopped.scores["right"] - np.mean(full["right"]))
    assert len(guesses) > 200
    assert np.std(guesses) < 0.9 * np.std(means), "nearer than the plain mean of the first examples"
    assert abs(np.mean(guesses)) < 0.01


# Journal and resume


def backwards(scorer: Scorer, feed: Feed) -> Iterator[Outcome]:
    """As several workers may: the last first."""
    while feed:
        yield scorer.score(feed.pop())


def by_id(folder: Path) -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in timeless(journal(folder)) if line["kind"] == "evaluation"}


@pytest.mark.parametrize("racing", [EXACT, SEQUENTIAL], ids=["exact", "sequential"])
@pytest.mark.parametrize(
    "optimizer",
    [
        PSO(particles=6, iterations=5),
        ModelSwarms(particles=6, iterations=5),
        Bayesian(particles=6, evaluations=36),
        GuidedPSO(particles=3, evaluations=36),
    ],
    ids=lambda o: o.type,
)
def test_resumed_amid_a_generation_it_ends_the_same(tmp_path: Path, optimizer: Optimizer[Any], racing: Racing) -> None:
    landscape = Landscape.drawn(3)
    straight = run(tmp_path / "straight", optimizer, landscape, racing, 0)
    lines = (tmp_path / "straight" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    statuses = {line["status"] for line in by_id(tmp_path / "straight").values()}
    assert ("stopped" in statuses) or racing is EXACT
    for count in range(8, len(lines), 3):
        cut = tmp_path / f"cut{count}"
        cut.mkdir()
        (cut / "journal.jsonl").write_bytes(b"".join(lines[:count]))
        scorer = Scorer(landscape, racing, straight.scorer.weights)
        found = replace(loop(cut, optimizer, scorer, 0), evaluate=partial(backwards, scorer))
        assert GenerationalSearch(found).run() == straight.reason
        assert by_id(cut) == by_id(tmp_path / "straight")


def test_estimates_are_learnt_alike_where_particles_move_singly(tmp_path: Path) -> None:
    """Cut anywhere, an asynchronous search takes the same steps again, also those of stopped candidates: it refuses a
    journal of other steps. What it stops afterwards depends on the best at the time, so it may end differently."""
    optimizer, landscape = Bayesian(particles=5, evaluations=40, schedule="async"), Landscape.drawn(3)

    def searched_async(folder: Path) -> str:
        scorer = Scorer(landscape, SEQUENTIAL, {"right": 1.0})
        return AsynchronousSearch(loop(folder, optimizer, scorer, 0)).run()

    reason = searched_async(tmp_path / "straight")
    lines = (tmp_path / "straight" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    stopped = [line["id"] for line in by_id(tmp_path / "straight").values() if line["status"] == "stopped"]
    assert len(stopped) > 5
    for count in range(8, len(lines), 6):
        cut = tmp_path / f"cut{count}"
        cut.mkdir()
        (cut / "journal.jsonl").write_bytes(b"".join(lines[:count]))
        assert searched_async(cut) == reason
        known = list(by_id(tmp_path / "straight").values())
        assert list(by_id(cut).values())[: count - 1] == known[: count - 1]
        assert len(by_id(cut)) == len(known)


def test_surrogates_are_journaled_only_where_they_are_needed(tmp_path: Path) -> None:
    optimizer = PSO(particles=6, iterations=3)
    for name, racing in (("exact", EXACT), ("sequential", SEQUENTIAL)):
        found = run(tmp_path / name, optimizer, Landscape.drawn(0), racing, 0)
        lines = by_id(tmp_path / name).values()
        assert all(("guides" in line) == racing.sequential for line in lines)
        for evaluation, line in zip(found.archive.searched(), lines, strict=True):
            assert evaluation.surrogates == {k: tuple(v) for k, v in line.get("guides", {}).items()}
    assert json.dumps(next(iter(lines))["guides"]["right"][:2]), "plain numbers"


def test_a_stopped_line_holds_the_first_examples(tmp_path: Path) -> None:
    found = run(tmp_path, RandomSearch(particles=12, iterations=4), Landscape.drawn(0), SEQUENTIAL, 0)
    stopped = [evaluation for evaluation in found.archive.searched() if evaluation.status == "stopped"]
    assert stopped
    for evaluation in stopped:
        full, _ = found.scorer.everything(evaluation.candidate)
        assert evaluation.examples["right"] == full["right"][: evaluation.n_examples]
        assert evaluation.n_examples in EXACT.rungs
        assert found.archive.at(evaluation.candidate.position) is None
        known = found.archive.of(evaluation.candidate.id)
        assert isinstance(known, Evaluation)
        assert known.status == "stopped"
