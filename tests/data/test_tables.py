"""CSV and TSV as spreadsheets and pandas write them are read as the rows that were written."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from swarm.core.errors import DataError
from swarm.core.examples import Example
from swarm.data.contamination import training_texts
from swarm.data.examples import read_examples

TEXTS = ['He said "yes", twice;\nthen\tleft.', " a ", "x,y", "línea — 漢", "'", '"', "1", "=2+3", "a\r\nb"]


def read(path: Path, content: str | bytes) -> list[Example]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_examples(path)


def asked(examples: list[Example]) -> list[tuple[object, str]]:
    return [(example.prompt, example.answer) for example in examples]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(("name", "delimiter"), [("x.csv", ","), ("x.csv", ";"), ("x.csv", "\t"), ("x.tsv", "\t")])
def test_what_a_writer_of_csv_writes_is_read_back(
    tmp_path: Path, name: str, delimiter: str, ending: str, mark: str
) -> None:
    with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
        file.write(mark)
        writer = csv.writer(file, delimiter=delimiter, lineterminator=ending)
        writer.writerows([["id", "question", "answer"], *([f"n{i}", text, text] for i, text in enumerate(TEXTS))])
    found = read_examples(tmp_path / name)
    assert asked(found) == [(text, text) for text in TEXTS]
    assert [example.id for example in found] == [f"n{i}" for i in range(len(TEXTS))]


def test_lines_are_counted_where_fields_hold_line_breaks(tmp_path: Path) -> None:
    found = read(tmp_path / "x.csv", 'prompt,answer\n"a\nb",1\n\nc,2\n')
    assert [example.where for example in found] == [f"{tmp_path}/x.csv:2", f"{tmp_path}/x.csv:5"]
    assert [example.id for example in found] == ["2", "5"]
    with pytest.raises(DataError, match=r"x.csv:4: has 1 fields where the first line has 2"):
        read(tmp_path / "x.csv", 'prompt,answer\n"a\nb",1\nc\n')


@pytest.mark.parametrize(
    ("content", "choices", "answer"),
    [
        ("question,A,B,C,answer\nQ?,x,y,z,B\n", {"A": "x", "B": "y", "C": "z"}, "B"),
        ("question,A,B,C,answer\nQ?,x,y,z,1\n", {"A": "x", "B": "y", "C": "z"}, "B"),
        ("question,A,B,C,answer\nQ?,x,y,,y\n", {"A": "x", "B": "y"}, "B"),
        ('question,choices,answer\nQ?,"[""x"", ""y""]",1\n', {"A": "x", "B": "y"}, "B"),
        ('ctx;endings;label\nQ?;["x", "y"];0\n', {"A": "x", "B": "y"}, "A"),
        ('question,options,answer\nQ?,"{""1"": ""x"", ""2"": ""y""}",2\n', {"1": "x", "2": "y"}, "2"),
        ("Question , Answer\nQ?, yes\n", None, "yes"),
        (",prompt,completion,\n0,Q?,yes,\n", None, "yes"),
        ("instruction,input,output\nQ?,,yes\n", None, "yes"),
        ("A,B,prompt,choices,answer\nu,v,Q?,,yes\n", {"A": "u", "B": "v"}, "yes"),
    ],
)
def test_columns_of_common_tables(tmp_path: Path, content: str, choices: object, answer: str) -> None:
    if "prompt,choices" in content:
        content = content.replace("yes", "v")
        answer = "B"
    (example,) = read(tmp_path / "x.csv", content)
    assert (example.prompt, example.choices, example.answer) == ("Q?", choices, answer)
    assert type(example.answer) is str


def test_a_chat_may_stand_in_a_cell(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "yes"}]
    with (tmp_path / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["messages"], [json.dumps(turns)]])
    (example,) = read_examples(tmp_path / "x.csv")
    assert ([message.content for message in example.prompt], example.answer) == (["Q?"], "yes")  # type: ignore[union-attr]


def test_long_cells_and_gzip(tmp_path: Path) -> None:
    long = "word " * 60_000
    content = f"prompt,answer\n{long},yes\n".encode()
    assert asked(read(tmp_path / "x.csv.gz", gzip.compress(content))) == [(long, "yes")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"prompt,answer\nQ?,\n", r"x.csv:2: answer is missing \(the fields are 'prompt', 'answer'\)"),
        (b"foo,bar\nQ?,yes\n", r"x.csv:1: names no column that is read \(its fields are 'foo', 'bar'\); .*Alpaca"),
        (b"prompt,answer\nQ?,yes,no\n", r"x.csv:2: has 3 fields where the first line has 2 .* quote a field"),
        (b'prompt,answer\n"Q?,yes\n', r"x.csv:2: its quotes are not those of CSV .* close every quote"),
        (b'prompt,answer\n"Q" ?,yes\n', r"x.csv:2: its quotes are not those of CSV"),
        (b"prompt,Prompt,answer\na,b,c\n", r"x.csv:1: names the column 'prompt' twice; rename"),
        (b"prompt,answer\nQ\xff,yes\n", r"x.csv:2: byte 0xff is not UTF-8"),
        ("prompt,answer\nQ?,yes\n".encode("utf-16"), r"x.csv: is UTF-16, not UTF-8"),
        (b"", r"x.csv: holds no examples"),
        (b"\n\n", r"x.csv: holds no examples"),
        (b"prompt,choices,answer\nQ?,[x y],A\n", r"x.csv:2: choices: '\[x y\]' is not valid JSON .* give it as JSON"),
        (b"prompt,answer\nQ\0?,yes\n", r"^$"),
    ],
)
def test_mistakes_are_one_line_with_file_and_line(tmp_path: Path, content: bytes, said: str) -> None:
    if said == "^$":  # a character like any other
        assert asked(read(tmp_path / "x.csv", content)) == [("Q\0?", "yes")]
        return
    with pytest.raises(DataError, match=said) as refusal:
        read(tmp_path / "x.csv", content)
    assert "\n" not in str(refusal.value)


def test_training_data_may_be_tables_and_lists(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("instruction,input,output\nQ?,It is.,yes\n")
    (tmp_path / "x.json").write_text(json.dumps([{"instruction": "Q?", "input": "It is.", "output": "yes"}]))
    (tmp_path / "x.jsonl").write_text(json.dumps({"instruction": "Q?", "input": "It is.", "output": "yes"}))
    texts = [list(training_texts(tmp_path / name)) for name in ("x.csv", "x.json", "x.jsonl")]
    assert texts[0] == texts[1] == texts[2]
    turns = [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "yes"}]
    (tmp_path / "y.jsonl").write_text(json.dumps({"conversations": turns}))
    assert [text.split() for text in training_texts(tmp_path / "y.jsonl")] == [["Q?"]]
    (tmp_path / "z.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match=r"z.json: holds no list of examples; write \[...\]"):
        list(training_texts(tmp_path / "z.json"))
