"""Reading examples: every form that is promised, and one line for every mistake."""

import json
import os
from pathlib import Path

import pytest

from swarm.core.errors import DataError
from swarm.core.examples import Message
from swarm.data.examples import read_dev_test, read_examples

GOOD = {"prompt": "1 + 1 =", "answer": "2"}


def written(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), "utf-8")
    return path


def read_one(path: Path, row: object):
    return read_examples(written(path / "x.jsonl", row))[0]


def test_fields(tmp_path):
    row = {"id": 7, "question": "Q?", "answer": 5.10, "task": "t", "group": "g", "context": "c", "other": [1]}
    example = read_one(tmp_path, row)
    assert (example.id, example.prompt, example.answer) == ("7", "Q?", "5.1")
    assert (example.task, example.group, example.context) == ("t", "g", "c")


def test_numbers_are_read_as_written(tmp_path):
    assert read_one(tmp_path, '{"prompt": "p", "answer": 1.50}').answer == "1.50"


def test_ids_default_to_line_numbers_and_blank_lines_are_skipped(tmp_path):
    path = written(tmp_path / "x.jsonl", "", GOOD, "  ", {**GOOD, "id": "a"}, GOOD, "")
    assert [example.id for example in read_examples(path)] == ["2", "a", "5"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_separators_inside_strings_and_byte_order_mark(tmp_path, ending):
    path = tmp_path / "x.jsonl"
    row = '{"prompt": "a\u2028b\u0085c", "answer": "x"}'
    path.write_bytes("\ufeff".encode() + ending.join([row, row, ""]).encode())
    assert [example.prompt for example in read_examples(path)] == ["a\u2028b\u0085c"] * 2


def test_messages(tmp_path):
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    example = read_one(tmp_path, {"messages": turns, "answer": "Hello"})
    assert example.prompt == (Message("system", "Be brief."), Message("user", "Hi"))


@pytest.mark.parametrize(
    ("choices", "answer", "key"),
    [
        (["red", "green"], "B", "B"),
        (["red", "green"], "green", "B"),
        ([10, 20], 20, "B"),
        ({"x": "red", "y": "green"}, "y", "y"),
        ({"x": "red", "y": "green"}, "red", "x"),
        ({"A": "B", "B": "A"}, "A", "A"),
        (["A", "B"], "B", "B"),
        (["same", "same"], "B", "B"),
        ([f"t{n}" for n in range(28)], "t27", "AB"),
    ],
)
def test_choices(tmp_path, choices, answer, key):
    example = read_one(tmp_path, {"prompt": "p", "choices": choices, "answer": answer})
    assert example.answer == key
    assert len(example.choices) == len(choices)


MISTAKES = {
    "not JSON": ("{", "not valid JSON"),
    "nan": ('{"prompt": "p", "answer": NaN}', "not valid JSON"),
    "nested without end": ("[" * 100_000, "not valid JSON"),
    "no object": ([1, 2], "is not an object"),
    "no prompt": ({"answer": "a"}, "prompt is missing"),
    "null prompt": ({"prompt": None, "answer": "a"}, "prompt is missing"),
    "prompt no text": ({"prompt": ["p"], "answer": "a"}, "prompt: ['p'] is not a text"),
    "no answer": ({"prompt": "p"}, "answer is missing"),
    "empty answer": ({"prompt": "p", "answer": " "}, "answer: ' ' is empty"),
    "truth value": ({"prompt": "p", "answer": True}, "answer: True is not a text"),
    "surrogate": ('{"prompt": "\\ud800", "answer": "a"}', "surrogate"),
    "not among": ({"prompt": "p", "choices": ["x", "y"], "answer": "z"}, "answer: 'z' is not among the choices"),
    "index out of range": ({"prompt": "p", "choices": ["x", "y"], "answer": 2}, "give a key (A, B)"),
    "label of 5000 digits": ({"prompt": "p", "choices": ["x", "y"], "label": "9" * 5000}, "is no index of a choice"),
    "text of two": ({"prompt": "p", "choices": ["x", "x"], "answer": "x"}, "several choices (A, B)"),
    "key and text": ({"prompt": "p", "choices": ["B", "A"], "answer": "A"}, "key of one choice and the text of B"),
    "one choice": ({"prompt": "p", "choices": ["x"], "answer": "A"}, "fewer than two"),
    "choices text": ({"prompt": "p", "choices": "xy", "answer": "A"}, "choices: 'xy' is neither"),
    "empty choice": ({"prompt": "p", "choices": ["x", ""], "answer": "A"}, "contains an empty text"),
    "turns": ({"messages": "hi", "answer": "a"}, "is not a list of turns"),
    "no turns": ({"messages": [], "answer": "a"}, "no turn of the role user"),
    "no content": ({"messages": [{"role": "user"}], "answer": "a"}, "messages"),
    "answered": (
        {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}], "answer": "b"},
        "ends with the assistant's turn",
    ),
    "id": ({**GOOD, "id": [1]}, "id: ['1'] is not a text"),
}


@pytest.mark.parametrize(("row", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_file_and_line(tmp_path, row, message):
    path = written(tmp_path / "x.jsonl", GOOD, row)
    with pytest.raises(DataError) as error:
        read_examples(path)
    assert str(error.value).startswith(f"{path}:2: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_repeated_id_names_both_lines(tmp_path):
    path = written(tmp_path / "x.jsonl", {**GOOD, "id": 2}, GOOD)
    with pytest.raises(DataError, match=rf"x.jsonl:2: id: '2' is already the id of {path}:1"):
        read_examples(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_examples(tmp_path / "missing.jsonl")
    with pytest.raises(DataError, match="cannot be read"):
        read_examples(tmp_path)
    os.mkfifo(tmp_path / "pipe.jsonl")
    for endless in (tmp_path / "pipe.jsonl", Path("/dev/zero")):
        with pytest.raises(DataError, match=r"cannot be read \(it is a pipe or a device\)"):
            read_examples(endless)
    with pytest.raises(DataError, match="holds no examples"):
        read_examples(written(tmp_path / "empty.jsonl", "", " "))
    (tmp_path / "latin.jsonl").write_bytes(json.dumps(GOOD).encode() + b'\n{"prompt": "caf\xe9"}')
    with pytest.raises(DataError, match=r"latin.jsonl:2: byte 0xe9 is not UTF-8"):
        read_examples(tmp_path / "latin.jsonl")


def test_dev_test_form(tmp_path):
    dev = {"question": "q", "choices": {"A": "x", "B": "y"}, "answer": "B", "id": 3, "domain": "d"}
    path = written(tmp_path / "x.json", {"dataset": "n", "dev": [dev], "test": [{**dev, "id": 4, "task": "t"}]})
    both = read_dev_test(path)
    assert [(e.id, e.task, e.answer) for e in both.dev + both.test] == [("3", "d", "B"), ("4", "t", "B")]


@pytest.mark.parametrize("fields", [{}, {"id": 0}])
def test_dev_test_ids_that_tell_nothing_apart_are_replaced(tmp_path, fields):
    both = read_dev_test(written(tmp_path / "x.json", {"dev": [GOOD | fields] * 2, "test": [GOOD | fields]}))
    assert [example.id for example in both.dev + both.test] == ["dev-1", "dev-2", "test-1"]


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        ("{", "not valid JSON"),
        ('{"prompt": "p"}\n{"prompt": "q"}', "JSON lines"),
        ([GOOD], "is not an object"),
        ({"dev": [GOOD]}, "test: None is not a list"),
        ({"dev": [], "test": [GOOD]}, r"dev: \[\] is not a list"),
        ({"dev": [GOOD, {"prompt": "p"}], "test": [GOOD]}, r"x.json: dev\[1\]: answer is missing"),
        ({"dev": [GOOD], "test": ["t"]}, r"x.json: test\[0\]: 't' is not an object"),
    ],
)
def test_dev_test_mistakes(tmp_path, whole, message):
    with pytest.raises(DataError, match=message) as error:
        read_dev_test(written(tmp_path / "x.json", whole))
    assert "\n" not in str(error.value)
