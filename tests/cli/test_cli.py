"""The command line: quick to answer, plain when piped, JSON where asked, and interruptible."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from support.playground import Playground, command, run_cli, summary_of
from swarm import __version__
from swarm.cli.main import app
from swarm.export import EXPORTS

COMMANDS = {
    "init", "build", "sweep", "targets", "runs", "candidates", "compare", "watch", "study", "ui", "search", "resume",
    "check", "test", "export", "compose", "curate", "report", "vector", "zoo", "schema", "dial", "generate",
    "decisions", "fit-router",
}  # fmt: skip
HEAVY = ("torch", "ray", "transformers", "peft", "scipy")
MAIN_FILES = {
    "hf": "model.safetensors",
    "adapter": "adapter_model.safetensors",
    "mergekit": "mergekit.yaml",
    "recipe": "recipe.json",
}


def only_object(text: str) -> dict[str, object]:
    """The one JSON object that a command printed, and nothing else."""
    content = json.loads(text)
    assert isinstance(content, dict)
    return content


def test_the_help_lists_every_command() -> None:
    done = run_cli("--help")
    assert (done.code, done.err) == (0, "")
    assert {name for name in COMMANDS if f" {name} " in done.out} == COMMANDS
    assert "bool" not in done.out + run_cli("zoo", "build", "--help").out
    assert set(get_command(app).commands) == COMMANDS


def test_without_a_command_the_help_is_shown() -> None:
    done = run_cli()
    assert (done.code, done.err) == (0, "")
    assert "Usage" in done.out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name: str) -> None:
    done = run_cli(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert "Usage" in done.out
    assert "bool" not in done.out  # a flag takes no value


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option: str) -> None:
    code = (
        "import sys; from swarm.cli.main import main\n"
        "try: main()\n"
        f"finally: print('heavy:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_a_report_needs_no_torch(finished_run: Path, tmp_path: Path) -> None:
    """In a fresh process: it is rebuilt quickly, and where no model could be loaded."""
    run = shutil.copytree(finished_run, tmp_path / "run")
    code = (
        "import sys; from swarm.cli.main import main\n"
        "try: main()\n"
        "finally: print('heavy:', [name for name in ('torch', 'transformers', 'ray') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, "report", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(run / "report.html"), str(run / "report.md"), "heavy: []"]


def test_the_version() -> None:
    assert run_cli("--version").out == f"{__version__}\n"


def test_the_schema_is_one_json_object() -> None:
    assert only_object(run_cli("schema").out)["properties"]


def test_check_prints_a_plan_and_starts_nothing(playground: Playground, tmp_path: Path) -> None:
    done = run_cli("check", playground.config_file, "--json")
    plan = only_object(done.out)
    assert (done.code, done.err) == (0, "")
    assert plan["coordinates"] == 3
    assert (plan["bounds"], plan["dtype"], plan["base_dtype"]) == ([-0.5, 1.5], "float32", "F32")
    assert plan["evaluations"] == 16
    assert plan["examples"] == {"words": {"search": 16, "select": 16, "test": 28}}
    assert plan["experts"] == {"red": "adapter", "green": "adapter", "blue": "adapter"}
    lines = run_cli("check", playground.config_file, "--set", "engine.dtype=bfloat16").out
    for words in (
        "experts      adapter: red, green, blue",
        "search       3 dimensions, each -0.5 to 1.5",
        "optimizer    pso, up to 16 evaluations",
        "dtype        bfloat16 (the base is float32)",
        "tokens       at most",
        "MiB per worker, plus",
        "time         about",
        "smallest detectable difference on the test split: about 16.6 points",
    ):
        assert words in lines


def test_a_finished_run_holds_what_was_promised(finished_run: Path) -> None:
    names = {path.name for path in finished_run.iterdir()}
    assert names == {"config.yaml", "journal.jsonl", "summary.json", "best", "report.html", "report.md", ".lock"}


def test_report_and_test_print_one_json_object(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    assert only_object(run_cli("report", run, "--json").out) == summary
    shown = only_object(run_cli("test", run, "--json").out)
    keys = ("best", "baselines", "paired", "verdict", "predicted", "optimism", "emergence")
    assert shown == {key: summary[key] for key in keys}


def test_a_run_of_an_earlier_version_shows_what_it_has(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    del summary["verdict"], summary["predicted"]
    (run / "summary.json").write_text(json.dumps(summary))
    shown = only_object(run_cli("test", run, "--json").out)
    assert shown == {key: summary[key] for key in ("best", "baselines", "paired", "optimism", "emergence")}


def test_test_shows_best_and_baselines(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    done = run_cli("test", run)
    assert done.code == 0
    for row in ("selected (", "base ", "expert:red", "expert:green", "expert:blue", "uniform"):
        assert f"\n{row}" in done.out


def test_report_is_rebuilt_from_the_journal(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / finished_run.name)
    for name in ("report.html", "report.md"):
        (run / name).unlink()
    done = run_cli("report", run)
    assert done.out.splitlines() == [str(run / "report.html"), str(run / "report.md")]
    for name in ("report.html", "report.md"):
        assert (run / name).read_text() == (finished_run / name).read_text()


def test_report_of_an_unfinished_run_changes_nothing_but_the_report(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    half = "".join((run / "journal.jsonl").read_text().splitlines(keepends=True)[:9]) + '{"kind": "evalu'
    (run / "journal.jsonl").write_text(half)
    (run / "summary.json").unlink()
    assert run_cli("report", run).code == 0
    assert (run / "journal.jsonl").read_text() == half


@pytest.mark.parametrize("form", EXPORTS)
def test_export_from_a_run_and_from_its_recipe(finished_run: Path, tmp_path: Path, form: str) -> None:
    assert run_cli("export", finished_run, tmp_path / "recipe", "--format", "recipe").code == 0
    for source, name in ((finished_run, "run"), (tmp_path / "recipe" / "recipe.json", "again")):
        done = run_cli("export", source, tmp_path / name, "--format", form)
        assert (done.code, done.out, done.err) == (0, f"{tmp_path / name}\n", "")
    main = MAIN_FILES[form]
    assert (tmp_path / "run" / main).read_bytes() == (tmp_path / "again" / main).read_bytes()


def test_an_export_replaces_a_folder_where_that_is_allowed(finished_run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_text("old")
    words = ("export", finished_run, tmp_path / "out", "--format", "adapter")
    refused = run_cli(*words)
    assert (refused.code, "add --overwrite" in refused.err) == (2, True)
    assert run_cli(*words, "--overwrite").code == 0
    assert not (tmp_path / "out" / "old.txt").exists()


def test_the_export_of_the_best_is_best(finished_run: Path, tmp_path: Path) -> None:
    assert run_cli("export", finished_run, tmp_path / "out").code == 0
    weights = "model.safetensors"
    assert (tmp_path / "out" / weights).read_bytes() == (finished_run / "best" / weights).read_bytes()


def test_another_candidate_is_exported_by_its_id(finished_run: Path, tmp_path: Path) -> None:
    lines = map(json.loads, (finished_run / "journal.jsonl").read_text().splitlines())
    position = next(line["position"] for line in lines if line.get("id") == "1-2")
    words = ("export", finished_run, tmp_path / "out", "--candidate", "1-2", "--format", "recipe")
    assert run_cli(*words).code == 0
    recipe = json.loads((tmp_path / "out" / "recipe.json").read_text())
    coefficients = recipe["recipe"]["weights"]["coefficients"]
    assert (recipe["candidate"], [c for (c,) in coefficients.values()]) == ("1-2", position)


def test_the_card_of_another_candidate_has_its_scores_and_says_what_it_is_not(
    finished_run: Path, tmp_path: Path
) -> None:
    lines = list(map(json.loads, (finished_run / "journal.jsonl").read_text().splitlines()))
    best = summary_of(finished_run)["best"]["id"]
    other = next(line for line in lines if line["kind"] == "test" and line["id"] != best)
    words = ("export", finished_run, tmp_path / "out", "--candidate", other["id"], "--format", "recipe")
    assert run_cli(*words).code == 0
    card = (tmp_path / "out" / "README.md").read_text()
    (row,) = (line for line in card.splitlines() if line.startswith("| this model"))
    cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
    for split, cell in zip(("search", "select", "test"), cells, strict=True):
        at = next(line for line in lines if line.get("position") == other["position"]
                  and line.get("split", "search") == split)  # fmt: skip
        assert cell.startswith(f"{next(iter(at['scores'].values())):.3f} ")
    assert "The test split decided nothing in the run." in card
    assert "\n\nThese results hold" in card
    assert f"not the candidate that the run selected, which is {best}" in card
    assert "No scores of this weighting" not in card


def test_an_unknown_candidate_is_told_which_there_are(finished_run: Path, tmp_path: Path) -> None:
    best = summary_of(finished_run)["best"]["id"]
    for wanted, known in (
        ("uniform", "such as uniform:"),
        ("expert:rad", "such as expert:red"),
        ("99-9", f"{best} (selected)"),
    ):
        done = run_cli("export", finished_run, tmp_path / "out", "--candidate", wanted)
        assert done.code == 2
        assert known in done.err
        assert f"{best} (selected)" in done.err


def test_a_vector_is_made(playground: Playground, tmp_path: Path) -> None:
    out = tmp_path / "red.safetensors"
    done = run_cli("vector", playground.base, playground.expert("red"), "-o", out)
    assert (done.code, done.out) == (0, f"{out}\n")
    content = playground.config(experts=[str(out)])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    plan = only_object(run_cli("check", tmp_path / "config.yaml", "--json").out)
    assert plan["experts"] == {"red": "vector"}


def test_a_users_function_lies_beside_the_config(playground: Playground, tmp_path: Path) -> None:
    (tmp_path / "taste.py").write_text("def length(example, output):\n    return -len(output)\n")
    objective = {"name": "short", "type": "function", "function": "taste:length", "data": str(playground.data)}
    content = playground.config(objectives=[objective | {"max_new_tokens": 4}])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    assert run_cli("check", tmp_path / "config.yaml").code == 0


def test_resuming_a_finished_run_does_nothing_again(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    assert run_cli("resume", run).code == 0
    assert (run / "journal.jsonl").read_bytes() == (finished_run / "journal.jsonl").read_bytes()


def test_an_export_that_is_another_model_ends_with_code_1_and_one_line(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    content = json.loads((run / "summary.json").read_text())
    content["export_check"] = {"n": 2, "equal": 1, "differs": ["words/3: 1 in the search, 0 from best"]}
    (run / "summary.json").write_text(json.dumps(content))
    done = run_cli("resume", run)
    assert done.code == 1
    assert done.err.startswith("swarm: export: best/ is not the model that was searched: words/3: 1 in the search")
    assert done.err.count("\n") == 1
    assert (run / "best").is_dir()


def test_a_mistake_in_a_real_process_is_one_line(playground: Playground, tmp_path: Path) -> None:
    words = ("search", playground.config_file, "--run-dir", tmp_path / "run", "--set", "engine.device=abacus")
    done = subprocess.run(command(*words), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("swarm: engine.device: 'abacus' cannot be used")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_an_interrupted_run_says_how_to_resume_and_ends_like_an_uninterrupted_one(
    playground: Playground, tmp_path: Path
) -> None:
    optimizer = {"particles": 4, "iterations": 24, "patience": None}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(playground.config(optimizer=optimizer)))
    search = ("search", tmp_path / "config.yaml", "--run-dir", tmp_path / "run")
    process = subprocess.Popen(
        command(*search), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    try:
        wait_for_lines(process, tmp_path / "run" / "journal.jsonl", 5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err == f"interrupted; resume with: swarm resume {tmp_path / 'run'}\n"
    assert_plain(out)
    resumed = run_cli("resume", tmp_path / "run")
    assert resumed.code == 0
    assert re.search(r"(?m)^note: resuming: \d+ of 96 evaluations are known already$", resumed.out)
    assert re.search(r"(?m)^finished in \d+ s, all sessions together$", resumed.out)
    assert run_cli(*search[:-1], tmp_path / "straight").code == 0
    assert summary_of(tmp_path / "run") == summary_of(tmp_path / "straight")


def test_a_terminal_hears_at_once_that_a_search_starts_and_what_an_interruption_leaves(
    playground: Playground, tmp_path: Path
) -> None:
    """Before the libraries are loaded, which takes seconds."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        command("search", playground.config_file, "--run-dir", tmp_path / "run"),
        stdout=subprocess.PIPE, stderr=theirs, preexec_fn=heed_interrupts,
    )  # fmt: skip
    try:
        with os.fdopen(os.dup(ours), "rb", buffering=0) as screen:
            assert screen.readline() == b"starting: loading libraries\r\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        with os.fdopen(os.dup(ours), "rb", buffering=0) as screen:
            assert screen.readline() == b"interrupted before the run began; no run was created\r\n"
    finally:
        process.kill()
        for end in (ours, theirs):
            os.close(end)
    assert (process.returncode, out) == (130, b"")
    assert not (tmp_path / "run").exists()


def heed_interrupts() -> None:
    """A shell's background jobs are started to ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_lines(process: "subprocess.Popen[str]", journal: Path, lines: int) -> None:
    while not journal.exists() or journal.read_bytes().count(b"\n") < lines:
        assert process.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.005)


def assert_plain(out: str) -> None:
    """Lines for a pipe: the phases, how far the last one was, and nothing that moves a cursor."""
    lines = [line for line in out.splitlines() if not re.search("^[a-z ]+, done in", line)]
    steps = ["reading data", "checking base and experts", "encoding examples", "starting workers", "searching"]
    assert lines[:5] == steps
    assert re.match(r"searching \d+ of 96 evaluations, stopped after \d+ s; best on search \d", lines[5])
    assert "\x1b" not in out
    assert "\r" not in out
