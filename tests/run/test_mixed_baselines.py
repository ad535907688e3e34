"""An expert that acts on weights and on logits: alone it is one model, which is scored and listed once."""

import json
from pathlib import Path

import pytest

from support.playground import EXPERTS, Playground, run_cli, write_lines
from support.runs import journal
from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.space import Baseline
from swarm.run.plan import Plan, make_plan

SCALES = {"red.weights": 1.7, "red.logits": 0.3}  # an expert alone is at 1 / scale
MIXED = {"type": "mixed", "units": "raw", "scales": SCALES}


def plan_of(playground: Playground, **sections: object) -> Plan:
    content = playground.config(composition=MIXED, **sections)
    return make_plan(resolve(parse_config(content, "test"), playground.folder))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["multiple_choice", "exact_match"])
def test_alone_it_has_equal_scores_in_both_places(
    playground: Playground, tmp_path: Path, kind: str, dtype: str
) -> None:
    data, more = playground.data, {}
    if kind == "exact_match":
        rows: list[dict[str, object]] = [{"id": str(i), "prompt": f"{'ab' * i}=", "answer": "a"} for i in range(60)]
        data, more = write_lines(tmp_path / "rows.jsonl", rows), {"max_new_tokens": 6}
    objective = {"name": "words", "type": kind, "data": str(data)} | more
    plan = plan_of(playground, objectives=[objective], engine={"dtype": dtype})
    evaluator = plan.spec.open("test")
    evaluator.load("search", plan.workloads["search"])

    def scored(baseline: Baseline) -> Evaluation:
        task = Task(Candidate(baseline.id, tuple(baseline.position_D.tolist())))
        (found,) = evaluator.evaluate([task])
        return found

    found = {each.id: scored(each) for each in plan.space.experts}
    assert list(found) == [f"expert:{name}{place}" for place in ("", ".logits") for name in EXPERTS]
    for name in EXPERTS:
        weights, logits = found[f"expert:{name}"], found[f"expert:{name}.logits"]
        assert (weights.status, weights.outputs) == ("ok", logits.outputs)
        assert (weights.examples, weights.soft) == (logits.examples, logits.soft)


def test_factors_are_not_taken_for_the_same_model(playground: Playground) -> None:
    assert len(plan_of(playground).space.same_model) == len(EXPERTS)
    factors = playground.config(composition=MIXED | {"algebra": "factors"})
    assert not make_plan(resolve(parse_config(factors, "test"), playground.folder)).space.same_model


def search(playground: Playground, folder: Path, *more: object) -> str:
    file = folder / "config.yaml"
    optimizer = {"type": "bayesian", "evaluations": 16}
    content = playground.config(composition=MIXED, optimizer=optimizer, export={"format": "recipe"})
    file.write_text(json.dumps(content))
    done = run_cli("search", file, "--run-dir", folder / "run", *more)
    assert done.code == 0, done.err
    return done.out


def test_a_run_scores_it_once_and_lists_it_once(playground: Playground, tmp_path: Path) -> None:
    shown = search(playground, tmp_path)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert [name for name in summary["baselines"] if name.startswith("expert:")] == [f"expert:{e}" for e in EXPERTS]
    assert "expert:red " in shown
    assert ".logits  " not in shown
    lines = [line for line in journal(tmp_path / "run") if line["kind"] == "evaluation"]
    repeats = [line for line in lines if line.get("same_as")]
    assert len(repeats) == len(EXPERTS)
    assert summary["counts"]["evaluations"] == len(lines) - len(repeats) == 16
    page = (tmp_path / "run" / "report.html").read_text()
    assert "red.logits" in page, "what it does in each place stands apart"


def test_what_an_older_run_scored_in_both_places_is_known_once(playground: Playground, tmp_path: Path) -> None:
    """Else the expert on logits would be a finalist of the search that continues it, and pass for a composed one."""
    (tmp_path / "older").mkdir()
    search(playground, tmp_path / "older")
    older = tmp_path / "older" / "run" / "journal.jsonl"
    on_logits = {place: position for position, place in plan_of(playground).space.same_model.items()}
    lines = [json.loads(line) for line in older.read_text().splitlines()]
    for line in lines:
        if line["kind"] == "evaluation" and line.pop("same_as", ""):
            line["position"] = on_logits[tuple(line["position"])]
    older.write_text("".join(json.dumps(line) + "\n" for line in lines))
    search(playground, tmp_path, "--continue-from", tmp_path / "older" / "run")
    known = {tuple(line["position"]) for line in journal(tmp_path / "run") if line["kind"] == "known"}
    assert known >= on_logits.keys()
    assert not known & {tuple(position) for position in on_logits.values()}
