"""Racing: the exact bound changes nothing in a search.

The searches run over synthetic landscapes (landscapes.py): the real Search, and a scorer that races rung by rung.
"""

import math
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from support.landscapes import Landscape, Run, run
from support.races import EXACT, OFF, SEEDS, UNIT, race
from swarm.core.candidates import PruningBounds
from swarm.core.errors import EvaluationError
from swarm.core.examples import Example
from swarm.core.requests import Likelihood, Text
from swarm.evaluation.racing import Race, Racing, rung_sizes
from swarm.objectives import OBJECTIVES
from swarm.objectives.function import UserFunction
from swarm.objectives.multiple_choice import MultipleChoice
from swarm.optimizers import Optimizer
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.pso import PSO
from swarm.optimizers.random_search import RandomSearch
from swarm.preferences.weighted_sum import utility

TWO = {"right": 150, "other": 40}


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


def test_without_pruning_bounds_or_rungs_everything_is_scored() -> None:
    assert race().rungs == race(low=-math.inf).rungs == race(low=0.2, high=0.1).rungs == (200,)
    assert race(racing=OFF, low=-math.inf, high=2.0).rungs == (200,)
    assert not race().over({"right": [0.0] * 199}, {})
    assert not race(low=-math.inf, high=2.0).over({"right": [0.0] * 200}, {}), "nothing is left to save"


def test_rungs_at_which_no_scores_could_end_the_race_are_left_out() -> None:
    assert race(low=-math.inf, high=0.5).rungs == (100, 150, 200)
    assert race(low=-math.inf, high=0.75).rungs == (50, 75, 100, 150, 200)
    assert race(low=0.1, high=0.5).rungs == (150, 200), "what is open has to fit between low and high"
    assert race(low=-math.inf, high=math.inf).rungs == (25, 50, 75, 100, 150, 200)
    tiny = Race(EXACT, PruningBounds(-math.inf, 2.0), {"a": 100, "b": 1}, {"a": UNIT, "b": UNIT}, {"a": 1.0, "b": 1.0})
    assert tiny.rungs == (75, 100, 101), "every objective has an example before a stop: its mean is journaled"


# The exact bound


def test_a_look_is_taken_where_a_stop_is_likely() -> None:
    """A rung is a pass of its own; a candidate that scores well needs none."""
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
    """For all possible remaining scores, of two objectives."""
    sizes, weights = {"a": 4, "b": 3}, {"a": 3.0, "b": 1.0}
    racing = Racing(rungs=(2, 4, 5))
    one = Race(racing, PruningBounds(low, high), sizes, dict.fromkeys(sizes, UNIT), weights)
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
    assert set(one.rungs) == possible | {7}


def test_rounding_never_stops_a_race_that_matters() -> None:
    """Sums that are not exact in floating point: the bounds hold the full utility, to the bit."""
    rng = np.random.default_rng(0)
    weights = {"a": 0.1, "b": 0.7}
    for _ in range(300):
        full = {"a": rng.choice([0.1, 0.3, 1.0], 30).tolist(), "b": rng.choice([0.0, 0.7, 1.0], 50).tolist()}
        exact = utility({name: math.fsum(values) / len(values) for name, values in full.items()}, weights)
        for high in (exact, np.nextafter(exact, -1)):
            for k in (2, 40, 79):
                seen = rung_sizes(k, {"a": 30, "b": 50})
                one = Race(EXACT, PruningBounds(-math.inf, high), {"a": 30, "b": 50}, {"a": UNIT, "b": UNIT}, weights)
                part = {name: values[: seen[name]] for name, values in full.items()}
                assert not (one.over(part, {}) and exact > high)


def test_a_score_without_a_bound_ends_a_race_only_on_its_other_side() -> None:
    def of(lowest: float, highest: float, low: float, high: float) -> Race:
        return Race(EXACT, PruningBounds(low, high), {"right": 100}, {"right": (lowest, highest)}, {"right": 1.0})

    nats = of(-math.inf, 0.0, low=-math.inf, high=-1.0)
    assert nats.rungs == (25, 50, 75, 100)
    assert nats.over({"right": [-4.0] * 25}, {})
    assert not nats.over({"right": [-3.9] * 25}, {})
    assert of(-math.inf, 0.0, low=-9.0, high=-1.0).rungs == (100,)
    assert of(-math.inf, math.inf, low=-math.inf, high=5.0).rungs == (100,)
    assert of(0.0, math.inf, low=-math.inf, high=5.0).rungs == (100,)
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
    return [(e.candidate.id, e.candidate.position) for e in found.archive.history()]


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


# What objectives say of their scores

CHOICE = Example("1", "2+2=", "B", {"A": "3", "B": "4"})


def test_the_surrogate_score_of_multiple_choice_is_the_log_probability_of_the_right_choice() -> None:
    objective = MultipleChoice(name="sums", normalise="none")
    scored = objective.score(CHOICE, [Likelihood(-1.0, 1), Likelihood(-2.0, 1)])
    assert scored.score == 0.0
    assert scored.surrogate == round(-math.log(1 + math.e), 6)
    far = objective.score(CHOICE, [Likelihood(-1.0, 1), Likelihood(-2000.0, 1)])
    assert far.surrogate == -1999.0, "no underflow"


def test_ranges() -> None:
    said = {name: kind.model_construct().range for name, kind in OBJECTIVES.items() if name != "lm_eval"}
    assert said["multiple_choice"] == said["exact_match"] == UNIT
    assert said["likelihood"] == (-math.inf, 0.0)
    assert said["function"] == (-math.inf, math.inf)
    assert UserFunction(name="f", function="m:f", lowest=-1, highest=3).range == (-1.0, 3.0)


def test_a_function_keeps_to_the_range_that_was_stated() -> None:
    objective = UserFunction(name="f", function="builtins:divmod")
    bounded = UserFunction(name="f", function="test_racing:seven", highest=3)
    assert objective.range == (-math.inf, math.inf)
    with pytest.raises(EvaluationError, match=r"returned 7.0, outside lowest and highest \(-inf to 3.0\)"):
        bounded.score(CHOICE, [Text("x", 1)])


def seven(example: Example, output: str) -> int:
    return 7
