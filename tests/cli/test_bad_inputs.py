"""Every mistake of the user's gets one line that names place, value and remedy, and leaves nothing behind."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from support import (
    bad_adapters,
    bad_build,
    bad_choices,
    bad_compose,
    bad_configs,
    bad_curation,
    bad_data,
    bad_examples,
    bad_given,
    bad_goals,
    bad_journals,
    bad_looking,
    bad_machines,
    bad_paths,
    bad_preparations,
    bad_runs,
    bad_settings,
    bad_sweeps,
    bad_texts,
    bad_values,
    bad_weights,
)
from support.bad_inputs import Case, Scene
from support.playground import Playground, run_cli, summary_of
from swarm.run.lock import locked

CASES = [
    *bad_configs.CASES,
    *bad_configs.BUDGETS,
    *bad_weights.CASES,
    *bad_data.CASES,
    *bad_examples.CASES,
    *bad_runs.CASES,
    *bad_journals.CASES,
]
CASES += [*bad_machines.CASES, *bad_texts.CASES, *bad_values.CASES]
CASES += [*bad_adapters.CASES, *bad_settings.CASES, *bad_compose.CASES, *bad_given.CASES, *bad_looking.CASES]
CASES += [*bad_goals.CASES, *bad_preparations.CASES, *bad_curation.CASES, *bad_build.CASES, *bad_sweeps.CASES]
CASES += bad_choices.CASES
CASES += [*bad_paths.PAIRS, *bad_paths.CONTROLS, *bad_paths.COMPOSITIONS, *bad_paths.ROUTERS]


@pytest.fixture
def scene(tmp_path: Path, playground: Playground, finished_run: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return Scene(tmp_path, playground, finished_run)


def content(folder: Path) -> dict[str, bytes]:
    """Every file and folder below `folder`."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_mistake_gets_one_line_and_leaves_nothing(case: Case, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value.format(folder=scene.folder))
    words = case.arrange(scene)
    before = content(scene.folder)
    done = run_cli(*words)
    assert done.code == 2, done
    assert done.err.startswith("swarm: ")
    assert done.err.splitlines(keepends=True) == [done.err]
    assert done.err[:-1].isprintable()
    assert "Traceback" not in done.out + done.err
    for fragment in (case.place, case.value, case.remedy):
        assert fragment in done.err, f"{fragment!r} is not in {done.err}"
    assert content(scene.folder) == before


def test_a_run_directory_in_use_is_left_alone(scene: Scene) -> None:
    run = scene.stopped_run()
    before = content(run)
    with locked(run):
        done = run_cli("resume", run)
    assert (done.code, done.err) == (2, f"swarm: {run} is in use by another swarm process; wait for it or stop it\n")
    assert content(run) == before
    assert run_cli("resume", run).code == 0


def test_of_two_searches_in_one_directory_the_second_is_refused(scene: Scene) -> None:
    words = scene.search()
    scene.run.mkdir()
    with locked(scene.run):
        done = run_cli(*words)
    assert done.code == 2
    assert "is in use by another swarm" in done.err
    assert [path.name for path in scene.run.iterdir()] == [".lock"]


def test_a_cut_last_line_is_no_mistake(scene: Scene) -> None:
    run = scene.stopped_run(lines=8)
    with (run / "journal.jsonl").open("a") as journal:
        journal.write('{"kind": "evaluation", "id": "1-3", "posi')
    done = run_cli("resume", run)
    assert (done.code, done.err) == (0, "")
    assert "note: a crash cut the journal's last line; its 41 bytes are dropped" in done.out
    assert summary_of(run) == summary_of(scene.finished)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_stops_a_run_that_resumes_when_there_is_room(scene: Scene, small_disk: Path) -> None:
    """A run without room for its best/ is not started; one that fills the disk on the way can be resumed."""
    run = small_disk / "run"
    refused = run_cli("search", scene.playground.config_file, "--run-dir", run)
    assert (refused.code, run.exists()) == (2, False)
    assert f"--run-dir: the disk of {run} has " in refused.err
    assert "KiB free, best/ needs" in refused.err
    done = run_cli("search", scene.playground.config_file, "--run-dir", run, "--set", "export.format=recipe")
    assert done.code == 2
    assert done.err == (
        f"swarm: {run}/journal.jsonl cannot be written (No space left on device); "
        f"free space or change the folder, then swarm resume {run}\n"
    )
    subprocess.run(["mount", "-o", "remount,size=10m", small_disk], check=True)
    assert run_cli("resume", run, "--set", "export.format=hf").code == 0
    assert summary_of(run) == summary_of(scene.finished)


def test_a_full_disk_leaves_no_half_an_export(scene: Scene, small_disk: Path) -> None:
    done = run_cli("export", scene.finished, small_disk / "best")
    assert done.code == 2
    assert f"{small_disk}/best cannot be written (No space left on device" in done.err
    assert "free disk space or choose another place" in done.err
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_does_not_take_a_line_stops_the_run(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where no small disk can be mounted: the fifth line does not reach the disk."""
    calls = count(1)

    def fsync(_handle: int) -> None:
        if next(calls) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    words = scene.search()
    with monkeypatch.context() as broken:
        broken.setattr("swarm.journal.file.os.fsync", fsync)
        done = run_cli(*words)
    assert done.code == 2
    assert "No space left on device" in done.err
    assert run_cli("resume", scene.run).code == 0
    assert summary_of(scene.run) == summary_of(scene.finished)
