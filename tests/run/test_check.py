"""What `swarm check` says before anything starts: notes on budgets and bases, and the refusals of a search."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from support.bad_inputs import edited
from support.playground import Playground, run_cli
from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.core.errors import ConfigError
from swarm.run.plan import Plan, make_plan
from swarm.run.requirements import check_memory, with_particles
from swarm.workers.settings import RayCluster

MIB = 2.0**20


def plan_of(playground: Playground, **sections: object) -> Plan:
    return make_plan(resolve(parse_config(playground.config(**sections), "test"), playground.folder))


def remarks(playground: Playground, **optimizer: object) -> list[str]:
    return list(plan_of(playground, optimizer=optimizer).remarks)


def test_a_budget_below_the_starting_points_is_said(playground: Playground) -> None:
    said = "6 evaluations cover 6 of 10 starting points; raise optimizer.evaluations above 10"
    assert remarks(playground, type="bayesian", evaluations=6) == [said]
    assert remarks(playground, type="pso", particles=20, evaluations=20) == []
    assert remarks(playground, type="bayesian", evaluations=11) == []


def test_starting_points_of_two_generations_that_overlap_are_counted_together(playground: Playground) -> None:
    said = "the iterations cover 5 of 10 starting points; raise optimizer.iterations above 2"
    assert remarks(playground, type="guided_pso", particles=5, iterations=1) == [said]
    assert remarks(playground, type="guided_pso", particles=5, iterations=2) == []
    (alone,) = remarks(playground, type="guided_pso", particles=1, iterations=2)
    assert alone.endswith("which are baselines, and nothing else; raise optimizer.iterations")
    assert remarks(playground, type="guided_pso", particles=1, iterations=3) == []


@pytest.mark.parametrize("remedy", ["optimizer.evaluations=11", "optimizer.type=random"])
def test_a_budget_that_reaches_further_is_not(playground: Playground, remedy: str) -> None:
    words = ["check", playground.config_file, "--set", "optimizer={type: bayesian, evaluations: 5, particles: 4}"]
    assert "starting points" in run_cli(*words).out
    assert "starting points" not in run_cli(*words, "--set", remedy).out


def test_a_search_of_starting_points_claims_nothing_of_composed_experts(playground: Playground, tmp_path: Path) -> None:
    tiny = ("--set", "optimizer={type: bayesian, evaluations: 3}", "--set", "splits={search: 4, select: 4, test: rest}")
    done = run_cli("search", playground.config_file, "--run-dir", tmp_path / "run", *tiny)
    assert done.code == 0, done.err
    assert "note: 3 evaluations cover 3 of 10 starting points" in done.out
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "3 evaluations cover 3 of 10 starting points" in "".join(summary["notes"])
    assert "starting points" not in (tmp_path / "run" / "journal.jsonl").read_text()
    assert summary["verdict"]["text"].startswith("No claim is possible about composed experts")
    score: Mapping[str, float] = summary["predicted"]
    assert 0 <= score["low"] <= score["mean"] <= score["high"] <= 1


def test_auto_particles_become_a_number_that_the_run_keeps(playground: Playground, tmp_path: Path) -> None:
    optimizer = {"type": "bayesian", "overlap": True, "particles": "auto", "evaluations": 200}
    config = parse_config(playground.config(optimizer=optimizer), "test")
    counts = {
        workers: with_particles(config.model_copy(update={"cluster": RayCluster(workers=workers)})).optimizer.population
        for workers in (1, 4, 5, 8, 100)
    }
    assert counts == {1: 5, 4: 5, 5: 5, 8: 8, 100: 200 // 6}
    assert config.optimizer.population == 5, "where nobody says how many workers there are"
    assert with_particles(config).optimizer.model_dump()["particles"] == counts[1], "scored in this process"
    fixed = config.model_copy(update={"optimizer": config.optimizer.on(8)})
    assert with_particles(fixed) == fixed
    short = ("--set", "optimizer={type: bayesian, particles: auto, overlap: true, evaluations: 12}")
    assert run_cli("search", playground.config_file, "--run-dir", tmp_path / "run", *short).code == 0
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["optimizer"]
    assert kept["particles"] == counts[1]
    again = run_cli("resume", tmp_path / "run", "--set", "optimizer.particles=auto")
    assert (again.code, "optimizer" in again.err) == (2, True)


def test_the_base_as_an_expert_is_noted(playground: Playground) -> None:
    experts = [str(playground.expert("red")), {"path": str(playground.base), "name": "itself"}]
    (said,) = plan_of(playground, experts=experts).remarks
    assert said.startswith("expert itself is the base itself: its coefficient changes nothing")


def test_an_adapter_that_names_another_base_is_noted(playground: Playground, tmp_path: Path) -> None:
    mine = shutil.copytree(playground.expert("red"), tmp_path / "mine")
    edited(mine / "adapter_config.json", str(playground.base), "somebody/another-model")
    words = ("check", playground.config_file, "--set", f"experts.0={mine}")
    assert (
        "note         expert mine: its adapter_config.json names the base somebody/another-model" in run_cli(*words).out
    )
    yours = shutil.copytree(mine, tmp_path / "yours")
    notes = run_cli(*words, "--set", f"experts.1={yours}").out
    assert "note         experts mine, yours: their adapter_config.json name the base somebody/another-model" in notes
    assert notes.count("somebody/another-model") == 1
    edited(mine / "adapter_config.json", "somebody/another-model", "/elsewhere/base")
    assert "names the base" not in run_cli(*words).out


@pytest.mark.parametrize("cluster", [{"type": "local"}, {"type": "ray", "workers": 1}])
def test_too_little_memory_is_refused_before_anything_starts(
    playground: Playground, cluster: dict[str, object]
) -> None:
    plan = plan_of(playground, cluster=cluster, engine={"dtype": "float32", "device": "cpu"})
    with pytest.raises(
        ConfigError, match=r"1 worker needs [\d.]+ MiB .* this machine has 64\.0 MiB .* smaller engine\.dt"
    ):
        check_memory(plan, lambda: 64 * MIB)
    assert "memory is tight on this machine" in check_memory(plan, lambda: 350 * MIB)[0]
    assert check_memory(plan, lambda: 4096 * MIB) == []


def test_check_writes_nothing(playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_cli("check", playground.config_file).code == 0
    assert list(tmp_path.iterdir()) == []
