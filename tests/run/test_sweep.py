"""A sweep: at 0 the base and at 1 the expert, bit for bit; levels that move; stopped and resumed; on another base.

And targets, on the same zoo: chosen on select, measured on test; a search for them, stopped and resumed.
"""

import csv
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from support.levels import DOMAINS, build_small, levels_config
from support.models import make_base
from support.playground import Playground, run_cli, write_lines
from swarm.core.examples import LEVELS


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("levels") / "zoo")


@pytest.fixture(scope="module")
def swept(zoo: Path) -> Path:
    """A finished sweep of all three vectors."""
    (zoo / "config.yaml").write_text(yaml.safe_dump(levels_config(zoo)))
    done = run_cli("sweep", zoo / "config.yaml", "--step", 0.5, "--run-dir", zoo / "sweep")
    assert done.code == 0, done.err
    assert "law raises law-expert" in done.out
    return zoo / "sweep"


def content(folder: Path) -> dict[str, object]:
    """A sweep's result without its times."""
    return {k: v for k, v in json.loads((folder / "sweep.json").read_text()).items() if k not in ("seconds", "tokens")}


def scores(folder: Path) -> dict[str, Mapping[str, float]]:
    """Candidate -> objective -> mean score."""
    points = json.loads((folder / "sweep.json").read_text())["points"]
    return {p["id"]: {name: each["score"]["mean"] for name, each in p["objectives"].items()} for p in points}


def test_every_coefficient_is_scored_once(swept: Path) -> None:
    found = content(swept)
    expected = ["base"] + [f"{d}={c}" if c != 1 else f"expert:{d}" for d in DOMAINS for c in (-1, -0.5, 0.5, 1)]
    assert [point["id"] for point in found["points"]] == expected
    lines = [json.loads(line) for line in (swept / "journal.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines if line["kind"] == "evaluation"] == expected
    rows = list(csv.DictReader((swept / "sweep.csv").open()))
    assert len(rows) == 9 * len(expected)
    assert {row["law"] for row in rows} == {"-1.0", "-0.5", "0.0", "0.5", "1.0"}


def test_at_0_it_is_the_base_and_at_1_the_expert_bit_for_bit(zoo: Path, swept: Path, tmp_path: Path) -> None:
    for candidate in ("base", "expert:law"):
        done = run_cli("export", swept, tmp_path / candidate, "--candidate", candidate)
        assert done.code == 0, done.err
    base = AutoModelForCausalLM.from_pretrained(zoo / "base", dtype=torch.float32)
    expert = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(zoo / "base", dtype=torch.float32), zoo / "experts" / "law"
    ).merge_and_unload()
    for candidate, model in (("base", base), ("expert:law", expert)):
        expected = model.state_dict()
        found = load_file(tmp_path / candidate / "model.safetensors")
        assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
        assert len(found) == len(load_file(zoo / "base" / "model.safetensors"))


def test_margins_and_rates_are_those_of_the_model(zoo: Path, swept: Path) -> None:
    """The base's mean log-likelihoods by transformers alone, example by example."""
    model = AutoModelForCausalLM.from_pretrained(zoo / "base", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(zoo / "base")
    start, line = (json.loads(text) for text in (swept / "journal.jsonl").read_text().splitlines()[:2])
    rows = {row["id"]: row for row in map(json.loads, (zoo / "data" / "law.jsonl").read_text().splitlines())}
    for i, item in enumerate(start["items"]["law-expert"]["search"][:6]):
        row, means = rows[item["id"]], []
        for level in LEVELS:
            prompt = tokenizer.encode(row["prompt"].rstrip())  # as in lm-eval, its space belongs to what follows
            text = tokenizer.encode(f" {row[level]}", add_special_tokens=False)
            with torch.no_grad():
                logs = model(torch.tensor([prompt + text])).logits[0].log_softmax(-1)
            places = range(len(prompt) - 1, len(prompt) + len(text) - 1)
            means.append(sum(logs[at, token].item() for at, token in zip(places, text, strict=True)) / len(text))
        assert line["margins"]["law-expert"][i] == pytest.approx(means[2] - max(means[:2]), abs=1e-4)
        assert line["examples"]["law-expert"][i] == (means[2] == max(means))


def test_a_vectors_own_margin_rises(swept: Path) -> None:
    monotonicity = content(swept)["monotonicity"]
    assert sum(monotonicity[domain][f"{domain}-expert"] >= 0.9 for domain in DOMAINS) >= 2
    rates = scores(swept)
    assert all(rates[f"expert:{d}"][f"{d}-expert"] > rates["base"][f"{d}-expert"] for d in DOMAINS)


def test_the_rates_of_a_domain_add_up_and_ask_the_model_once(zoo: Path, swept: Path) -> None:
    for found in scores(swept).values():
        assert all(sum(found[f"{d}-{level}"] for level in LEVELS) == pytest.approx(1.0) for d in DOMAINS)
    one = levels_config(zoo)
    one["objectives"] = [o for o in one["objectives"] if o["level"] == "expert"]
    (zoo / "one.yaml").write_text(yaml.safe_dump(one))
    assert run_cli("sweep", zoo / "one.yaml", "--step", 2, "--experts", "law", "--run-dir", zoo / "one").code == 0
    tokens = [
        {json.loads(t)["tokens"] for t in (f / "journal.jsonl").read_text().splitlines()[1:4]}
        for f in (swept, zoo / "one")
    ]
    assert tokens[0] == tokens[1]


def test_a_stopped_sweep_is_resumed_to_the_same_result(swept: Path, tmp_path: Path) -> None:
    stopped = shutil.copytree(swept, tmp_path / "stopped")
    lines = (stopped / "journal.jsonl").read_text().splitlines(keepends=True)
    (stopped / "journal.jsonl").write_text("".join(lines[:6]) + lines[6][:40])
    for name in ("sweep.json", "sweep.csv", "sweep.html"):
        (stopped / name).unlink()
    refused = run_cli("report", stopped)
    assert (refused.code, refused.err) == (
        2,
        f"swarm: {stopped}: the sweep has not ended; swarm resume {stopped} finishes it\n",
    )
    assert run_cli("resume", stopped).code == 0
    assert content(stopped) == content(swept)
    after = (stopped / "journal.jsonl").read_text().splitlines(keepends=True)
    assert after[:6] == lines[:6]
    assert len(after) == len(lines)
    (stopped / "sweep.html").unlink()
    assert run_cli("report", stopped).code == 0
    assert (stopped / "sweep.html").is_file()
    assert len((stopped / "journal.jsonl").read_text().splitlines()) == len(lines)


@pytest.mark.slow
def test_stacked_candidates_have_the_scores_of_single_ones(zoo: Path, swept: Path) -> None:
    words = ["sweep", zoo / "config.yaml", "--step", 0.5, "--run-dir", zoo / "stacked"]
    assert run_cli(*words, "--set", "engine.method=stacked").code == 0
    lines = [json.loads(t) for t in (zoo / "stacked" / "journal.jsonl").read_text().splitlines()[1:-1]]
    assert {line["method"] for line in lines} == {"stacked"}
    single = {line["id"]: line for line in map(json.loads, (swept / "journal.jsonl").read_text().splitlines()[1:-1])}
    for line in lines:
        for name, margins in line["margins"].items():
            assert margins == pytest.approx(single[line["id"]]["margins"][name], abs=1e-4)


def test_the_page_says_what_the_split_means(swept: Path) -> None:
    page = (swept / "sweep.html").read_text()
    assert "untouched test split" in page
    assert page.count("<svg") > 10
    for words in ("Spill-over", "Monotonicity", "Where curves cross", "Angles between the experts"):
        assert words in page


def test_a_grid_of_two_and_other_objectives(playground: Playground, tmp_path: Path) -> None:
    words = {"name": "words", "type": "multiple_choice", "data": str(playground.data)}
    sure = {"name": "sure", "type": "likelihood", "data": str(playground.data)}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(playground.config(objectives=[words, sure])))
    options = ["--grid", "--experts", "red,blue", "--from", 0, "--step", 0.5, "--split", "test", "--json"]
    done = run_cli("sweep", tmp_path / "c.yaml", *options, "--run-dir", tmp_path / "s")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    pairs = {(p["coefficients"]["red"], p["coefficients"]["blue"]) for p in found["points"]}
    assert pairs == {(a, b) for a in (0.0, 0.5, 1.0) for b in (0.0, 0.5, 1.0)}
    assert all(p["coefficients"]["green"] == 0.0 for p in found["points"])
    assert {p["id"] for p in found["points"]} >= {"base", "expert:red", "red=0.5,blue=1"}
    assert found["split"] == "test"
    assert "used them up" in " ".join((tmp_path / "s" / "sweep.html").read_text().split())
    assert all(p["objectives"]["sure"]["margin"] is None for p in found["points"])


def test_experts_on_another_base(playground: Playground, tmp_path: Path) -> None:
    other = make_base(tmp_path / "other", seed=9)
    words = ["sweep", playground.config_file, "--step", 1, "--experts", "red", "--base", other]
    done = run_cli(*words, "--run-dir", tmp_path / "s")
    assert done.code == 0, done.err
    found = json.loads((tmp_path / "s" / "sweep.json").read_text())
    assert (found["base"], found["original_base"]) == (str(other), str(playground.base))
    refused = run_cli(*words[:-2], "--run-dir", tmp_path / "t", "--set", f"base={other}")
    assert "give the base it was trained on" in refused.err


def test_a_sweep_is_no_run(swept: Path, tmp_path: Path) -> None:
    refused = run_cli("export", swept, tmp_path / "best")
    assert (refused.code, "give --candidate ID" in refused.err) == (2, True)
    done = run_cli("test", swept)
    assert (done.code, done.err) == (
        2,
        f"swarm: {swept} is a sweep, which selects nothing to be tested; see sweep.html there\n",
    )


def test_a_file_with_a_missing_level_names_it(zoo: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (zoo / "data" / "law.jsonl").read_text().splitlines()]
    del rows[3]["generic"]
    write_lines(tmp_path / "law.jsonl", rows)
    objectives = [{"name": "x", "type": "level", "data": str(tmp_path / "law.jsonl")}]
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(levels_config(zoo, objectives=objectives)))
    done = run_cli("sweep", tmp_path / "c.yaml", "--run-dir", tmp_path / "s")
    assert done.code == 2
    assert "law.jsonl:4: generic is missing" in done.err
    assert not (tmp_path / "s").exists()


def targets_of(run: Path) -> dict[str, object]:
    return json.loads((run / "targets" / "targets.json").read_text())


def test_targets_are_answered_from_the_candidates_of_a_sweep(swept: Path) -> None:
    before = (swept / "journal.jsonl").read_bytes()
    done = run_cli("targets", swept, "--finalists", 2)
    assert done.code == 0, done.err
    found = targets_of(swept)
    assert (found["targets"], len(found["results"])) == (27, 27)
    assert f"{found['hits']['test']} of 27 targets hit on held-out test examples" in done.out
    lines = [json.loads(line) for line in (swept / "targets" / "journal.jsonl").read_text().splitlines()[1:]]
    tested = {line["id"]: line["scores"] for line in lines if line["split"] == "test"}
    chosen = {line["id"] for line in lines if line["split"] == "select"}
    assert set(tested) == {each["id"] for each in found["results"]} <= chosen
    for each in found["results"]:
        rates = tested[each["id"]]
        wanted = [rates[f"{domain}-{level}"] for domain, level in each["target"].items()]
        others = [
            max(rates[f"{domain}-{other}"] for other in LEVELS if other != level)
            for domain, level in each["target"].items()
        ]
        assert each["test"]["hit"] == all(a > b for a, b in zip(wanted, others, strict=True))
        assert each["test"]["score"]["mean"] == min(wanted)
    assert (swept / "journal.jsonl").read_bytes() == before
    kept = (swept / "targets" / "journal.jsonl").read_bytes()
    assert run_cli("targets", swept, "--finalists", 2).code == 0  # everything is known
    assert (swept / "targets" / "journal.jsonl").read_bytes() == kept
    assert "27" in (swept / "targets" / "targets.html").read_text()


def test_a_search_for_targets_is_resumed_to_the_same_result(zoo: Path, swept: Path, tmp_path: Path) -> None:
    optimizer = {"type": "guided_pso", "particles": 10, "evaluations": 14}
    (zoo / "targets.yaml").write_text(yaml.safe_dump(levels_config(zoo, optimizer=optimizer)))
    done = run_cli("targets", zoo / "targets.yaml", "--finalists", 1, "--run-dir", tmp_path / "t", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == targets_of(tmp_path / "t")
    lines = (tmp_path / "t" / "journal.jsonl").read_text().splitlines(keepends=True)
    assert [json.loads(line)["kind"] for line in lines] == ["start", *["evaluation"] * 14, "end"]
    stopped = shutil.copytree(tmp_path / "t", tmp_path / "u")
    shutil.rmtree(stopped / "targets")
    (stopped / "journal.jsonl").write_text("".join(lines[:8]))
    assert "the search has not ended" in run_cli("targets", stopped).err
    assert run_cli("resume", stopped).code == 0
    after = (stopped / "journal.jsonl").read_text().splitlines()
    positions = [[json.loads(line).get("position") for line in each] for each in (lines, after)]
    assert positions[0] == positions[1]
    assert targets_of(stopped) == targets_of(tmp_path / "t")
    assert "are tested already" in run_cli("test", stopped).err
