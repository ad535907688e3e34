"""What the messages about a touched journal promise, and a disk that is full at any point of a run."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import bad_journals
from support.bad_inputs import Case, Scene
from support.playground import Playground, run_cli, summary_of

CUT = [case for case in bad_journals.JOURNALS if "jsonl:" in case.place and case.place != "jsonl:1"]
FOLLOWED = "edited-score"  # by default; the others are slow


@pytest.fixture
def scene(tmp_path: Path, playground: Playground, finished_run: Path) -> Scene:
    return Scene(tmp_path, playground, finished_run)


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=c.id, marks=() if c.id == FOLLOWED else pytest.mark.slow) for c in CUT]
)
def test_a_journal_that_is_cut_as_told_is_resumed_to_the_same_result(case: Case, scene: Scene) -> None:
    case.arrange(scene)
    journal = scene.run / "journal.jsonl"
    kept = int(case.place.partition(":")[2]) - 1
    assert f":{kept + 1}: the journal is corrupt" in run_cli("report", scene.run).err
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:kept]))
    if case.id == "of-other-objectives":
        return  # its first line was changed, too
    done = run_cli("resume", scene.run)
    assert (done.code, done.err) == (0, "")
    if case.id != "of-a-newer-version":
        assert summary_of(scene.run) == summary_of(scene.finished)


@pytest.mark.slow
@pytest.mark.parametrize("case", bad_journals.SUMMARIES, ids=lambda case: case.id)
def test_a_summary_that_is_removed_as_told_is_written_again(case: Case, scene: Scene) -> None:
    case.arrange(scene)
    (scene.run / "summary.json").unlink()
    assert run_cli("resume", scene.run).code == 0
    assert run_cli("report", scene.run).code == 0


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A write beyond this size fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def whole_lines(journal: Path) -> list[object]:
    """The lines of a journal that ends with a whole one."""
    content = journal.read_bytes()
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


def test_a_disk_that_is_full_again_and_again_leaves_whole_lines_and_the_same_result(scene: Scene) -> None:
    """In the search, the selection, the test, and when files are written that are larger than the journal."""
    sizes = [len(line) for line in (scene.finished / "journal.jsonl").read_bytes().splitlines(keepends=True)]
    run = scene.stopped_run()
    kinds = [line["kind"] for line in map(json.loads, (scene.finished / "journal.jsonl").read_text().splitlines())]
    for kind in ("evaluation", "select", "test"):
        room = sum(sizes[: kinds.index(kind) + 1 + (13 if kind == "evaluation" else 0)])
        with files_of_at_most(room + 100):
            done = run_cli("resume", run)
        assert done.code == 2, done
        assert done.err.startswith(f"swarm: {run}/journal.jsonl cannot be written (File too large); free space")
        assert len(done.err.splitlines()) == 1
        known = [line["kind"] for line in whole_lines(run / "journal.jsonl")]
        assert known == kinds[: len(known)]
        assert kind in known
    with files_of_at_most(len((scene.finished / "report.html").read_bytes()) - 1000):
        done = run_cli("resume", run)
    assert (done.code, len(done.err.splitlines())) == (2, 1), done
    assert "cannot be written (File too large" in done.err
    done = run_cli("resume", run)
    assert (done.code, done.err) == (0, "")
    assert summary_of(run) == summary_of(scene.finished)
