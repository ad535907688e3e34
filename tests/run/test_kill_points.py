"""kill -9 at any event of the file system, in every phase: resumed, a run ends like an undisturbed one."""

import json
import shutil
from pathlib import Path

import pytest

from support.kill_points import Ended, content_of, run_cli_forked, spread
from support.playground import Playground, make_playground, summary_of
from support.runs import journal, timeless


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    played = make_playground(tmp_path_factory.mktemp("kills"))
    small = played.config(
        optimizer={"type": "random", "particles": 3, "iterations": 1},
        splits={"search": 6, "select": 6, "test": 8},
        cluster={"type": "local"},
    )
    played.config_file.write_text(json.dumps(small))
    return played


@pytest.fixture(scope="module")
def straight(played: Playground) -> tuple[Path, list[str]]:
    """An undisturbed run, and its events."""
    run = played.folder / "straight"
    ended = run_cli_forked("search", played.config_file, "--run-dir", run, at=run, point=0)
    assert ended.code == 0, ended.err
    return run, ended.events


def same(run: Path, straight: Path) -> None:
    assert summary_of(run) == summary_of(straight)
    assert timeless(journal(run)) == timeless(journal(straight))
    ours, theirs = content_of(run), content_of(straight)
    assert sorted(ours) == sorted(theirs)
    assert {name for name in theirs if ours[name] != theirs[name]} == set()


def resumed(played: Playground, run: Path) -> Ended:
    """Resume, or where the run had not begun, begin it again."""
    if not run.exists():
        return run_cli_forked("search", played.config_file, "--run-dir", run, at=run)
    return run_cli_forked("resume", run, at=run)


def killed_and_resumed(played: Playground, straight: Path, run: Path, point: int) -> None:
    killed = run_cli_forked("search", played.config_file, "--run-dir", run, at=run, point=point)
    assert killed.code == -9
    ended = resumed(played, run)
    assert ended.code == 0, ended.err
    same(run, straight)
    assert [path.name for path in run.parent.iterdir()] == [run.name], "nothing is left beside it"
    shutil.rmtree(run)


def event(events: list[str], name: str, which: int = 0) -> int:
    """The number of an event, the first or another one, as points are numbered."""
    return [i for i, each in enumerate(events, 1) if name in each][which]


def test_killed_at_the_start_in_the_export_and_in_its_verification(
    played: Playground, straight: tuple[Path, list[str]], tmp_path: Path
) -> None:
    run, events = straight
    # Before the directory has its name; before the card is written; after the journal's last line.
    for name, which in (("rename ../", -1), ("open .best", -1), ("after fsync", -4)):
        killed_and_resumed(played, run, tmp_path / "torn", event(events, name, which))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_killed_anywhere(played: Playground, straight: tuple[Path, list[str]], tmp_path: Path, part: int) -> None:
    """At 48 points over all phases; six to a test, as each takes seconds."""
    run, events = straight
    points = spread(events, 48)
    assert len(points) == 48
    for point in points[part::8]:
        killed_and_resumed(played, run, tmp_path / "torn", point)


@pytest.mark.slow
def test_killed_again_and_again(played: Playground, straight: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Each resume is killed in turn, each a little later, until one has fewer events left."""
    run = tmp_path / "torn"
    ended = run_cli_forked("search", played.config_file, "--run-dir", run, at=run, point=25)
    kills = 0
    while ended.code == -9:
        kills += 1
        ended = run_cli_forked("resume", run, at=run, point=25 + 8 * kills)
    assert (ended.code, kills > 4) == (0, True), ended.err
    same(run, straight[0])


def test_a_best_that_is_gone_or_cut_off_is_written_again(straight: tuple[Path, list[str]], tmp_path: Path) -> None:
    run = shutil.copytree(straight[0], tmp_path / "run")
    weights = run / "best" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    (run / ".best.0123abcd.tmp").mkdir()
    ended = run_cli_forked("resume", run, at=run)
    assert ended.code == 0, ended.err
    same(run, straight[0])
    shutil.rmtree(run / "best")
    assert run_cli_forked("test", run, at=run).code == 0
    same(run, straight[0])


@pytest.mark.parametrize(
    "file_size", [60_000, *(pytest.param(size, marks=pytest.mark.slow) for size in (500, 6_000, 12_000, 100_000))]
)
def test_a_full_disk_is_one_line_and_resumes_when_there_is_room(
    played: Playground, straight: tuple[Path, list[str]], tmp_path: Path, file_size: int
) -> None:
    run = tmp_path / "run"
    full = run_cli_forked("search", played.config_file, "--run-dir", run, at=run, file_size=file_size)
    assert full.code == 2
    assert full.err.startswith("swarm: ")
    assert full.err.count("\n") == 1
    assert "File too large" in full.err
    assert ".tmp" not in full.err, "the user knows no temporary"
    assert not run.exists() or f"then swarm resume {run}" in full.err
    ended = resumed(played, run)
    assert ended.code == 0, ended.err
    same(run, straight[0])
