"""Racing: the exact bound changes nothing of a search, the sequential test hardly anything, at its stated error.

The searches run over synthetic landscapes (landscapes.py): the real Search, and a scorer that races rung by rung.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from landscapes import Landscape, Run, Scorer, run, search
from runs import journal, timeless
from swarm.errors import EvaluationError
from swarm.evidence import score
from swarm.objectives import OBJECTIVES
from swarm.objectives.function import UserFunction
from swarm.objectives.multiple_choice import MultipleChoice
from swarm.optimizers import Optimizer
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.pso import PSO
from swarm.optimizers.random_search import RandomSearch
from swarm.pool import Outcome
from swarm.racing import Race, Racing, rung_sizes
from swarm.types import Evaluation, Example, Likelihood, Rival, Stakes, Task, Text
from swarm.utility import utility

SEEDS = range(20)
OFF, EXACT, SEQUENTIAL = Racing(rungs=()), Racing(), Racing(sequential=True)
TWO = {"right": 150, "other": 40}
UNIT = (0.0, 1.0)


def race(n: int = 200, racing: Racing = EXACT, **stakes: Any) -> Race:
    """Of one objective, "right"."""
    return Race(racing, Stakes(**stakes), {"right": n}, {"right": UNIT}, {"right": 1.0})


# Rungs


@pytest.mark.parametrize("sizes", [{"a": 200}, {"a": 150, "b": 50}, {"a": 7, "b": 7, "c": 1}, {"a": 1, "b": 1000}])
def test_every_objective_has_its_share_of_every_rung(sizes: dict[str, int]) -> None:
    total, before = sum(sizes.values()), dict.fromkeys(sizes, 0)
    for k in range(total + 1):
        taken = rung_sizes(k, sizes)
        assert sum(taken.values()) == k
        assert list(taken) == list(sizes)
        assert all(taken[name] >= before[name] for name in sizes)
        assert all(abs(taken[name] - k * size / total) <= 1 for name, size in sizes.items())
        before = taken
    assert before == sizes


@pytest.mark.parametrize("rungs", [(0,), (25, 25), (50, 25), (-1, 5)])
def test_rungs_that_do_not_rise_are_refused(rungs: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="rising"):
        Racing(rungs=rungs)


def test_without_stakes_or_rungs_everything_is_scored() -> None:
    assert race().rungs() == race(low=-math.inf).rungs() == race(low=0.2, high=0.1).rungs() == (200,)
    assert race(racing=OFF, low=-math.inf, high=2.0).rungs() == (200,)
    assert not race().over({"right": [0.0] * 199}, {})
    assert not race(low=-math.inf, high=2.0).over({"right": [0.0] * 200}, {}), "nothing is left to save"


def test_rungs_at_which_no_scores_could_end_the_race_are_left_out() -> None:
    assert race(low=-math.inf, high=0.5).rungs() == (100, 150, 200)
    assert race(low=-math.inf, high=0.75).rungs() == (50, 75, 100, 150, 200)
    assert race(low=0.1, high=0.5).rungs() == (150, 200), "what is open has to fit between low and high"
    assert race(low=-math.inf, high=math.inf).rungs() == (25, 50, 75, 100, 150, 200)
    tiny = Race(EXACT, Stakes(-math.inf, 2.0), {"a": 100, "b": 1}, {"a": UNIT, "b": UNIT}, {"a": 1.0, "b": 1.0})
    assert tiny.rungs() == (75, 100, 101), "every objective has an example before a stop: its mean is journaled"


# The exact bound


def test_a_look_is_taken_where_a_stop_is_likely() -> None:
    """A rung is a pass of its own; who scores well needs none."""
    one = race(low=-math.inf, high=0.75)
    assert one.next_rung({"right": []}) == 50, "nothing is known: where a stop is possible"
    expecting = race(low=-math.inf, high=0.75, expected={"right": 0.5})
    assert expecting.next_rung({"right": []}) == 100
    assert expecting.next_rung({"right": [0.0] * 50}) == 75
    assert expecting.next_rung({"right": [1.0, 0.0] * 25}) == 100
    assert expecting.next_rung({"right": [1.0] * 50}) == 200
    assert race(low=-math.inf, high=0.2, expected={"right": 0.0}).next_rung({"right": []}) == 200, "spares too little"


@pytest.mark.parametrize("low", [-math.inf, 0.0, 0.25, 0.5])
@pytest.mark.parametrize("high", [-math.inf, 0.25, 0.5, 0.9, math.inf])
def test_a_race_is_over_just_where_every_ending_changes_nothing(low: float, high: float) -> None:
    """By all the endings that there are, of two objectives."""
    sizes, weights = {"a": 4, "b": 3}, {"a": 3.0, "b": 1.0}
    racing = Racing(rungs=(2, 4, 5))
    one = Race(racing, Stakes(low, high), sizes, dict.fromkeys(sizes, UNIT), weights)
    possible = set()
    for k in racing.rungs:
        seen = rung_sizes(k, sizes)
        for a, b in product(product(UNIT, repeat=seen["a"]), product(UNIT, repeat=seen["b"])):
            endings = [
                utility({"a": sum(a + x) / 4, "b": sum(b + y) / 3}, weights)
                for x in product(UNIT, repeat=4 - seen["a"])
                for y in product(UNIT, repeat=3 - seen["b"])
            ]
            over = all(low <= u <= high for u in endings)
            assert one.over({"a": a, "b": b}, {}) == over
            possible |= {k} if over else set()
    assert set(one.rungs()) == possible | {7}


def test_rounding_never_stops_a_race_that_matters() -> None:
    """Sums of awkward numbers: the bounds hold what the full scores give, to the bit."""
    rng = np.random.default_rng(0)
    weights = {"a": 0.1, "b": 0.7}
    for _ in range(300):
        full = {"a": rng.choice([0.1, 0.3, 1.0], 30).tolist(), "b": rng.choice([0.0, 0.7, 1.0], 50).tolist()}
        exact = utility({name: math.fsum(values) / len(values) for name, values in full.items()}, weights)
        for high in (exact, np.nextafter(exact, -1)):
            for k in (2, 40, 79):
                seen = rung_sizes(k, {"a": 30, "b": 50})
                one = Race(EXACT, Stakes(-math.inf, high), {"a": 30, "b": 50}, {"a": UNIT, "b": UNIT}, weights)
                part = {name: values[: seen[name]] for name, values in full.items()}
                assert not (one.over(part, {}) and exact > high)


def test_a_score_without_a_bound_ends_a_race_only_on_its_other_side() -> None:
    def of(lowest: float, highest: float, low: float, high: float) -> Race:
        return Race(EXACT, Stakes(low, high), {"right": 100}, {"right": (lowest, highest)}, {"right": 1.0})

    nats = of(-math.inf, 0.0, low=-math.inf, high=-1.0)
    assert nats.rungs() == (25, 50, 75, 100)
    assert nats.over({"right": [-4.0] * 25}, {})
    assert not nats.over({"right": [-3.9] * 25}, {})
    assert of(-math.inf, 0.0, low=-9.0, high=-1.0).rungs() == (100,)
    assert of(-math.inf, math.inf, low=-math.inf, high=5.0).rungs() == (100,)
    assert of(0.0, math.inf, low=-math.inf, high=5.0).rungs() == (100,)
    assert not of(-math.inf, math.inf, low=-math.inf, high=5.0).over({"right": [-1e9] * 99}, {})


OPTIMIZERS: dict[str, Optimizer[Any]] = {
    "pso": PSO(particles=12, iterations=8, patience=4),
    "model_swarms": ModelSwarms(particles=12, iterations=9, restart_patience=2, drop_iteration=0.1, drop_particle=0.1),
    "random": RandomSearch(particles=12, iterations=6),
    "evaluations": PSO(particles=12, evaluations=70),
}


def bests(found: Run) -> list[tuple[str, float]]:
    """Every new best in its turn."""
    top, records = -math.inf, []
    for evaluation in found.archive.searched():
        value = utility(evaluation.scores, found.scorer.weights)
        if evaluation.status == "ok" and value > top:
            top = value
            records.append((evaluation.candidate.id, value))
    return records


def positions(found: Run) -> list[tuple[str, tuple[float, ...]]]:
    return [(line["id"], tuple(line["position"])) for line in found.archive.lines if line["kind"] == "evaluation"]


@pytest.mark.parametrize("sizes", [{"right": 200}, TWO], ids=["one objective", "two objectives"])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_raced_search_is_the_full_search(tmp_path: Path, kind: str, sizes: Mapping[str, int]) -> None:
    """Every position, every best, every finalist and the winner, on every seed; for fewer examples."""
    weights = {name: 2.0 / i for i, name in enumerate(sizes, start=1)}
    saved = 0
    for seed in SEEDS:
        landscape = Landscape.drawn(seed, sizes)
        full, raced = (
            run(tmp_path / f"{name}{seed}", OPTIMIZERS[kind], landscape, racing, seed, weights)
            for name, racing in (("full", OFF), ("raced", EXACT))
        )
        assert positions(raced) == positions(full)
        assert bests(raced) == bests(full)
        assert raced.finalists == full.finalists
        assert raced.winner == full.winner
        assert raced.reason == full.reason
        assert full.scorer.examples == sum(sizes.values()) * len(full.archive.searched())
        saved += full.scorer.examples - raced.scorer.examples
    print(f"{kind}: {saved} of {full.scorer.examples * len(SEEDS)} examples saved, about")
    assert saved > 0


# The sequential test

SEARCHES: dict[str, tuple[Optimizer[Any], float]] = {  # with the share of example evaluations that it may take
    "pso": (PSO(particles=15, iterations=12), 0.65),
    "random": (RandomSearch(particles=15, iterations=12), 0.35),
    "model_swarms": (ModelSwarms(particles=15, iterations=12), 0.85),
}


@cache
def searched(folder: Path, kind: str, seed: int, sequential: bool) -> Run:
    racing = SEQUENTIAL if sequential else OFF
    return run(folder / f"{kind}{seed}{sequential}", SEARCHES[kind][0], Landscape.drawn(seed), racing, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("searches")


@pytest.mark.parametrize("kind", SEARCHES)
def test_a_sequential_search_ends_as_well_on_a_part_of_the_examples(folder: Path, kind: str) -> None:
    shares, inside = [], 0
    for seed in SEEDS:
        full, raced = (searched(folder, kind, seed, sequential) for sequential in (False, True))
        shares.append(raced.scorer.examples / (200 * len(raced.archive.searched())))
        interval = score(full.tested())
        inside += interval.low <= np.mean(raced.tested()) <= interval.high
    print(f"{kind}: {np.mean(shares):.3f} of the examples (at most {max(shares):.3f}), inside on {inside} of 20")
    assert np.mean(shares) <= SEARCHES[kind][1]
    assert inside >= 18


@pytest.mark.parametrize("kind", SEARCHES)
def test_few_of_the_stopped_would_have_been_a_new_best(folder: Path, kind: str) -> None:
    stopped = lost = 0
    for seed in SEEDS:
        scorer = searched(folder, kind, seed, True).scorer
        for task in scorer.stopped:
            scores, _ = scorer.everything(task.candidate)
            rival = task.stakes.personal or task.stakes.best
            assert rival is not None
            stopped += 1
            lost += np.mean(scores["right"]) > np.mean(rival.scores["right"])
    print(f"{kind}: {lost} of {stopped} stopped would have been a new personal best")
    assert stopped > 200
    assert lost <= SEQUENTIAL.error * stopped


def test_a_new_personal_best_is_stopped_no_more_often_than_the_stated_error() -> None:
    """The hardest case: full means that are equal, differences in any order, and only the test to decide."""
    rng = np.random.default_rng(0)
    lost = 0
    for _ in range(400):
        guide_P = rng.normal(0.0, 1.0, 200) * rng.choice([0.2, 2.0], 200)
        guide_P -= guide_P.mean() - 1e-9
        better = Rival({"right": (1.0,) * 200}, {"right": (9.0,) * 200})
        personal = Rival({"right": (0.0,) * 200}, {"right": (0.0,) * 200})
        one = race(racing=SEQUENTIAL, low=-math.inf, high=0.0, personal=personal, best=better)
        scores = (0.0,) * 200
        lost += any(
            one.over({"right": scores[:k]}, {"right": tuple(guide_P[:k].tolist())}) for k in one.rungs() if k < 200
        )
    assert 0 < lost <= SEQUENTIAL.error * 400


def test_only_the_spread_within_tasks_is_chance() -> None:
    """Always worse at one task, always better at another: a fair share of both leaves no doubt."""
    differences = [(-0.6 if i % 2 else 0.4) + 0.01 * (i % 3) for i in range(50)]
    rival = Rival({"right": (0.0,) * 200}, {"right": (0.0,) * 200})
    stakes = Stakes(-math.inf, -9.0, rival, rival)
    for strata, over in (({}, False), ({"right": ["ab"[i % 2] for i in range(200)]}, True)):
        one = Race(SEQUENTIAL, stakes, {"right": 200}, {"right": (-1.0, 1.0)}, {"right": 1.0}, strata)
        assert one.over({"right": differences}, {"right": differences}) == over
    alone = {"right": [str(i) for i in range(200)]}
    one = Race(SEQUENTIAL, stakes, {"right": 200}, {"right": (-1.0, 1.0)}, {"right": 1.0}, alone)
    assert not one.over({"right": differences}, {"right": differences}), "a task an example is none"


def pair(candidate: Sequence[float], rival: Sequence[float], n: int = 200, **stakes: Any) -> bool:
    """Whether the test stops a candidate with these first scores; the rival is personal and global best."""
    full = {"right": (*rival, *[1.0] * (n - len(rival)))}
    one = race(n, SEQUENTIAL, low=-math.inf, high=-1.0, best=Rival(full, full), personal=Rival(full, full), **stakes)
    return one.over({"right": candidate}, {"right": candidate})


def test_a_test_needs_pairs_and_differences() -> None:
    assert not pair([0.0] * 9, [1.0] * 9), "too few"
    assert pair([0.0] * 10, [1.0] * 10), "always worse"
    assert not pair([1.0] * 25, [1.0] * 25), "equal"
    assert not pair([0.0] + [1.0] * 24, [1.0] * 25), "one worse is chance"
    assert pair([0.0] * 8 + [1.0] * 17, [1.0] * 25)
    assert not pair([0.0] * 8 + [1.0] * 17, [0.0] * 8 + [1.0] * 17)


def test_who_could_be_the_global_best_is_scored_in_full() -> None:
    """Far below its own best, level with the swarm's: as where the archive knows better than the state."""
    high, level = ({"right": (value,) * 200} for value in (1.0, 0.0))
    one = race(racing=SEQUENTIAL, low=-math.inf, high=-1.0, personal=Rival(high, high), best=Rival(level, level))
    assert not one.over({"right": (0.0,) * 25}, {"right": (0.0,) * 25})
    guided = race(racing=SEQUENTIAL, low=-math.inf, high=-1.0, personal=Rival(high, high), best=Rival(high, level))
    assert not guided.over({"right": (0.0,) * 25}, {"right": (0.0,) * 25}), "the guides must say so too"


def test_who_could_be_the_worst_is_scored_in_full_where_that_matters() -> None:
    few_right = [1.0, 0.0, 0.0, 0.0, 0.0] * 5
    best = {"right": (1.0,) * 200}
    for worst, over in ((0.0, True), (0.15, False), (0.5, False)):
        one = race(
            racing=SEQUENTIAL, low=worst, high=1.0, personal=Rival(best, best), best=Rival(best, best), worst=worst
        )
        assert one.over({"right": few_right}, {"right": few_right}) == over
    assert race(racing=SEQUENTIAL, low=0.0, high=0.2, best=Rival(best, best)).rungs()[0] == 25


def test_rivals_without_sequential_racing_stop_nobody() -> None:
    best = {"right": (1.0,) * 200}
    one = race(low=-math.inf, high=0.5, best=Rival(best, best), personal=Rival(best, best))
    assert one.rungs() == (100, 150, 200)
    assert not one.over({"right": (0.0,) * 50}, {"right": (0.0,) * 50})


def test_several_objectives_are_tested_by_their_scores() -> None:
    """Guides of several objectives have no common scale."""
    sizes = {"a": 100, "b": 100}
    right, wrong = dict.fromkeys(sizes, (1.0,) * 100), dict.fromkeys(sizes, (0.0,) * 25)
    stakes = Stakes(-math.inf, -1.0, Rival(right, wrong), Rival(right, wrong))
    one = Race(SEQUENTIAL, stakes, sizes, dict.fromkeys(sizes, UNIT), {"a": 1.0, "b": 9.0})
    assert one.over(wrong, dict.fromkeys(sizes, (9.0,) * 25))
    assert not one.over({"a": (0.0, 1.0, 1.0) * 8, "b": (0.0,) + (1.0,) * 23}, wrong), "the heavier one decides"
    assert one.over({"a": (1.0,) * 24, "b": (0.0, 0.0, 1.0) * 8}, wrong)


# Journal and resume


def backwards(scorer: Scorer, tasks: Sequence[Task]) -> Iterator[Outcome]:
    """As several workers may: the last first."""
    return (scorer.score(task) for task in reversed(tasks))


def by_id(folder: Path) -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in timeless(journal(folder)) if line["kind"] == "evaluation"}


@pytest.mark.parametrize("racing", [EXACT, SEQUENTIAL], ids=["exact", "sequential"])
@pytest.mark.parametrize(
    "optimizer", [PSO(particles=6, iterations=5), ModelSwarms(particles=6, iterations=5)], ids=lambda o: o.type
)
def test_resumed_amid_a_generation_it_ends_the_same(tmp_path: Path, optimizer: Optimizer[Any], racing: Racing) -> None:
    landscape = Landscape.drawn(3)
    straight = run(tmp_path / "straight", optimizer, landscape, racing, 0)
    lines = (tmp_path / "straight" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    statuses = {line["status"] for line in by_id(tmp_path / "straight").values()}
    assert "stopped" in statuses or racing is EXACT
    for count in range(8, len(lines), 3):
        cut = tmp_path / f"cut{count}"
        cut.mkdir()
        (cut / "journal.jsonl").write_bytes(b"".join(lines[:count]))
        scorer = Scorer(landscape, racing, straight.scorer.weights)
        found = replace(search(cut, optimizer, scorer, 0), evaluate=partial(backwards, scorer))
        assert found.run() == straight.reason
        assert by_id(cut) == by_id(tmp_path / "straight")


def test_guides_are_journaled_where_they_are_needed_alone(tmp_path: Path) -> None:
    optimizer = PSO(particles=6, iterations=3)
    for name, racing in (("exact", EXACT), ("sequential", SEQUENTIAL)):
        found = run(tmp_path / name, optimizer, Landscape.drawn(0), racing, 0)
        lines = by_id(tmp_path / name).values()
        assert all(("guides" in line) == racing.sequential for line in lines)
        for evaluation, line in zip(found.archive.searched(), lines, strict=True):
            assert evaluation.guides == {k: tuple(v) for k, v in line.get("guides", {}).items()}
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


# What objectives say of their scores

CHOICE = Example("1", "2+2=", "B", {"A": "3", "B": "4"})


def test_multiple_choice_is_guided_by_the_log_probability_of_the_right_choice() -> None:
    objective = MultipleChoice(name="sums", normalise="none")
    scored = objective.score(CHOICE, [Likelihood(-1.0, 1), Likelihood(-2.0, 1)])
    assert scored.score == 0.0
    assert scored.guide == round(-math.log(1 + math.e), 6)
    far = objective.score(CHOICE, [Likelihood(-1.0, 1), Likelihood(-2000.0, 1)])
    assert far.guide == -1999.0, "no underflow"


def test_ranges() -> None:
    said = {name: kind.model_construct().range for name, kind in OBJECTIVES.items()}
    assert said["multiple_choice"] == said["exact_match"] == UNIT
    assert said["likelihood"] == (-math.inf, 0.0)
    assert said["function"] == (-math.inf, math.inf)
    assert UserFunction(name="f", function="m:f", lowest=-1, highest=3).range == (-1.0, 3.0)


def test_a_function_keeps_to_the_range_that_was_stated() -> None:
    objective = UserFunction(name="f", function="builtins:divmod")
    bounded = UserFunction(name="f", function="test_racing:seven", highest=3)
    assert objective.range == (-math.inf, math.inf)
    with pytest.raises(EvaluationError, match=r"returned 7.0, beyond lowest and highest \(-inf to 3.0\)"):
        bounded.score(CHOICE, [Text("x", 1)])


def seven(example: Example, output: str) -> int:
    return 7
