"""The predicted times of a run: a figure for every phase, which follows the budget, the workers and the model."""

from pathlib import Path

import pytest

from support.playground import Playground
from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.run.forecast import describe, forecast
from swarm.run.phases import ROUGH, TIMED, TimeForecast, predict_times
from swarm.run.plan import Plan, make_plan
from swarm.run.proposal_timing import time_optimizer
from swarm.run.timing import ModelTiming, time_model

PHASES = ["start", "search", "baselines", "selection", "test", "export", "verification"]


def plan_of(playground: Playground, **sections: object) -> Plan:
    return make_plan(resolve(parse_config(playground.config(**sections), "test"), playground.folder))


@pytest.fixture(scope="module")
def timed(playground: Playground) -> tuple[Plan, ModelTiming]:
    plan = plan_of(playground)
    return plan, time_model(plan, 1)


def test_every_phase_has_a_figure(playground: Playground) -> None:
    plan = plan_of(playground)
    found = forecast(plan)
    assert list(found.seconds) == PHASES
    assert all(seconds > 0 for phase, seconds in found.seconds.items() if phase != "baselines")
    assert found.time_basis == TIMED
    (line,) = [line for line in describe(plan) if line.startswith("time")]
    assert all(phase in line for phase in PHASES)
    assert "0 min" not in line


def test_a_candidate_takes_what_it_was_timed_at(timed: tuple[Plan, ModelTiming]) -> None:
    _, timing = timed
    assert timing.open_seconds > 0
    assert timing.evaluation(20) - timing.evaluation(10) == pytest.approx(10 * timing.example_seconds)
    assert 0 < timing.example_seconds < 1


def test_the_search_takes_as_long_as_its_budget(playground: Playground) -> None:
    """Figures by operations do not vary from one call to the next."""
    elsewhere = {"type": "ray", "address": "127.0.0.1:1", "workers": 2}
    asked = {"type": "random", "particles": 10}

    def search(cluster: object = elsewhere, **optimizer: object) -> TimeForecast:
        return predict_times(plan_of(playground, cluster=cluster, optimizer=asked | optimizer), tokens=10**9)

    few, many = search(evaluations=20), search(evaluations=100)
    assert few.basis == many.basis == ROUGH
    assert many.seconds["search"] == pytest.approx(5 * few.seconds["search"], rel=0.1)
    assert search({**elsewhere, "workers": 10}, evaluations=100).seconds["search"] < many.seconds["search"] / 4
    assert search(evaluations=100, minutes=0.1).seconds["search"] == 6.0
    assert many.total == sum(many.seconds.values())


def test_generations_that_overlap_wait_for_nobody(playground: Playground) -> None:
    cluster = {"type": "ray", "address": "127.0.0.1:1", "workers": 4}
    asked = {"type": "bayesian", "particles": 5, "evaluations": 100, "iterations": 100}

    def search(**optimizer: object) -> float:
        plan = plan_of(playground, cluster=cluster, optimizer=asked | optimizer)
        return predict_times(plan, tokens=10**9).seconds["search"]

    assert search(overlap=True) < 0.7 * search()
    assert search(overlap=True, particles=1) == pytest.approx(2 * search(overlap=True, particles=2), rel=0.1)


def test_an_optimizer_that_models_takes_longer_than_one_that_draws(playground: Playground) -> None:
    seconds = [
        time_optimizer(plan_of(playground, optimizer={"type": kind, "particles": 4}), 4).seconds
        for kind in ("random", "bayesian")
    ]
    assert 0 <= seconds[0] < seconds[1]


def test_a_grid_takes_as_long_as_its_points(playground: Playground) -> None:
    """Its budget is far larger."""
    plan = plan_of(playground, optimizer={"type": "grid", "points": 2, "particles": 4})
    assert time_optimizer(plan, 500).evaluations in range(8, 20)
    assert predict_times(plan, tokens=1).seconds["search"] < 60


def test_a_candidate_that_cannot_be_scored_is_noted(playground: Playground, tmp_path: Path) -> None:
    (tmp_path / "own_faults.py").write_text("def score(example, output):\n    raise ValueError('no score')\n")
    own = {"name": "own", "type": "function", "function": "own_faults:score", "data": str(playground.data)}
    found = forecast(plan_of(playground, objectives=[own], modules=str(tmp_path)))
    assert "own_faults:score raised ValueError: no score" in found.notes[-1]


def test_a_check_leaves_no_file(playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    forecast(plan_of(playground))
    assert list(tmp_path.iterdir()) == []
