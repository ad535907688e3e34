"""A terminal that is closed, full, narrow or knows no UTF-8 ends no command, and no run."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.playground import Playground, command, run_cli

ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def shell(line: str, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `swarm WORDS...` where the shell's line says "$@"."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, "bash", *command(*words)],
        capture_output=True, text=True, check=False, env=os.environ | variables,
    )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        '"$@" | head -1',
        *(pytest.param(line, marks=pytest.mark.slow) for line in ('"$@" >&-', '"$@" >&- 2>&-')),
        '"$@" <&- >&- 2>&-',
    ],
)
def test_a_run_goes_on_without_a_reader(playground: Playground, tmp_path: Path, finished_run: Path, line: str) -> None:
    done = shell(line, "search", playground.config_file, "--run-dir", tmp_path / "run")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "summary.json").is_file()
    assert sum(1 for _ in (tmp_path / "run" / "journal.jsonl").open()) == sum(
        1 for _ in (finished_run / "journal.jsonl").open()
    )


def test_a_full_disk_under_stdout_is_told(finished_run: Path) -> None:
    done = shell('"$@" > /dev/full', "report", finished_run)
    assert (done.returncode, done.stderr) == (
        2,
        "swarm: stdout cannot be written (No space left on device); free disk space, or send the output elsewhere\n",
    )


@pytest.mark.parametrize("option", [(), pytest.param(("--json",), marks=pytest.mark.slow)])
def test_what_a_full_disk_swallows_of_a_run_can_be_shown_again(finished_run: Path, option: tuple[str, ...]) -> None:
    done = shell('"$@" > /dev/full', "test", finished_run, *option)
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith("swarm: stdout cannot be written (No space left on device); free disk space, or")
    remedy = f"the run itself is kept: swarm resume {finished_run}"
    assert line.endswith(remedy)
    assert "finished in" in run_cli("resume", finished_run).out


def test_an_ascii_terminal_gets_escapes_and_files_get_utf8(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "größe")
    done = shell('"$@"', "report", run, **ASCII)
    assert (done.returncode, done.stderr) == (0, "")
    assert "größe" in (run / "report.md").read_text(encoding="utf-8")


def test_a_narrow_terminal_shows_the_whole_result(finished_run: Path) -> None:
    done = shell('"$@"', "test", finished_run, COLUMNS="40")
    assert done.returncode == 0
    assert "expert:green" in done.stdout


def test_a_mistake_on_a_terminal_breaks_between_words() -> None:
    """With an indent, as long as a terminal is wide enough. In a pipe it is one line."""
    ours, theirs = os.openpty()
    words = command("search", "a.yaml", "--overwrite-everything")
    with os.fdopen(ours, "rb", buffering=0) as screen:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, env=os.environ | {"COLUMNS": "40"}
        )  # fmt: skip
        os.close(theirs)
        said = screen.read(1000).decode()
    assert (done.returncode, done.stdout) == (2, b"")
    assert said.splitlines() == [
        "swarm: No such option:",
        "       --overwrite-everything; see swarm",
        "       search --help",
    ]
    piped = shell('"$@"', "search", "a.yaml", "--overwrite-everything")
    assert piped.stderr == "swarm: No such option: --overwrite-everything; see swarm search --help\n"


def test_with_json_a_mistake_is_one_object_on_stdout(tmp_path: Path) -> None:
    for words in (
        ("check", tmp_path / "none.yaml", "--json"),
        ("check", "--show", "2", "--json"),
        ("report", tmp_path, "--json"),
    ):
        done = run_cli(*words)
        assert (done.code, done.err) == (2, "")
        assert list(json.loads(done.out)) == ["error"]


def test_a_message_names_a_path_once(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    assert run_cli("check", tmp_path / "folder.yaml").err.count("folder.yaml") == 1
