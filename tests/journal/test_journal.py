"""The journal gives back what was written; the archive's index follows from it."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.errors import RunError
from swarm.core.outcomes import Failure
from swarm.journal.archive import Archive
from swarm.journal.file import JournalFile
from swarm.journal.records import EndRecord, Item, Source, StartRecord, read_record
from swarm.statistics.intervals import Score

START = StartRecord(
    time="2025-01-01T00:00:00+00:00",
    version="0",
    seed=0,
    optimizer="pso",
    settings="5e77",
    coordinates=("a", "b", "c"),
    base=Source(path="base", fingerprint="0"),
    experts={"a": Source(path="a", fingerprint="1"), "b": Source(path="b", fingerprint="2", trained_on=("b.jsonl",))},
    items={"x": {"search": (Item(id="0", task="t", prompt="p", answer="q"),), "select": (), "test": ()}},
    notes=("a note",),
)
NUMBERS = (0.0, -0.0, 0.1, 1 / 3, math.pi, 5e-324, 1.7976931348623157e307, -1e-17, 0.1 + 0.2)


def some_evaluation(rng: random.Random, name: str) -> Evaluation:
    """Any evaluation that a search could have made; seconds are kept to a tenth of a millisecond."""
    age = [int(part) for part in name.split("-")] if "-" in name else []
    candidate = Candidate(name, tuple(some_number(rng) for _ in range(3)), *age)
    if rng.random() < 0.2:
        return Evaluation(candidate, "failed", worker="w", error='out of "memory"\n\u2028 ümlaut \\')
    examples = {name: tuple(some_number(rng) for _ in range(rng.randrange(1, 5))) for name in ("maths", "größe")}
    return Evaluation(
        candidate,
        "ok",
        scores={name: math.fsum(part) / len(part) for name, part in examples.items()},
        examples=examples,
        outputs={name: tuple(rng.choice(("", "ü\n", '"}', "\x00")) for _ in part) for name, part in examples.items()},
        tokens=rng.randrange(10**9),
        seconds=round(rng.uniform(0, 100), 4),
        compose_seconds=round(rng.random(), 4),
        forward_seconds=round(rng.random(), 4),
        worker="worker-1",
    )


BASE = Candidate("base", (0.0, 0.0, 0.0))


def some_number(rng: random.Random) -> float:
    return rng.choice((*NUMBERS, rng.random(), rng.gauss(0, 1e6)))


def bits(evaluation: Evaluation) -> str:
    """Everything in an evaluation; repr tells floats apart bit for bit, -0.0 from 0.0 too."""
    return repr(evaluation)


def started(path: Path) -> Archive:
    """An archive of a run whose start line names no objectives, so that any will do."""
    archive = Archive(path)
    archive.append(START.model_copy(update={"items": {}}))
    return archive


@pytest.mark.parametrize("seed", range(8))
def test_evaluations_come_back_bit_for_bit(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    written = [replace(some_evaluation(rng, f"{i}-0"), split="test") for i in range(20)]
    archive = started(tmp_path / "journal.jsonl")
    for evaluation in written:
        archive.append_evaluation("test", evaluation, "test")
    archive.journal.close()
    again = Archive(tmp_path / "journal.jsonl")
    for evaluation in written:
        name = evaluation.candidate.id
        for source in (archive, again):
            found = source.of(name, "test")
            assert found is not None
            assert bits(found) == bits(evaluation)


def test_what_the_model_said_is_kept_for_the_test_alone(tmp_path: Path) -> None:
    evaluation = next(e for i in range(9) if (e := some_evaluation(random.Random(i), "0-0")).status == "ok")
    archive = started(tmp_path / "journal.jsonl")
    archive.append_evaluation("evaluation", evaluation)
    assert archive.of("0-0") == replace(evaluation, outputs={})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_json_lacks_is_our_bug(tmp_path: Path, bad: float) -> None:
    with pytest.raises(ValueError, match=r"JSON|finite"):
        started(tmp_path / "journal.jsonl").append(EndRecord(phase="search", reason="patience", workers=bad))


def test_a_cut_last_line_is_dropped_by_who_writes_next(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    started(path).append_evaluation("evaluation", some_evaluation(random.Random(0), "0-0"))
    whole = path.read_bytes()
    for cut in (1, 10, len(whole.splitlines()[1])):
        path.write_bytes(whole + whole.splitlines()[1][:cut])
        journal = JournalFile(path)
        assert len(journal.read()) == 2
        assert journal.dropped_bytes == cut
        assert path.stat().st_size == len(whole) + cut, "somebody may be writing what a reader takes for a cut line"
        journal.append(EndRecord(phase="search", reason="exhausted"))
        journal.close()
        journal.append(EndRecord(phase="run", reason="done"))
        assert path.read_bytes().startswith(whole + b'{"kind": "end"')
        assert len(JournalFile(path).read()) == 4


def test_no_journal_and_an_empty_one_have_no_lines(tmp_path: Path) -> None:
    assert JournalFile(tmp_path / "journal.jsonl").read() == []
    (tmp_path / "journal.jsonl").write_text("")
    assert Archive(tmp_path / "journal.jsonl").start is None


@pytest.mark.parametrize(
    "damage",
    [
        '{"kind": "evalua',
        "",
        "\x00\x00",
        "[]",
        '{"kind": "note"}',
        '{"kind": "evaluation", "id": 3}',
    ],
)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_damage_is_told_with_its_line(tmp_path: Path, damage: str, number: int) -> None:
    path = tmp_path / "journal.jsonl"
    archive = started(path)
    for i in range(2):
        archive.append_evaluation("evaluation", some_evaluation(random.Random(i), f"0-{i}"))
    lines = path.read_text().splitlines()
    lines[number - 1] = damage
    path.write_text("\n".join(lines) + "\n")
    remedy = {1: "start a new run", 2: "its first line and", 3: "its first 2 lines and"}[number]
    with pytest.raises(RunError, match=rf"journal.jsonl:{number}: the journal is corrupt .*{remedy}"):
        Archive(path)


@pytest.mark.parametrize("then", ["cut", "cut and grown", "replaced", "removed"])
def test_an_open_journal_whose_lines_vanish_is_told(finished_run: Path, tmp_path: Path, then: str) -> None:
    file = tmp_path / "journal.jsonl"
    lines = (finished_run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:10]))
    archive = Archive(file)
    file.write_bytes(b"".join(lines[:12]) + b'{"kind": "ev')  # grown, and a line that is being written
    assert archive.follow()
    assert not archive.follow()
    found = {"cut": lines[:5], "cut and grown": [*lines[:5], *lines[6:20]], "replaced": lines[13:], "removed": []}[then]
    file.write_bytes(b"".join(found)) if found else file.unlink()
    how = "removed" if then == "removed" else "cut or replaced"
    for _ in range(2):
        with pytest.raises(RunError, match=rf"journal.jsonl was {how} after 12 of its lines .*; open the run again"):
            archive.follow()
    assert len(archive.records) == 12


def test_a_second_start_is_damage(tmp_path: Path) -> None:
    started(tmp_path / "journal.jsonl").append(START)
    with pytest.raises(RunError, match=r"journal.jsonl:2: .*a line of kind .start. is out of place"):
        Archive(tmp_path / "journal.jsonl")


def test_the_index_knows_candidates_positions_and_splits(tmp_path: Path) -> None:
    archive = started(tmp_path / "journal.jsonl")
    first = some_evaluation(random.Random(1), "0-0")
    archive.append_evaluation("evaluation", first)
    archive.append_failure(Failure(Candidate("0-1", (1.0, 2.0, 3.0)), 1, "the worker died", "w"))
    archive.append(EndRecord(phase="search", reason="patience", workers=3))
    for known in (archive, Archive(tmp_path / "journal.jsonl")):
        found = known.of("0-0")
        assert found is not None
        assert known.at(first.candidate.position) == found
        assert known.at(list(first.candidate.position)) == found
        assert known.of("0-0", "test") is None
        assert known.at(first.candidate.position, "select") is None
        assert known.of("0-1") is None
        assert known.ended("run") is None
        ended = known.ended("search")
        assert ended is not None
        assert (ended.reason, ended.workers) == ("patience", 3)


def test_a_repeated_position_costs_nothing_and_is_not_counted(tmp_path: Path) -> None:
    archive = started(tmp_path / "journal.jsonl")
    first = next(e for i in range(9) if (e := some_evaluation(random.Random(i), "0-0")).status == "ok")
    archive.append_evaluation("evaluation", first)
    archive.append_repeat("evaluation", replace(first.candidate, id="1-0", iteration=1), "search")
    for known in (archive, Archive(tmp_path / "journal.jsonl")):
        repeated = known.of("1-0")
        assert repeated is not None
        assert (repeated.scores, repeated.examples) == (first.scores, first.examples)
        assert (repeated.tokens, repeated.seconds, repeated.forward_seconds) == (0, 0.0, 0.0)
        assert [evaluation.candidate.id for evaluation in known.searched()] == ["0-0"]
        assert known.evaluations == 1
        at = known.at(first.candidate.position)
        assert at is not None
        assert at.candidate.id == "0-0"


def test_selection_and_test_are_no_part_of_the_search(tmp_path: Path) -> None:
    archive = started(tmp_path / "journal.jsonl")
    archive.append_evaluation("evaluation", some_evaluation(random.Random(1), "0-0"))
    archive.append_evaluation("select", some_evaluation(random.Random(2), "base"), "search")
    archive.append_evaluation("test", some_evaluation(random.Random(3), "base"), "test")
    assert [evaluation.candidate.id for evaluation in archive.searched()] == ["0-0"]


def test_the_time_worked_adds_up_over_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 107.5, 5000.0, 5001.25, 5002.0])
    monkeypatch.setattr("swarm.journal.archive.time", SimpleNamespace(monotonic=lambda: next(clock)))
    started(tmp_path / "journal.jsonl")
    second = Archive(tmp_path / "journal.jsonl")
    second.append(EndRecord(phase="search", reason="patience"))
    assert [record.elapsed for record in second.records] == [7.5, 8.75]
    assert second.elapsed == 9.5


EVALUATION = Evaluation(
    Candidate("0-1", (0.1, -0.0, 1.0), 0, 1),
    "ok",
    scores={"x": 0.5},
    examples={"x": (1.0, 0.0)},
    outputs={"x": ("yes", "no")},
    tokens=7,
    seconds=0.123456,
    compose_seconds=0.01,
    forward_seconds=0.1,
    worker="worker-0",
    surrogates={"x": (0.25, 0.75)},
    soft={"x": 0.625},
)
SCORED = (
    '"position": [0.1, -0.0, 1.0], "status": "ok", "scores": {"x": 0.5}, "examples": {"x": [1.0, 0.0]}, {more}'
    '"n_examples": 2, "tokens": 7, "seconds": 0.1235, "compose_seconds": 0.01, "forward_seconds": 0.1, '
    '"method": "merged", "worker": "worker-0"'
)
WRITTEN = {
    "start": (
        lambda archive: archive.append(START),
        '{"kind": "start", "time": "2025-01-01T00:00:00+00:00", "version": "0", "seed": 0, "optimizer": "pso", '
        '"settings": "5e77", "coordinates": ["a", "b", "c"], "base": {"path": "base", "fingerprint": "0"}, "experts": '
        '{"a": {"path": "a", "fingerprint": "1"}, "b": {"path": "b", "fingerprint": "2", "trained_on": ["b.jsonl"]}}, '
        '"items": {"x": {"search": [{"id": "0", "task": "t", "prompt": "p", "answer": "q"}], "select": [], '
        '"test": []}}, "notes": ["a note"], "elapsed": 1.5}',
    ),
    "evaluation": (
        lambda archive: archive.append_evaluation("evaluation", EVALUATION),
        '{"kind": "evaluation", "id": "0-1", "iteration": 0, "particle": 1, "split": "search", '
        + SCORED.replace("{more}", '"guides": {"x": [0.25, 0.75]}, "soft": {"x": 0.625}, ')
        + ', "elapsed": 1.5}',
    ),
    "select": (
        lambda archive: archive.append_evaluation("select", replace(EVALUATION, candidate=BASE), "select"),
        '{"kind": "select", "id": "base", "iteration": null, "particle": null, "split": "select", '
        + SCORED.replace("[0.1, -0.0, 1.0]", "[0.0, 0.0, 0.0]").replace("{more}", '"soft": {"x": 0.625}, ')
        + ', "elapsed": 1.5}',
    ),
    "test": (
        lambda archive: archive.append_evaluation("test", EVALUATION, "test", same_as="base"),
        '{"kind": "test", "id": "0-1", "iteration": 0, "particle": 1, "split": "test", '
        + SCORED.replace("{more}", '"outputs": {"x": ["yes", "no"]}, ')
        + ', "same_as": "base", "elapsed": 1.5}',
    ),
    "a failed evaluation": (
        lambda archive: archive.append_evaluation("evaluation", Evaluation(BASE, "failed", error="broken", worker="w")),
        '{"kind": "evaluation", "id": "base", "iteration": null, "particle": null, "split": "search", "position": '
        '[0.0, 0.0, 0.0], "status": "failed", "scores": {}, "examples": {}, "n_examples": 0, "tokens": 0, "seconds": '
        '0.0, "compose_seconds": 0.0, "forward_seconds": 0.0, "method": "merged", "worker": "w", "error": "broken", '
        '"elapsed": 1.5}',
    ),
    "failure": (
        lambda archive: archive.append_failure(Failure(BASE, 2, "the worker died", "w")),
        '{"kind": "failure", "id": "base", "attempt": 2, "error": "the worker died", "worker": "w", "elapsed": 1.5}',
    ),
    "the end of the search": (
        lambda archive: archive.append(EndRecord(phase="search", reason="patience", workers=2.0)),
        '{"kind": "end", "phase": "search", "reason": "patience", "workers": 2.0, "elapsed": 1.5}',
    ),
    "the end of the selection": (
        lambda archive: archive.append(
            EndRecord(phase="select", reason="0-1", predicted={"x": Score(0.5, 0.25, 0.75, 200)})
        ),
        '{"kind": "end", "phase": "select", "reason": "0-1", "predicted": {"x": {"mean": 0.5, "low": 0.25, '
        '"high": 0.75, "n": 200}}, "elapsed": 1.5}',
    ),
    "the end of a selection without a prediction": (
        lambda archive: archive.append(EndRecord(phase="select", reason="0-1", predicted={})),
        '{"kind": "end", "phase": "select", "reason": "0-1", "predicted": {}, "elapsed": 1.5}',
    ),
    "the end of the run": (
        lambda archive: archive.append(EndRecord(phase="run", reason="done")),
        '{"kind": "end", "phase": "run", "reason": "done", "elapsed": 1.5}',
    ),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_every_kind_of_line_is_written_to_the_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    clock = iter([0.0, 1.5])
    monkeypatch.setattr("swarm.journal.archive.time", SimpleNamespace(monotonic=lambda: next(clock)))
    append, line = WRITTEN[kind]
    archive = Archive(tmp_path / "journal.jsonl")
    append(archive)
    archive.journal.close()
    assert (tmp_path / "journal.jsonl").read_text() == line + "\n"
    assert read_record(json.loads(line)) == archive.records[0]


def test_a_journal_of_an_older_version_loads(tmp_path: Path) -> None:
    """Without the settings, notes, methods, splits, workers and predictions that came later."""
    lines = [
        {"kind": "start", "time": "t", "version": "0", "seed": 0, "optimizer": "pso", "coordinates": ["a"],
         "base": {"path": "b", "fingerprint": "f"}, "experts": {}, "items": {}},
        {"kind": "evaluation", "id": "0-0", "position": [0.5], "status": "ok", "scores": {"x": 1.0},
         "examples": {"x": [1.0]}, "n_examples": 1, "tokens": 3, "seconds": 1, "compose_seconds": 0,
         "forward_seconds": 1, "worker": "w", "of_the_future": [1, 2], "elapsed": 2},
        {"kind": "end", "phase": "search", "reason": "patience", "elapsed": 3},
        {"kind": "end", "phase": "select", "reason": "0-0", "elapsed": 4},
    ]  # fmt: skip
    (tmp_path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    archive = Archive(tmp_path / "journal.jsonl")
    assert archive.start is not None
    assert (archive.start.settings, archive.start.notes) == ("", ())
    assert [(e.candidate.id, e.scores, e.method) for e in archive.searched()] == [("0-0", {"x": 1.0}, "merged")]
    search, select = archive.ended("search"), archive.ended("select")
    assert search is not None
    assert select is not None
    assert (search.workers, select.predicted) == (1, {})
    assert (archive.search_began, archive.evaluations) == (1.0, 1)
