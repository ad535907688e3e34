"""The benchmarks: every script starts, the cheap ones run at toy settings, their JSON lines have the agreed keys."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parent / "benchmarks"
KEYS = {"benchmark", "metric", "value", "unit", "target", "holds"}
SKIPPED = 77
SCRIPTS = [path for path in sorted(FOLDER.glob("*.py")) if '__name__ == "__main__"' in path.read_text()]

sys.path.append(str(FOLDER))  # the scripts import each other from their own folder

import common  # noqa: E402
import table  # noqa: E402


def run(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a benchmark in a process of its own."""
    command = [sys.executable, str(FOLDER / script), *options]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=280, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    """The JSON lines, each with the agreed keys and types."""
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found
    for line in found:
        assert set(line) == KEYS
        assert isinstance(line["value"], int | float)
        assert isinstance(line["target"], str | None)
        assert (line["holds"] is None) == (line["target"] is None)
    return found


def names(found: Sequence[dict[str, object]]) -> str:
    return "\n".join(str(line["metric"]) for line in found)


def test_every_script_starts_and_says_what_it_measures() -> None:
    command = [sys.executable, str(FOLDER.parent / "support" / "help_of_scripts.py"), *map(str, SCRIPTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for script in SCRIPTS:
        first = (ast.get_docstring(ast.parse(script.read_text())) or "").splitlines()[0]
        assert first in found[script.stem], f"{script.name}: {found[script.stem]}"
        assert found[script.stem].endswith("exit status 0"), f"{script.name}: {found[script.stem]}"


def test_every_benchmark_is_in_the_table() -> None:
    assert {path.stem for path in SCRIPTS} == {*table.scripts(), "table"}


@pytest.mark.slow
def test_gpu_script_runs_at_a_toy_shape_on_cpu() -> None:
    found = lines(run("gpu.py", "--device", "cpu", "--toy", "--dtype", "float32", "--repetitions", "1", "--json"))
    for what in ("scoring", "swap", "merged / stacked", "writing: 8 particles", "reloading / ours"):
        assert what in names(found)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.slow
def test_gpu_script_is_skipped_with_the_remedy() -> None:
    done = run("gpu.py", "--json")
    assert done.returncode == SKIPPED
    assert not done.stdout
    assert "gpu-todo.md" in done.stderr


@pytest.mark.slow
def test_a_search_is_measured_against_its_forward_passes() -> None:
    options = ("--zoo", "tiny", "--examples", "8", "--repetitions", "1", "--evaluations", "6", "--json")
    found = lines(run("end_to_end.py", *options))
    (ratio,) = (line for line in found if line["metric"] == "tiny: search / bare")
    assert ratio["target"] == "<= 1.25"
    (sums,) = (line for line in found if "add up" in str(line["metric"]))
    assert sums["holds"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        "optimisations.py --toy --repetitions 1",
        "stacked.py --toy --repetitions 1",
        "composing.py --weights 1 --no-zoo --repetitions 1",
        "racing.py --seeds 2 --optimizers pso --particles 4 --iterations 2",
        "large_journal.py --lines 100",
        "scaling.py --only simulated --sizes 2 --evaluations 20",
        "proposing.py --evaluations 40 --no-replay",
        "curation.py --seeds 1 --steps 2",
        "dials.py --zoo tiny --repetitions 1",
    ],
)
def test_the_other_scripts_run_at_toy_settings(call: str) -> None:
    script, *options = call.split()
    assert all(float(str(line["value"])) >= 0 for line in lines(run(script, *options, "--json")))


@pytest.mark.slow
def test_architectures_agree_with_the_models_alone(tmp_path: Path) -> None:
    """Twice: the second time from what the first has kept."""
    call = ("architectures.py", "mistral", "lfm2", "--json", "--kept", str(tmp_path / "kept"))
    found = lines(run(*call))
    assert all(line["holds"] for line in found if line["target"])
    assert {line["metric"]: line["value"] for line in found}["generate: ok"] == 2
    assert lines(run(*call)) == found


@pytest.mark.real
def test_reloading_writes_the_same_texts() -> None:
    options = ("--items", "12", "--check-items", "12", "--repetitions", "1", "--json", "--threads", "2")
    found = lines(run("reloading.py", *options))
    (same,) = (line for line in found if "same texts" in str(line["metric"]))
    assert same["holds"]


@pytest.mark.real
def test_harness_chooses_the_same_options_or_says_what_to_install() -> None:
    options = ("--items", "4", "--batch-sizes", "8", "--repetitions", "1", "--dtypes", "float32", "--json")
    done = run("harness.py", *options)
    if done.returncode == SKIPPED:
        assert ".[bench]" in done.stderr
        return
    assert all(line["holds"] for line in lines(done) if "same choice" in str(line["metric"]))


def test_targets_are_compared() -> None:
    assert common.Metric("b", "m", 1.1, "x", "<= 1.10").holds
    assert not common.Metric("b", "m", 1.9, "x", ">= 2").holds
    assert common.Metric("b", "m", 1.9, "x").holds is None


def test_a_value_is_rounded_on_the_side_of_the_verdict() -> None:
    content = common.Metric("b", "m", 1.10004, "x", "<= 1.10").content()
    assert content["holds"] == (content["value"] <= 1.10)


def test_the_sides_alternate() -> None:
    calls: list[str] = []
    seconds = common.by_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert "".join(calls) == "ab" + "abbaab"
    assert [len(each) for each in seconds.values()] == [3, 3]


def test_the_ratio_is_of_adjacent_repetitions() -> None:
    assert common.Paired(ours=(1.0, 10.0, 100.0), theirs=(2.0, 20.0, 300.0)).ratio == 2.0


def test_the_page_states_outcomes_and_contains_no_path() -> None:
    line = common.Metric("gpu", f"read from {common.ROOT}/x", 1234.5, "x", ">= 2000").content()
    results = [
        table.Result("gpu", [line], 0, "", f"`python {common.ROOT}/gpu.py`, today"),
        table.Result("harness", [], SKIPPED, "skipped: no lm-eval", ""),
    ]
    text = table.page(results)
    assert "0 of 1 targets hold. Missed: gpu: read from .../x." in text
    assert "No results: skipped: no lm-eval" in text
    assert str(common.ROOT) not in text
    assert "FAILS" in text
    assert "`python .../gpu.py`, today" in text


def test_sections_of_other_scripts_stay_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table.time, "strftime", lambda _: "2026-01-02")  # a page holds the date of its making
    slow, fast = (common.Metric("gpu", "speed", value, "x", ">= 1").content() for value in (0.5, 2.0))
    before = table.page(
        [table.Result(name, [slow], 0, "", f"`{name}`, then") for name in ("gpu", "racing", "adapters")]
    )
    after = table.page([table.Result("racing", [fast], 0, "", "`racing`, now")], before)
    assert after.split("## ")[1] == before.split("## ")[1]
    assert [text.split()[0] for text in after.split("\n## ")[1:]] == ["adapters", "gpu", "racing"]
    assert "1 of 3 targets hold. Missed: adapters: speed; gpu: speed." in after
    assert "`racing`, now" in after
    assert "`racing`, then" not in after
    same = table.page([table.Result("racing", [slow], 0, "", "`racing`, then")], after)
    assert same == before


def test_a_result_is_kept_with_its_provenance(tmp_path: Path) -> None:
    line = common.Metric("gpu", "speed", 2.0, "x", ">= 1").content()
    table.keep(tmp_path / "kept", table.Result("gpu", [line], 0, "", "called so"))
    assert table.result_of("gpu", (), tmp_path / "kept") == table.Result("gpu", [line], 0, "", "called so")
    assert table.kept(tmp_path / "kept", "stacked") is None
