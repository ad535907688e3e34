"""A whole run in this process: the files, the lines and the figures that others rely on."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from support.models import load
from support.runs import (
    ADAPTERS,
    Silent,
    answer,
    engine,
    journal,
    make_workshop,
    opened,
    recipe,
    start,
    timeless,
    write_examples,
)
from swarm.compositions.weights import Weights
from swarm.config.load import load_config
from swarm.core.errors import ExportError, RunError
from swarm.core.requests import Generation
from swarm.experts.merge_model import composed_tensors
from swarm.journal.summary import ExportCheck, Summary
from swarm.run.directory import known_run
from swarm.run.pipeline import resume_run, start_run
from swarm.run.plan import make_plan
from swarm.run.verify_export import check_verified, verify_export

FILES = {"config.yaml", "journal.jsonl", "summary.json", "best", "report.html", "report.md"}
BASELINES = {"base", "expert:one", "expert:two", "expert:three", "uniform"}
LIKELY = {"type": "random", "particles": 8, "iterations": 1}
TWO = [
    {"name": "words", "type": "multiple_choice", "data": "words.jsonl", "weight": 2.0},
    {"name": "likely", "type": "likelihood", "data": "more.jsonl"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_workshop(tmp_path_factory.mktemp("run"))
    write_examples(folder / "words.jsonl", 48)
    write_examples(folder / "more.jsonl", 24, seed=1)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """A finished run that no test changes."""
    start(folder, folder / "run", {})
    return folder / "run"


def summary(run_dir: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run_dir / "summary.json").read_text())
    return content


def test_the_directory_holds_what_the_design_says(run: Path) -> None:
    assert {path.name for path in run.iterdir() if not path.name.startswith(".")} == FILES
    assert load_config(run / "config.yaml").optimizer.iterations == 3
    stated = yaml.safe_load((run / "config.yaml").read_text())
    assert stated["optimizer"]["constriction"] == 0.7298
    assert stated["base"] == str(run.parent / "base")


def test_the_journal_tells_the_run_from_start_to_end(run: Path) -> None:
    lines = journal(run)
    assert list(dict.fromkeys(line["kind"] for line in lines)) == ["start", "evaluation", "end", "select", "test"]
    winner = summary(run)["best"]["id"]
    assert [(line["phase"], line["reason"]) for line in lines if line["kind"] == "end"] == [
        ("search", "iterations"),
        ("select", winner),
        ("run", "done"),
    ]
    order = [line.get("phase", line["kind"]) for line in lines]
    assert order.index("select") < order.index("test"), "foretold before the test split is opened"
    (foretold,) = next(line["predicted"] for line in lines if line.get("phase") == "select").values()
    assert foretold == summary(run)["predicted"]
    assert 0 <= foretold["low"] <= foretold["mean"] <= foretold["high"] <= 1
    elapsed = [line["elapsed"] for line in lines]
    assert elapsed == sorted(elapsed)


def test_the_start_line_names_all_that_the_run_rests_on(run: Path) -> None:
    first = journal(run)[0]
    catalog = opened(run.parent, *ADAPTERS)
    assert first["base"] == {"path": str(run.parent / "base"), "fingerprint": catalog.base.tensors.fingerprint}
    assert {name: source["fingerprint"] for name, source in first["experts"].items()} == {
        expert.name: expert.fingerprint for expert in catalog.experts
    }
    assert (first["seed"], first["optimizer"], first["coordinates"]) == (0, "pso", list(ADAPTERS))
    sizes = {split: len(items) for split, items in first["items"]["words"].items()}
    assert sizes == {"search": 12, "select": 12, "test": 24}
    ids = [item["id"] for items in first["items"]["words"].values() for item in items]
    assert len(set(ids)) == 48


def test_every_candidate_is_scored_once_on_a_split_and_only_the_chosen_on_test(run: Path) -> None:
    lines = [line for line in journal(run) if line["kind"] in ("evaluation", "select", "test")]
    assert max(Counter((line["split"], line["id"]) for line in lines).values()) == 1
    fresh = [line for line in lines if "same_as" not in line]
    assert max(Counter((line["split"], tuple(line["position"])) for line in fresh).values()) == 1
    assert sum(line["kind"] == "evaluation" for line in lines) == 15
    tested = {line["id"] for line in lines if line["kind"] == "test"}
    best = summary(run)["best"]["id"]
    uniform = {name for name in tested if name.startswith("uniform:")}
    assert len(uniform) == 1
    assert tested == {best, "base", "expert:one", "expert:two", "expert:three"} | uniform
    assert all(line["n_examples"] == {"search": 12, "select": 12, "test": 24}[line["split"]] for line in lines)


def test_the_summary_has_every_baseline_on_every_split(run: Path) -> None:
    found = summary(run)
    assert set(found["baselines"]) == set(found["paired"]) == BASELINES
    for scores in (found["best"], *found["baselines"].values()):
        assert [scores[split]["n"] for split in ("search", "select", "test")] == [12, 12, 24]
    assert found["counts"]["failures"] == 0
    assert found["seed"] == 0
    assert {"swarm", "torch", "transformers"} <= set(found["versions"])


def test_what_the_winner_scored_is_in_the_journal(run: Path) -> None:
    best = summary(run)["best"]
    lines = {line["split"]: line for line in journal(run) if line.get("id") == best["id"]}
    for split in ("search", "select", "test"):
        assert lines[split]["scores"]["words"] == pytest.approx(best[split]["mean"])
    assert list(best["coefficients"].values()) == lines["search"]["position"]


def test_the_exported_best_loads_without_us_and_holds_the_winner(run: Path) -> None:
    model, best = load(run / "best"), summary(run)["best"]
    tokenizer = AutoTokenizer.from_pretrained(run / "best")
    assert tokenizer.decode(tokenizer.encode("abc=")) == "abc="
    catalog = opened(run.parent, *ADAPTERS)
    won = Weights().recipe(list(best["coefficients"].values()), catalog)
    live = model.state_dict()
    for name, tensor in composed_tensors(catalog, won, torch.float32):
        assert torch.equal(live[name], tensor)
    assert summary(run)["export_check"] == {"n": 12, "equal": 12}


def test_the_same_seed_gives_the_same_journal(folder: Path, run: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    start(folder, again, {})
    start(folder, other, {"seed": 1})
    assert timeless(journal(again)) == timeless(journal(run))
    assert timeless(journal(other)) != timeless(journal(run))
    ours, theirs = summary(again), summary(run)
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


def test_an_export_that_is_another_model_is_an_error_that_names_the_example(run: Path, tmp_path: Path) -> None:
    plan = make_plan(load_config(run / "config.yaml"))
    best = shutil.copytree(run / "best", tmp_path / "best")
    with known_run(run) as archive:
        position = tuple(summary(run)["best"]["coefficients"].values())
        seen = archive.at(position, "search")
    assert seen is not None
    examples = plan.examples("search")
    assert verify_export(best, "hf", plan.spec, examples, seen) == ExportCheck(n=12, equal=12)
    moved = {name: (score - 1.0, *scores) for name, (score, *scores) in seen.examples.items()}
    rounded = verify_export(best, "hf", plan.spec, examples, replace(seen, examples=moved))
    assert (rounded.equal, rounded.differs) == (11, ())
    tensors = load_file(best / "model.safetensors")
    tensors["lm_head.weight"] = tensors["lm_head.weight"].flip(0)
    save_file(tensors, best / "model.safetensors", metadata={"format": "pt"})
    checked = verify_export(best, "hf", plan.spec, examples, seen)
    assert checked.equal < 12
    assert checked.differs
    with pytest.raises(ExportError, match=r"words/.* in the search"):
        check_verified(Summary.read(run / "summary.json").model_copy(update={"export_check": checked}))


def test_a_resumed_run_keeps_the_winner_that_its_journal_names(run: Path, tmp_path: Path) -> None:
    """As of a version with another rule: it had selected, and was stopped before it tested."""
    again = shutil.copytree(run, tmp_path / "run")
    lines, best = journal(run), summary(run)["best"]["id"]
    at = next(i for i, line in enumerate(lines) if line["kind"] == "end" and line["phase"] == "select")
    other = next(line["id"] for line in lines if line.get("split") == "select" and line["id"] != best)
    kept = [*lines[:at], {**lines[at], "reason": other}]
    (again / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    (again / "summary.json").unlink()
    shutil.rmtree(again / "best")
    assert resume_run(again, Silent()).best.id == other
    assert [line["kind"] for line in journal(again)[: at + 1]] == [line["kind"] for line in kept]


def contents(run_dir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run_dir)): path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}


def test_resuming_a_finished_run_changes_nothing_but_the_report(run: Path) -> None:
    before = contents(run)
    (run / "report.md").unlink()
    resume_run(run, Silent())
    after = contents(run)
    assert set(after) == set(before)
    assert {name for name in after if after[name] != before[name]} <= {"report.html", "report.md"}


def test_a_run_is_not_begun_over_another(run: Path) -> None:
    before = contents(run)
    with pytest.raises(RunError, match="holds a run already"):
        start_run(load_config(run / "config.yaml"), run, Silent())
    assert contents(run) == before


def test_two_objectives_from_end_to_end(folder: Path, tmp_path: Path) -> None:
    found = start(folder, tmp_path / "run", {"objectives": TWO, "splits": {"search": 6, "select": 6}})
    for scores in (found["best"], *found["baselines"].values()):
        assert {name: score["n"] for name, score in scores["test"].items()} == {"words": 36, "likely": 12}
    assert set(found["paired"]["uniform"]) == {"words", "likely"}
    assert found["export_check"] == {"n": 12, "equal": 12}
    assert found["emergence"] is None, "a likelihood is not right or wrong"
    selected = [line for line in journal(tmp_path / "run") if line.get("split") == "select"]
    best = max((2 * line["scores"]["words"] + line["scores"]["likely"]) / 3 for line in selected)
    winner = next(line for line in selected if line["id"] == found["best"]["id"])
    assert (2 * winner["scores"]["words"] + winner["scores"]["likely"]) / 3 == best


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("algebra", ["delta", "factors"])
def test_an_adapter_from_end_to_end(folder: Path, tmp_path: Path, algebra: str) -> None:
    config = {"export": {"format": "adapter"}, "composition": {"algebra": algebra}, "optimizer": LIKELY}
    found = start(folder, tmp_path / "run", config | {"objectives": [TWO[1]]})
    assert found["export_check"]["n"] == found["export_check"]["equal"] == 6
    merged = PeftModel.from_pretrained(load(folder / "base"), tmp_path / "run" / "best").merge_and_unload().state_dict()
    catalog = opened(folder, *ADAPTERS)
    composition = Weights(algebra=algebra)  # type: ignore[arg-type]
    won = composition.recipe(list(found["best"]["coefficients"].values()), catalog)
    for name, tensor in composed_tensors(catalog, won, torch.float32):
        torch.testing.assert_close(merged[name], tensor, rtol=0, atol=1e-5)


def test_model_swarms_on_factors_from_end_to_end(folder: Path, tmp_path: Path) -> None:
    config = {
        "composition": {"algebra": "factors"},
        "optimizer": {"type": "model_swarms", "particles": 4, "iterations": 4, "drop_particle": 0.3},
    }
    found = start(folder, tmp_path / "run", config)
    lines = [line for line in journal(tmp_path / "run") if line["kind"] == "evaluation"]
    assert [line["position"] for line in lines[:3]] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert all(sum(line["position"]) == pytest.approx(1.0) for line in lines)
    assert found["export_check"] == {"n": 12, "equal": 12}
    assert load(tmp_path / "run" / "best") is not None


BASE_WINS = """
import json
from pathlib import Path

KNOWN = json.loads((Path(__file__).parent / "known.json").read_text())

def score(example, output):
    return float(output == KNOWN[example.prompt])
"""


def write_objective_of_the_base(folder: Path, place: Path) -> dict[str, object]:
    """An objective that the base alone is right at: what counts is its own text."""
    examples = [json.loads(line) for line in (folder / "words.jsonl").read_text().splitlines()]
    catalog = opened(folder, *ADAPTERS)
    requests = [Generation(example["prompt"], 9) for example in examples]
    (reply,) = answer(engine(catalog), catalog, [recipe(catalog)], requests)
    known = {request.prompt: answer.text for request, answer in zip(requests, reply.answers, strict=True)}
    (place / "known.json").write_text(json.dumps(known))
    (place / "base_wins.py").write_text(BASE_WINS)
    function = {"type": "function", "function": "base_wins:score", "max_new_tokens": 9, "stop": []}
    return {"name": "own", "data": "words.jsonl", **function}


def test_where_the_base_wins_best_is_a_checkpoint_whatever_the_format(folder: Path, tmp_path: Path) -> None:
    """No adapter is the base itself; a run must not fail over it when all is scored."""
    config = {
        "objectives": [write_objective_of_the_base(folder, tmp_path)],
        "export": {"format": "adapter"},
        "modules": str(tmp_path),
        "optimizer": {"type": "random", "particles": 12, "iterations": 1},
    }
    found = start(folder, tmp_path / "run", config)
    assert found["best"]["source"] == "base"
    assert found["best"]["test"]["mean"] == 1.0
    assert found["export_check"] == {"n": 12, "equal": 12}
    live, fresh = load(tmp_path / "run" / "best").state_dict(), load(folder / "base").state_dict()
    assert all(torch.equal(live[name], fresh[name]) for name in fresh)
