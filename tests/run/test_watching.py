"""`swarm watch`: a journal is followed as it grows, and what is shown is what the run will say itself."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.playground import command, run_cli
from swarm.cli.watching import BARS, curve
from swarm.core.errors import RunError
from swarm.journal.archive import Archive
from swarm.run.lock import locked
from swarm.run.watching import FINISHED, Watch

JOURNAL, SUMMARY = "journal.jsonl", "summary.json"


@pytest.fixture
def lines(finished_run: Path) -> list[bytes]:
    return (finished_run / JOURNAL).read_bytes().splitlines(keepends=True)


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A run of which nothing but the config is there."""
    (tmp_path / "run").mkdir()
    shutil.copy(finished_run / "config.yaml", tmp_path / "run")
    return tmp_path / "run"


def append(run: Path, lines: Sequence[bytes]) -> None:
    with (run / JOURNAL).open("ab") as stream:
        stream.write(b"".join(lines))


def test_an_archive_follows_lines_of_another_process(run: Path, lines: list[bytes]) -> None:
    archive = Archive(run / JOURNAL)
    assert (archive.follow(), len(archive.records)) == (False, 0)
    for i, line in enumerate(lines):
        append(run, [line[:-9]])
        assert not archive.follow(), "half a line is none"
        append(run, [line[-9:]])
        assert archive.follow()
        assert len(archive.records) == i + 1
    assert archive.records == Archive(run / JOURNAL).records
    append(run, [b"not a record\n"])
    for _ in range(2):
        with pytest.raises(RunError, match=rf"{JOURNAL}:{len(lines) + 1}: the journal is corrupt"):
            archive.follow()


def test_what_is_watched_is_what_the_run_says(run: Path, lines: list[bytes], finished_run: Path) -> None:
    watch = Watch(run)
    assert (watch.now().state, watch.now().best) == ("stopped: searching", None)
    states = []
    with locked(run):
        for line in lines:
            append(run, [line])
            found = watch.now()
            states.append(found.state)
            assert found.curve == tuple(sorted(found.curve)), "the best so far never falls"
            assert (found.best is None) == (found.curve == ())
            if found.curve:
                assert found.best == found.curve[-1]
    assert list(dict.fromkeys(states)) == ["searching", "selecting", "testing", FINISHED]
    shutil.copy(finished_run / SUMMARY, run)
    found, summary = watch.now(), json.loads((run / SUMMARY).read_text())
    assert found.state == FINISHED
    assert (found.evaluations, found.failures) == (summary["counts"]["evaluations"], summary["counts"]["failures"])
    best = max(Archive(run / JOURNAL).searched(), key=lambda each: each.scores["words"])
    assert (found.best_id, found.best) == (best.candidate.id, best.scores["words"])
    assert tuple(found.coefficients.values()) == best.candidate.position


def test_the_command_ends_with_the_run(run: Path, lines: list[bytes], finished_run: Path) -> None:
    append(run, lines[:6])
    with locked(run):
        watching = subprocess.Popen(command("watch", run, "--every", "0.1"), stdout=subprocess.PIPE, text=True)
        assert watching.stdout
        assert watching.stdout.readline().startswith("state searching, ")
        append(run, lines[6:])
        shutil.copy(finished_run / SUMMARY, run)
    out, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert "state finished, " in out


def test_a_journal_that_is_cut_meanwhile_ends_the_command_in_one_line(run: Path, lines: list[bytes]) -> None:
    append(run, lines[:6])
    with locked(run):
        watching = subprocess.Popen(
            command("watch", run, "--every", "0.1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert watching.stdout
        assert watching.stdout.readline().startswith("state searching, ")
        (run / JOURNAL).write_bytes(b"".join(lines[:3]))
        _, error = watching.communicate(timeout=60)
    assert watching.returncode != 0
    (line,) = error.splitlines()
    assert "journal.jsonl was cut or replaced after" in line


def test_a_stopped_run_and_a_folder_that_is_none(run: Path, lines: list[bytes], tmp_path: Path) -> None:
    append(run, lines[:5])
    done = run_cli("watch", run)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("state stopped: searching, ")
    with locked(run):
        assert run_cli("watch", run, "--once").out.startswith("state searching, ")
    done = run_cli("watch", tmp_path)
    assert done.code == 2
    assert "\n" not in done.err.strip()


def test_a_curve_keeps_its_last_value() -> None:
    assert curve([0.0, 0.5, 1.0], 3, BARS) == "▁▅█"
    assert curve(range(8), 60, BARS) == BARS
    assert curve([0.0] * 99 + [1.0], 10, BARS) == "▁" * 9 + "█"
    assert curve([1.0], 5, BARS) == "█"


def test_watching_loads_nothing_heavy() -> None:
    code = "import sys, swarm.cli.watching; print({'torch', 'transformers', 'ray'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
