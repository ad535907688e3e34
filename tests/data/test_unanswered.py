"""Examples without an answer, for objectives that need none; and the mark of ambiguous prompts."""

import gzip
import json
from pathlib import Path

import pytest

from swarm.core.errors import DataError
from swarm.core.examples import Example, Message
from swarm.data.examples import DevTest, read_data, read_examples
from swarm.data.splits import SplitSettings, make_splits

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]


def written(folder: Path, *rows: dict[str, object]) -> Path:
    path = folder / "x.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_an_answer_may_be_missing_where_none_is_needed(tmp_path: Path) -> None:
    path = written(tmp_path, {"prompt": "Hello"}, {"messages": CHAT}, {"question": "2+2", "answer": ["4", "four"]})
    plain, chat, answered = read_examples(path, needs_answer=False)
    assert plain == Example("1", "Hello", "")
    assert chat == Example("2", tuple(Message(turn["role"], turn["content"]) for turn in CHAT), "")
    assert (answered.answer, answered.aliases) == ("4", ("four",))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"prompt": "Hello"}, "answer is missing .* give the right answer as `answer`"),
        ({"messages": CHAT}, "ends with 'user', and answer is missing; end it with the assistant's turn"),
    ],
)
def test_where_one_is_needed_it_is_asked_for(row: dict[str, object], problem: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=problem):
        read_examples(written(tmp_path, row))


def test_choices_always_need_an_answer_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="answer is missing"):
        read_examples(written(tmp_path, {"prompt": "Hello", "choices": ["a", "b"]}), needs_answer=False)
    with pytest.raises(DataError, match="answer: '' is empty"):
        read_examples(written(tmp_path, {"prompt": "Hello", "answer": ""}), needs_answer=False)


def test_files_of_two_lists_too(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"dev": [{"prompt": "a"}], "test": [{"prompt": "b"}]}))
    found = read_data(path, needs_answer=False)
    assert isinstance(found, DevTest)
    assert [example.answer for example in (*found.dev, *found.test)] == ["", ""]
    with pytest.raises(DataError, match=r"dev\[0\]: answer is missing"):
        read_data(path)


def test_splits_read_what_the_objective_needs(tmp_path: Path) -> None:
    path = written(tmp_path, *({"prompt": f"Hello {i}"} for i in range(9)))
    settings = SplitSettings(search=3, select=3, test=3)
    found = make_splits("x", "x.jsonl", settings, 0, lambda name: path, needs_answer=False)
    assert len({example.id for split in (found.search, found.select, found.test) for example in split}) == 9
    with pytest.raises(DataError, match=r"x.jsonl:1: answer is missing"):
        make_splits("x", "x.jsonl", settings, 0, lambda name: path)


@pytest.mark.parametrize(
    ("value", "mark"), [(True, True), (False, False), ("True", True), (None, None), ("maybe", None), ([1], None)]
)
def test_marks_of_ambiguous_prompts(value: object, mark: bool | None, tmp_path: Path) -> None:
    (example,) = read_examples(written(tmp_path, {"prompt": "a", "answer": "b", "ambiguous": value}))
    assert example.ambiguous is mark


def test_marks_in_tables(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"Prompt,Ambiguous\nWhen is it?,TRUE\n2+2?,false\nHello,\n"))
    assert [each.ambiguous for each in read_examples(path, needs_answer=False)] == [True, False, None]
