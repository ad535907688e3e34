"""Rows and files of common data sets are read as their authors mean them."""

import gzip
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from swarm.core.errors import DataError
from swarm.core.examples import Example, Message
from swarm.data.contamination import training_texts
from swarm.data.examples import DevTest, read_data, read_examples

TURN, SAID = {"role": "user", "content": "Q?"}, {"role": "assistant", "content": "yes"}
HUMAN, GPT = {"from": "human", "value": "Q?"}, {"from": "gpt", "value": "yes"}
PARTS = [{"type": "text", "text": "Q"}, {"type": "text", "text": "?"}]
ABC = {"A": "x", "B": "y", "C": "z"}


def read(path: Path, *rows: object) -> list[Example]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_examples(path)


@pytest.mark.parametrize(
    ("row", "prompt", "choices", "right"),
    [
        ({"question": "Q?", "choices": ["x", "y", "z"], "answer": 1}, "Q?", ABC, "B"),  # MMLU
        ({"ctx": "Q?", "endings": ["x", "y", "z"], "label": "2"}, "Q?", ABC, "C"),  # HellaSwag
        ({"question": "Q?", "choices": ["2", "1", "0"], "label": 0}, "Q?", {"A": "2", "B": "1", "C": "0"}, "A"),
        ({"question": "Q?", "options": ["x", "y", "z"], "answer": "z"}, "Q?", ABC, "C"),
        (
            {"question": "Q?", "choices": {"text": ["x", "y", "z"], "label": ["A", "B", "C"]}, "answerKey": "C"},
            "Q?",
            ABC,
            "C",
        ),  # ARC
        (
            {"question_stem": "Q?", "choices": {"text": ["2", "1"], "label": ["1", "2"]}, "answerKey": "1"},
            "Q?",
            {"1": "2", "2": "1"},
            "1",
        ),
        (
            {"question": "Q?", "choices": [{"label": k, "text": t} for k, t in ABC.items()], "answerKey": "B"},
            "Q?",
            ABC,
            "B",
        ),
        ({"question": "Q?", "choices": ["x", "y", "z"], "answer": ["y"]}, "Q?", ABC, "B"),
        ({"question": "Q?", "answer": "2+5=7\n#### 7"}, "Q?", None, "2+5=7\n#### 7"),  # GSM8K
        ({"problem": "Q?", "solution": r"so \boxed{7}", "level": "1"}, "Q?", None, r"so \boxed{7}"),  # MATH
        ({"instruction": "Q?", "input": "", "output": "yes"}, "Q?", None, "yes"),  # Alpaca
        ({"instruction": "Q?", "input": "It is.", "output": "yes"}, "Q?\n\nIt is.", None, "yes"),
        ({"prompt": "Q?", "completion": "yes"}, "Q?", None, "yes"),
        ({"instruction": "Q?", "context": "It is.", "response": "yes"}, "Q?", None, "yes"),  # Dolly
        ({"instruction": "Q?", "input": " ", "output": "yes"}, "Q?", None, "yes"),
        ({"input": "Q?", "output": "yes"}, "Q?", None, "yes"),
        ({"query": "Q?", "response": "yes"}, "Q?", None, "yes"),
        ({"input": "Q?", "target": "yes"}, "Q?", None, "yes"),
        ({"conversations": [HUMAN, GPT]}, (Message("user", "Q?"),), None, "yes"),  # ShareGPT
        ({"messages": [HUMAN, GPT]}, (Message("user", "Q?"),), None, "yes"),
        ({"conversations": [TURN, SAID]}, (Message("user", "Q?"),), None, "yes"),
        ({"conversations": [HUMAN], "answer": "yes"}, (Message("user", "Q?"),), None, "yes"),
        ({"prompt": [TURN], "completion": [SAID]}, (Message("user", "Q?"),), None, "yes"),  # TRL
        ({"prompt": [TURN], "completion": "yes"}, (Message("user", "Q?"),), None, "yes"),
        ({"messages": [TURN, SAID]}, (Message("user", "Q?"),), None, "yes"),
        ({"messages": [TURN, SAID], "answer": "yes"}, (Message("user", "Q?"),), None, "yes"),
        ({"messages": [{"role": "user", "content": PARTS}], "answer": "yes"}, (Message("user", "Q?"),), None, "yes"),
    ],
)
def test_rows_of_common_data_sets(
    tmp_path: Path, row: dict[str, object], prompt: object, choices: object, right: str
) -> None:
    (example,) = read(tmp_path / "x.jsonl", row)
    assert (example.prompt, example.choices, example.answer) == (prompt, choices, right)
    assert type(example.answer) is str


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Q?", "answer": ["yes", "aye", "yes"]},
        {"question": "Q?", "answers": ["yes", "aye"]},
        {"question": "Q?", "answers": {"text": ["yes", "aye"], "answer_start": [0, 3]}},
        {"question": "Q?", "answer": {"value": "yes", "aliases": ["aye"]}},
    ],
)
def test_every_right_answer_of_a_list_counts(tmp_path: Path, row: dict[str, object]) -> None:
    (example,) = read(tmp_path / "x.jsonl", row)
    assert (example.answer, example.aliases) == ("yes", ("aye",))


def test_a_longer_conversation_keeps_its_turns_and_its_system_prompt(tmp_path: Path) -> None:
    turns = [HUMAN, {"from": "gpt", "value": "What?"}, {"from": "user", "value": "Q!"}, GPT]
    said = (Message("user", "Q?"), Message("assistant", "What?"), Message("user", "Q!"))
    system = Message("system", "Be brief.")
    (beside,) = read(tmp_path / "x.jsonl", {"system": "Be brief.", "conversations": turns})
    (within,) = read(tmp_path / "x.jsonl", {"conversations": [{"from": "system", "value": "Be brief."}, *turns]})
    assert beside.prompt == within.prompt == (system, *said)
    assert beside.answer == within.answer == "yes"


NUMBERS = [{"prompt": f"p{i}", "choices": ["0", "1", "2", "3"][:: 1 if i % 2 else -1], "answer": 1} for i in range(4)]
WORDS = {"prompt": "w", "choices": ["x", "y"], "answer": 0}
TENS = {"prompt": "t", "choices": [10, 20], "answer": 20}


def test_numbers_that_may_be_index_or_text_are_read_as_the_rest_of_the_file(tmp_path: Path) -> None:
    """Labels by index: every right text is the one at the index that the author wrote."""
    by_index = read(tmp_path / "x.jsonl", *NUMBERS, WORDS)
    assert [e.choices[e.answer] for e in by_index] == [row["choices"][row["answer"]] for row in (*NUMBERS, WORDS)]
    by_text = read(tmp_path / "x.jsonl", *NUMBERS, TENS)
    assert [e.choices[e.answer] for e in by_text] == ["1"] * 4 + ["20"]


@pytest.mark.parametrize(
    ("others", "line", "message"),
    [
        ([], 1, "'1' is the index of B (from 0) and the text of C"),
        ([WORDS, TENS], 1, "'1' is the index of B (from 0) and the text of C"),
    ],
)
def test_they_are_refused_where_the_file_does_not_tell(
    tmp_path: Path, others: list[dict[str, object]], line: int, message: str
) -> None:
    with pytest.raises(DataError) as refusal:
        read(tmp_path / "x.jsonl", *NUMBERS, *others)
    assert f"x.jsonl:{line}: answer: {message}" in str(refusal.value)


def test_an_index_among_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x.jsonl:2: answer: '0' is an index, and other answers of the file are texts"):
        read(tmp_path / "x.jsonl", TENS, WORDS)


ROWS = [{"prompt": f"p{i}", "answer": f"{i}"} for i in range(3)]


def test_gzip_and_lists_hold_the_same_examples(tmp_path: Path) -> None:
    plain = read(tmp_path / "x.jsonl", *ROWS)
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress((tmp_path / "x.jsonl").read_bytes()))
    assert read_examples(tmp_path / "x.jsonl.gz") == plain
    assert list(training_texts(tmp_path / "x.jsonl.gz")) == list(training_texts(tmp_path / "x.jsonl"))
    (tmp_path / "x.json").write_text(json.dumps(ROWS))
    assert [(e.prompt, e.answer) for e in read_examples(tmp_path / "x.json")] == [(e.prompt, e.answer) for e in plain]
    (tmp_path / "y.json.gz").write_bytes(gzip.compress(json.dumps({"dev": ROWS, "test": ROWS}).encode()))
    assert isinstance(read_data(tmp_path / "y.json.gz"), DevTest)


def test_parquet_is_read_where_pyarrow_is(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"question": "Q?", "choices": ["x", "y"], "answer": 1, "none": None}, {"question": "R?", "answer": 0}]
    parquet.write_table(pyarrow.Table.from_pylist(rows[:1]), tmp_path / "x.parquet")
    (example,) = read_examples(tmp_path / "x.parquet")
    assert (example.id, example.answer, example.choices) == ("1", "B", {"A": "x", "B": "y"})
    (tmp_path / "y.parquet").write_bytes(b"PAR1" + bytes(range(99)) + b"PAR1")
    with pytest.raises(DataError, match=r"y.parquet: is not readable as Parquet"):
        read_examples(tmp_path / "y.parquet")


def test_what_python_has_no_type_for_is_left_alone_in_parquet(tmp_path: Path) -> None:
    """Dates beyond the year 9999, and nanoseconds, in columns that are not read. Maps, decimals and categories are."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    choices = pyarrow.array([[("x", "5"), ("y", "7")]], pyarrow.map_(pyarrow.string(), pyarrow.string()))
    columns = {
        "question": pyarrow.array(["Q?"]).dictionary_encode(),
        "choices": choices,
        "answer": pyarrow.array([Decimal("7")]),
        "when": pyarrow.array([2**62], pyarrow.timestamp("us")),
        "exactly": pyarrow.array([1], pyarrow.timestamp("ns")),
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    (example,) = read_examples(tmp_path / "x.parquet")
    assert (example.prompt, example.choices, example.answer) == ("Q?", {"x": "5", "y": "7"}, "y")
    columns["question"] = pyarrow.array([2**62], pyarrow.timestamp("us"))
    parquet.write_table(pyarrow.table(columns), tmp_path / "y.parquet")
    with pytest.raises(DataError, match=r"y.parquet: is not readable as Parquet \(.*\); write it again, or as .jsonl"):
        read_examples(tmp_path / "y.parquet")


def test_parquet_without_pyarrow_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"which is not installed; pip install 'swarm-experts\[parquet\]', or write it"):
        read_examples(tmp_path / "x.parquet")


@pytest.mark.parametrize("read", [read_examples, lambda path: list(training_texts(path))])
def test_a_gzip_file_that_would_fill_the_memory_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """65 MiB of spaces in 65 kB: only the limit's worth of it is unpacked, a MiB at a time."""
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(b" " * (65 << 20), compresslevel=1))
    with pytest.raises(DataError, match=r"x\.jsonl\.gz: unpacks to more than 64 MiB"):
        read(tmp_path / "x.jsonl.gz")


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"prompt": "Q?", "chosen": "yes", "rejected": "no"}, "Q?"),
        ({"chosen": [TURN, SAID], "rejected": [TURN, {**SAID, "content": "no"}]}, (Message("user", "Q?"),)),
        ({"chosen": [HUMAN, GPT], "rejected": [HUMAN, {**GPT, "value": "no"}]}, (Message("user", "Q?"),)),
        ({"prompt": [TURN], "chosen": [SAID], "rejected": [{**SAID, "content": "no"}]}, (Message("user", "Q?"),)),
        (
            {"prompt": "Q?", "chosen": [TURN, SAID], "rejected": [TURN, {**SAID, "content": "no"}]},
            "Q?",
        ),  # UltraFeedback
    ],
)
def test_chosen_and_rejected_become_two_choices(tmp_path: Path, row: dict[str, object], prompt: object) -> None:
    (example,) = read(tmp_path / "x.jsonl", row)
    assert example.prompt == prompt
    assert (example.choices, example.answer) == ({"chosen": "yes", "rejected": "no"}, "chosen")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"prompt": "Q?", "chosen": "yes"}, "answer is missing"),
        ({"prompt": "Q?", "chosen": "yes", "rejected": ""}, "is empty or contains an empty text"),
        ({"chosen": [TURN, SAID], "rejected": [SAID]}, "rejected: .* begins otherwise than chosen"),
        ({"chosen": [TURN], "rejected": [TURN]}, "chosen: .* does not end with the assistant's turn"),
        ({"chosen": [], "rejected": [TURN]}, "chosen: .* does not end with the assistant's turn"),
        ({"prompt": "Q?", "chosen": 1, "rejected": [3]}, "rejected: .* does not end with the assistant's turn"),
    ],
)
def test_pairs_that_cannot_be_read(tmp_path: Path, row: dict[str, object], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read(tmp_path / "x.jsonl", row)


def test_a_pair_beside_an_answer_is_not_read(tmp_path: Path) -> None:
    (example,) = read(tmp_path / "x.jsonl", {"prompt": "Q?", "answer": "5", "chosen": "a", "rejected": "b"})
    assert (example.choices, example.answer) == (None, "5")
