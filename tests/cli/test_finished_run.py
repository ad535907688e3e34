"""Commands on a finished run: reports, tests, exports."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.playground import only_object, run_cli, summary_of
from swarm.export import EXPORTS

MAIN_FILES = {
    "hf": "model.safetensors",
    "adapter": "adapter_model.safetensors",
    "mergekit": "mergekit.yaml",
    "recipe": "recipe.json",
}


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
