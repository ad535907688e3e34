"""The journal gives back what was written; the archive's index follows from it."""

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
from swarm.journal.file import Journal

START = {
    "kind": "start",
    "time": "2025-01-01T00:00:00+00:00",
    "version": "0",
    "seed": 0,
    "optimizer": "pso",
    "coordinates": ["a", "b", "c"],
    "base": {"path": "base", "fingerprint": "0"},
    "experts": {},
    "items": {},
}
NUMBERS = (0.0, -0.0, 0.1, 1 / 3, math.pi, 5e-324, 1.7976931348623157e308, -1e-17, 0.1 + 0.2)


def some_evaluation(rng: random.Random, name: str) -> Evaluation:
    """Any evaluation that a search could have made; seconds are kept to a tenth of a millisecond."""
    candidate = Candidate(name, tuple(some_number(rng) for _ in range(3)), rng.randrange(9), rng.randrange(9))
    if rng.random() < 0.2:
        return Evaluation(candidate, "failed", worker="w", error='out of "memory"\n\u2028 ümlaut \\')
    examples = {name: tuple(some_number(rng) for _ in range(rng.randrange(1, 5))) for name in ("maths", "größe")}
    return Evaluation(
        candidate,
        "ok",
        scores={name: some_number(rng) for name in examples},
        examples=examples,
        outputs={name: tuple(rng.choice(("", "ü\n", '"}', "\x00")) for _ in part) for name, part in examples.items()},
        tokens=rng.randrange(10**9),
        seconds=round(rng.uniform(0, 100), 4),
        compose_seconds=round(rng.random(), 4),
        forward_seconds=round(rng.random(), 4),
        worker="worker-1",
    )


def some_number(rng: random.Random) -> float:
    return rng.choice((*NUMBERS, rng.random(), rng.gauss(0, 1e6)))


def bits(evaluation: Evaluation) -> str:
    """Everything in an evaluation; repr tells floats apart bit for bit, -0.0 from 0.0 too."""
    return repr(evaluation)


def initial_state(path: Path) -> Archive:
    archive = Archive(path)
    archive.append(**START)  # type: ignore[arg-type]
    return archive


@pytest.mark.parametrize("seed", range(8))
def test_evaluations_come_back_bit_for_bit(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    written = [some_evaluation(rng, f"{i}-0") for i in range(20)]
    archive = initial_state(tmp_path / "journal.jsonl")
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
    archive = initial_state(tmp_path / "journal.jsonl")
    archive.append_evaluation("evaluation", evaluation)
    assert archive.of("0-0") == replace(evaluation, outputs={})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_line_without_a_meaning_in_json_is_our_bug(tmp_path: Path, bad: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        initial_state(tmp_path / "journal.jsonl").append("failure", id="a", attempt=1, error="", worker="", extra=bad)


def test_a_cut_last_line_is_dropped_by_who_writes_next(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    initial_state(path).append_evaluation("evaluation", some_evaluation(random.Random(0), "0-0"))
    whole = path.read_bytes()
    for cut in (1, 10, len(whole.splitlines()[1])):
        path.write_bytes(whole + whole.splitlines()[1][:cut])
        journal = Journal(path)
        assert len(journal.read()) == 2
        assert journal.dropped_bytes == cut
        assert path.stat().st_size == len(whole) + cut, "somebody may be writing what a reader takes for a cut line"
        journal.append({"kind": "end", "phase": "search", "reason": "exhausted"})
        journal.close()
        journal.append({"kind": "end", "phase": "run", "reason": "done"})
        assert path.read_bytes().startswith(whole + b'{"kind": "end"')
        assert len(Journal(path).read()) == 4


def test_no_journal_and_an_empty_one_have_no_lines(tmp_path: Path) -> None:
    assert Journal(tmp_path / "journal.jsonl").read() == []
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
@pytest.mark.parametrize("number", [1, 2, 4])
def test_damage_is_told_with_its_line(tmp_path: Path, damage: str, number: int) -> None:
    path = tmp_path / "journal.jsonl"
    archive = initial_state(path)
    for i in range(3):
        archive.append_evaluation("evaluation", some_evaluation(random.Random(i), f"0-{i}"))
    lines = path.read_text().splitlines()
    lines[number - 1] = damage
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunError, match=rf"journal.jsonl:{number}: the journal is corrupt .*first {number - 1} lines"):
        Archive(path)


def test_a_second_start_is_damage(tmp_path: Path) -> None:
    initial_state(tmp_path / "journal.jsonl").append(**START)  # type: ignore[arg-type]
    with pytest.raises(RunError, match=r"journal.jsonl:2: .*a start line is out of place"):
        Archive(tmp_path / "journal.jsonl")


def test_the_index_knows_candidates_positions_and_splits(tmp_path: Path) -> None:
    archive = initial_state(tmp_path / "journal.jsonl")
    first = some_evaluation(random.Random(1), "0-0")
    archive.append_evaluation("evaluation", first)
    archive.append_failure(Failure(Candidate("0-1", (1.0, 2.0, 3.0)), 1, "the worker died", "w"))
    archive.append("end", phase="search", reason="patience", workers=3)
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
    archive = initial_state(tmp_path / "journal.jsonl")
    first = next(e for i in range(9) if (e := some_evaluation(random.Random(i), "0-0")).status == "ok")
    archive.append_evaluation("evaluation", first)
    archive.append_repeat("evaluation", replace(first.candidate, id="1-0"), "search")
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
    archive = initial_state(tmp_path / "journal.jsonl")
    archive.append_evaluation("evaluation", some_evaluation(random.Random(1), "0-0"))
    archive.append_evaluation("select", some_evaluation(random.Random(2), "base"), "search")
    archive.append_evaluation("test", some_evaluation(random.Random(3), "base"), "test")
    assert [evaluation.candidate.id for evaluation in archive.searched()] == ["0-0"]


def test_the_time_worked_adds_up_over_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 107.5, 5000.0, 5001.25, 5002.0])
    monkeypatch.setattr("swarm.journal.archive.time", SimpleNamespace(monotonic=lambda: next(clock)))
    initial_state(tmp_path / "journal.jsonl")
    second = Archive(tmp_path / "journal.jsonl")
    second.append("end", phase="search", reason="patience")
    assert [line["elapsed"] for line in second.lines] == [7.5, 8.75]
    assert second.elapsed == 9.5
