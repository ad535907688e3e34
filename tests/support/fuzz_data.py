"""A hypothesis strategy of data files: rows of known fields with any values, tables, and bytes that are neither."""

import csv
import gzip
import io
import json
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from swarm.data.contamination import training_texts
from swarm.data.examples import read_data
from swarm.data.splits import SPLITS, SplitSettings, make_splits
from swarm.objectives import OBJECTIVES
from swarm.objectives.base import Objective

FIELDS = (
    "id", "prompt", "question", "messages", "conversations", "instruction", "input", "output", "answer", "answers",
    "choices", "endings", "options", "label", "answerKey", "completion", "problem", "solution", "query", "response",
    "context", "task", "group", "system", "text", "A", "B", "C", "dev", "test",
)  # fmt: skip
WORDS = (
    "A",
    "B",
    "yes",
    "1",
    "0",
    "",
    " ",
    "-1",
    "\ud800",
    "\x00",
    "a\nb",
    "=",
    '"',
    "[1",
    "{}",
    "漢",
    "\u2028",
    "\ufeff",
)
TURN, SAID = {"role": "user", "content": "Q?"}, {"role": "assistant", "content": "yes"}
GOOD: tuple[dict[str, object], ...] = (
    {"prompt": "Q?", "answer": "yes"},
    {"question": "1+1=", "answer": 2},
    {"question": "Q?", "choices": ["x", "y"], "answer": 1},
    {"ctx": "Q?", "endings": {"A": "x", "B": "y"}, "answer": "B"},
    {"question": "Q?", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "A"},
    {"question": "Q?", "answers": {"text": ["yes", "aye"]}},
    {"problem": "Q?", "solution": "so \\boxed{7}"},
    {"instruction": "Q?", "input": "", "output": "yes"},
    {"messages": [TURN, SAID]},
    {"conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "yes"}]},
    {"prompt": [TURN], "completion": [SAID]},
)
TABLES = ("prompt,answer\n", "question,A,B,answer\n", "id;prompt;choices;answer\n", "instruction\tinput\toutput\n")
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".jsonl.gz", ".csv.gz", ".parquet", ".txt")


@dataclass(frozen=True)
class DataText:
    """A data file: what its name ends in, and its content."""

    suffix: str
    content: bytes

    @property
    def case(self) -> bytes:
        return self.suffix.encode() + b"\n" + self.content


def data_file(case: bytes, folder: Path) -> Path:
    """The file of a case."""
    suffix, _, content = case.partition(b"\n")
    path = folder / f"data{suffix.decode()}"
    path.write_bytes(content)
    return path


def read_training_data(case: bytes, folder: Path) -> None:
    list(training_texts(data_file(case, folder)))


def read_and_split(case: bytes, folder: Path) -> None:
    """Read a data file, deal it beside another, and let every kind of objective look at its examples."""
    path = data_file(case, folder)
    read_data(path)
    (folder / "test.jsonl").write_text('{"prompt": "Q?", "answer": "yes"}\n')
    files = {"search": str(path), "select": str(path), "test": str(folder / "test.jsonl")}
    pooled = [(str(path), {"search": 1, "select": 1}), (files, {}), (str(path), {"search": 1, "test": files["test"]})]
    for data, settings in pooled:
        splits = make_splits("x", data, SplitSettings(overlap="drop", **settings), 0, Path)
        for objective in map(_objective, ("multiple_choice", "likelihood", "exact_match")):
            for example in [example for split in SPLITS for example in splits.of(split)]:
                objective.check(example)
                objective.requests(example)


def _objective(kind: str) -> Objective:
    return OBJECTIVES[kind].model_validate({"name": "x", "type": kind, "chat": True})


def data_texts() -> st.SearchStrategy[DataText]:
    """Data files, most of them nearly right."""
    rows = _rows()
    listed = st.lists(rows, min_size=1, max_size=6)
    cells = st.lists(st.sampled_from((*WORDS, *FIELDS)) | st.text(max_size=8), min_size=1, max_size=5)
    lines = listed.map(lambda each: "".join(json.dumps(row) + "\n" for row in each))
    lists = listed.map(json.dumps) | st.dictionaries(st.sampled_from(["dev", "test", "x"]), listed).map(json.dumps)
    tables = st.builds(
        lambda head, rows: head + _table(rows), st.sampled_from(TABLES), st.lists(cells, min_size=1, max_size=5)
    )
    any_table = st.lists(cells, max_size=5).map(_table)
    nonsense = st.lists(st.sampled_from(WORDS), max_size=6).map("".join)
    named = st.one_of(
        st.tuples(st.sampled_from([".jsonl", ".jsonl.gz"]), lines),
        st.tuples(st.just(".json"), lists),
        st.tuples(st.sampled_from([".csv", ".tsv", ".csv.gz"]), tables),
        st.tuples(st.sampled_from(SUFFIXES), lines | lists | tables | any_table | nonsense),
    )
    cut, more = st.just(0) | st.integers(0, 40), st.just(b"") | st.binary(max_size=3)
    return st.builds(_file, named, cut, more)


def data_cases() -> st.SearchStrategy[bytes]:
    return data_texts().map(lambda text: text.case)


def _rows() -> st.SearchStrategy[dict[str, object]]:
    """Rows that are good, but for a field or two."""
    words = st.sampled_from(WORDS) | st.text(max_size=8)
    scalars = st.none() | st.booleans() | st.integers(-2, 4) | st.floats() | words
    roles = st.sampled_from(["user", "assistant", "system", "human", "gpt", "", None, 1]) | scalars
    said = scalars | st.lists(st.fixed_dictionaries({"type": words, "text": scalars}), max_size=2)
    kinds = {"role": roles, "from": roles, "content": said, "value": said}
    turns = st.fixed_dictionaries({}, optional=kinds)
    labelled = st.fixed_dictionaries({}, optional=dict.fromkeys(("text", "label"), st.lists(words, max_size=3)))
    values = scalars | st.lists(scalars | turns, max_size=4) | st.dictionaries(words, scalars, max_size=3) | labelled
    extra = st.dictionaries(st.sampled_from(FIELDS), words, max_size=2)
    odd = st.dictionaries(st.sampled_from(FIELDS), values, max_size=2)
    good = st.sampled_from(GOOD)
    return good | st.builds(lambda row, more: {**row, **more}, good | st.just({}), extra | odd)


def _file(named: tuple[str, str], cut: int, more: bytes) -> DataText:
    suffix, text = named
    content = text.encode("utf-8", "surrogatepass")[cut:] + more
    return DataText(suffix, gzip.compress(content) if suffix.endswith(".gz") else content)


def _table(rows: list[list[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=",;\t"[len(rows) % 3]).writerows(rows)
    return text.getvalue()
