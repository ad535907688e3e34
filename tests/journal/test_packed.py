"""A journal in memory is small, and gives the numbers that were written, bit for bit."""

import json
import math
import random
import struct
import tracemalloc
from pathlib import Path

import pytest

from swarm.core.candidates import Candidate, Evaluation
from swarm.journal.archive import Archive
from swarm.journal.packed import NO_SCORES, PackedScores, place
from swarm.journal.records import EvaluationRecord, Source, StartRecord
from swarm.preferences.weighted_sum import worth

START = StartRecord(
    time="t", version="0", seed=0, optimizer="pso", coordinates=("a", "b"), base=Source(path="b", fingerprint="f"),
    experts={}, items={},
)  # fmt: skip
NUMBERS = [
    (0.0, 1.0, 1.0), (0.0, -0.0), (1, 0, True), (0.5, 0.25, -0.0), (0.1, 1 / 3), (5e-324, 1.0), (1e308, -1e308),
    (2.0**24 + 1, 0.0), (), (1e39, 0.5), (1e-46,),
]  # fmt: skip
WEIGHTS = {"x": 1.0}


@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
def test_packed_numbers_come_back_bit_for_bit(numbers: tuple[float, ...]) -> None:
    found = PackedScores({"x": list(numbers)})
    assert [struct.pack("d", number) for number in found["x"]] == [struct.pack("d", number) for number in numbers]
    assert all(type(number) is float for number in found["x"])
    assert found == {"x": tuple(map(float, numbers))} == found
    assert repr(found) == repr({"x": tuple(map(float, numbers))})
    assert found.array("x").tolist() == [float(number) for number in numbers]
    assert found.extremes("x") == ((min(numbers), max(numbers)) if numbers else ())
    assert found.sum("x") == math.fsum(numbers)


@pytest.mark.parametrize(
    "bad", [[math.nan], [math.inf, 0.5], ["1"], [None], 3, None, "ab", [10**400], [[0.5]], [1e308, 1e308]]
)
def test_what_is_no_list_of_finite_numbers_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="x: should be a list of finite numbers"):
        PackedScores.of({"x": bad})


def test_equal_positions_have_one_place() -> None:
    assert place((0.0, 1)) == place([-0.0, 1.0]) != place((1.0, 0.0))
    assert PackedScores.of({}) is NO_SCORES


def evaluation(i: int, rng: random.Random, examples: int) -> Evaluation:
    """Every fifth one is stopped or failed; scores repeat, so that ages decide."""
    candidate = Candidate(f"{i // 4}-{i % 4}", (float(i), -0.5), i // 4, i % 4)
    scores = tuple(float(rng.random() < 0.5) for _ in range(examples))
    if i % 5 == 3:
        return Evaluation(candidate, "failed", error="broken")
    status = "stopped" if i % 5 == 4 else "ok"
    return Evaluation(candidate, status, {"x": math.fsum(scores) / examples}, {"x": scores}, tokens=900, worker="w")  # type: ignore[arg-type]


def written(path: Path, n: int, examples: int = 4) -> list[Evaluation]:
    rng = random.Random(0)
    archive = Archive(path)
    archive.append(START)
    archive.journal.close()
    made = [evaluation(i, rng, examples) for i in range(n)]
    with path.open("a") as journal:  # without a flush to disk for each
        for i, each in enumerate(made):
            journal.write(json.dumps(EvaluationRecord.of("evaluation", each).timed(1 + i / 1000).content()) + "\n")
    return made


def test_memory_is_at_most_two_bytes_per_byte(tmp_path: Path) -> None:
    made = written(tmp_path / "journal.jsonl", 600, examples=200)
    Archive(tmp_path / "journal.jsonl")
    tracemalloc.start()
    try:
        archive = Archive(tmp_path / "journal.jsonl")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 2 * (tmp_path / "journal.jsonl").stat().st_size
    assert archive.history() == made


def test_the_ranking_that_grows_is_the_one_that_is_sorted_anew(tmp_path: Path) -> None:
    made = written(tmp_path / "journal.jsonl", 120)
    archive = Archive(tmp_path / "journal.jsonl")
    for before in (0, 1, 2, 7, 7, 3, 29, math.inf):
        full = [e for e in made if e.status == "ok" and (e.candidate.iteration or 0) < before]
        expected = sorted(full, key=lambda e: (-worth(e, WEIGHTS, False), e.candidate.age))
        found = archive.ranked(WEIGHTS, before)
        assert list(found) == expected
        assert found[:3] == expected[:3]
    late = evaluation(200, random.Random(3), 4)
    archive.append_evaluation("evaluation", late)
    assert late in archive.ranked(WEIGHTS)
    assert archive.searched_in(50) == [late]
