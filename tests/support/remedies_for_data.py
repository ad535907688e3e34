"""What mends the mistakes in examples, splits, data files and functions that score."""

import csv
import gzip
import io
import json
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq

from support import bad_examples
from support.bad_examples import PACKED, ROWS, BadExample, with_example
from support.bad_inputs import Scene, Words
from support.models import CHAT_TEMPLATE
from support.playground import examples, write_lines
from support.remedy_steps import Remedy, put, renamed, setting, then, typed, written

GOOD = examples(40)


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def line_41(row: dict[str, object] | None) -> Remedy:
    """Correct the last line of case.jsonl, or remove it."""
    return written("case.jsonl", lines([*GOOD, *([row] if row else [])]))


def of(name: str) -> object:
    return lambda scene: str(scene.folder / name)


def one_file_per_split(scene: Scene, words: Words) -> Words:
    files = {}
    for name, part in (("search", GOOD[:16]), ("select", GOOD[16:28]), ("test", GOOD[28:])):
        files[name] = str(write_lines(scene.folder / f"{name}.jsonl", part))
    return put("objectives.0.data", files)(scene, setting("splits={}")(scene, words))


def removed_from(split: str, kept: slice) -> Remedy:
    return written(f"{split}.jsonl", lines(examples(30)[kept]))


def more_examples(scene: Scene, words: Words) -> Words:
    write_lines(scene.folder / "more.jsonl", examples(10_100))
    return put("objectives.0.data", of("more.jsonl"))(scene, words)


def correct_function(scene: Scene, words: Words) -> Words:
    return put("objectives.0.function", "own_scores:right")(scene, words)


def module_that_can_be_imported(scene: Scene, words: Words) -> Words:
    """The module no longer ends, and has the function."""
    (file,) = scene.folder.glob("ends_*.py")
    file.write_text("def score(example, output):\n    return 1.0\n")
    return words


def mended(case: BadExample) -> Remedy:
    """The example as the message says, and the settings."""
    return lambda scene, words: with_example(scene, case.mend, case.settings | case.mended)


def other_example(row: dict[str, object], settings: dict[str, object]) -> Remedy:
    return lambda scene, words: with_example(scene, row, settings)


def data_in(name: str, content: Callable[[], bytes]) -> Remedy:
    """The data in another file, which the config then names."""
    return then(written(name, lambda scene: content()), put("objectives.0.data", of(name)))


def as_parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(GOOD), sink)
    return sink.getvalue().to_pybytes()


def as_table(delimiter: str = ",") -> bytes:
    """The good examples with their choices in columns."""
    text = io.StringIO()
    rows = [(row["prompt"], *row["choices"], row["answer"]) for row in GOOD]  # type: ignore[misc]
    csv.writer(text, delimiter=delimiter).writerows([("prompt", "A", "B", "C", "answer"), *rows])
    return text.getvalue().encode()


def plain_prompts(scene: Scene, words: Words) -> Words:
    return put("objectives.0.chat", False)(scene, words)


def correct_template(scene: Scene, words: Words) -> Words:
    (scene.folder / "mine" / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return words


CHOICE = {"type": "multiple_choice"}
ANSWERED = {"prompt": "a=", "choices": ["b", "c", "d"]}
SAID = [{"role": "user", "content": "a="}]
# What the message for an example offers as well; the first remedy stands in the table of bad examples.
SECOND = {
    "example-index-or-text": other_example({"prompt": "a=", "choices": ["2", "1", "0"], "label": 0}, CHOICE),
    "example-index-as-label": other_example({"prompt": "a=", "choices": ["2", "1", "0"], "answer": "A"}, CHOICE),
    "example-index-out-of-range": other_example({**ANSWERED, "answer": "d"}, CHOICE),
    "example-key-of-none": other_example({**ANSWERED, "answerKey": "c"}, CHOICE),
    "example-label-out-of-range": line_41(None),
    "example-no-right-answer": other_example(GOOD[0] | {"id": None}, CHOICE),
    "example-two-answers": other_example({"messages": SAID, "answer": "b"}, bad_examples.WRITTEN),
}
BROKEN = {f"example-{case.id}": case for case in bad_examples.EXAMPLES}
EXAMPLES: dict[str, tuple[Remedy, ...]] = {name: (mended(BROKEN[name]), second) for name, second in SECOND.items()}
MENDED = BROKEN.keys() - SECOND.keys()  # each with the remedy of its own table
PLAIN = written("d.jsonl", ROWS)
TABLE = written("d.csv", lambda scene: as_table())
JSON_CELLS = "prompt,choices,answer\n" + "".join(f'{i}=,"[""yes"", ""no""]",no\n' for i in range(60))
FILES: dict[str, tuple[Remedy, ...]] = {
    "gzip-unnamed": (renamed("d.jsonl", "d.jsonl.gz"),),
    "gzip-twice": (written("d.jsonl.gz", PACKED),),
    "gzip-cut": (written("d.jsonl.gz", PACKED),),
    "gzip-not": (renamed("d.jsonl.gz", "d.jsonl"),),
    "parquet-unnamed": (then(written("d.jsonl", lambda scene: as_parquet()), renamed("d.jsonl", "d.jsonl.parquet")),),
    "utf16": (PLAIN,),
    "excel": (
        data_in("d.jsonl", lambda: ROWS),
        data_in("d.csv", as_table),
        data_in("d.tsv", lambda: as_table("\t")),
        data_in("d.parquet", as_parquet),
    ),
    "csv-empty": (TABLE,),
    "csv-headless": (TABLE,),
    "csv-ragged": (TABLE, written("d.csv", lambda scene: as_table() + b'"c, d=",e,f,g,e\n')),
    "csv-quotes": (TABLE, written("d.csv", lambda scene: as_table() + b'"say ""a=""",b,c,d,b\n')),
    "csv-twice": (TABLE,),
    "csv-choices": (written("d.csv", lambda scene: as_table() + b'a=,yes,no,,"no"\n'), written("d.csv", JSON_CELLS)),
    "zip": (PLAIN,),
    "zstd": (PLAIN, data_in("d.jsonl.gz", lambda: gzip.compress(ROWS))),
    "git-lfs": (PLAIN,),
    "web-page": (PLAIN,),
    "lines-in-json": (
        renamed("d.json", "d.jsonl"),
        written("d.json", json.dumps(GOOD)),
        written("d.json", json.dumps({"dev": GOOD[:34], "test": GOOD[34:]})),
    ),
    "thinking-stopped": (put("objectives.0.stop", []),),
}
DATA: dict[str, tuple[Remedy, ...]] = {
    "no-data-file": (put("objectives.0.data", lambda scene: str(scene.playground.data)),),
    "no-data": (put("objectives.0.data", lambda scene: str(scene.playground.data)), one_file_per_split),
    "empty-data": (line_41(None),),
    "broken-json": (line_41({"prompt": "no=", "choices": ["b", "c"], "answer": "A"}),),
    "no-object": (line_41({"prompt": "no=", "choices": ["b", "c"], "answer": "A"}),),
    "no-answer": (line_41({"prompt": "a", "choices": ["b", "c"], "answer": "b"}),),
    "answer-no-choice": (
        line_41({"prompt": "a=", "choices": ["b", "c"], "answer": "A"}),
        line_41({"prompt": "a=", "choices": ["b", "c"], "answer": "c"}),
    ),
    "same-ids": (line_41({"prompt": "a=", "choices": ["b", "c"], "answer": "A", "id": "41"}),),
    "no-choices": (
        line_41({"prompt": "a", "choices": ["b", "c"], "answer": "b"}),
        put("objectives.0.type", "exact_match"),
    ),
    "dev-test-without-lists": (
        written("case.json", json.dumps({"dev": GOOD[:34], "test": GOOD[34:]})),
        written("case.json", json.dumps(GOOD)),
        then(written("case.jsonl", ROWS), put("objectives.0.data", of("case.jsonl"))),
    ),
    "dev-test-with-a-broken-example": (written("case.json", json.dumps({"dev": GOOD[:34], "test": GOOD[34:]})),),
    "overlapping-splits": (
        removed_from("test", slice(20, 30)),
        removed_from("select", slice(10, 19)),
        setting("splits.overlap=drop"),
    ),
    "overlap-unknown": (
        typed("splits.overlap", "splits.overlap=drop"),
        typed("splits.overlap", "splits.overlap=error"),
    ),
    "template-raises": (plain_prompts, correct_template),
    "template-broken": (plain_prompts, correct_template),
    "template-too-large": (plain_prompts, correct_template),
    "too-few-examples": (typed("splits.search", "splits.search=16"), more_examples),
    "split-of-nothing": (
        typed("splits.select", "splits.select=1"),
        typed("splits.select", "splits.select=auto"),
        then(typed("splits.select", "splits.select=rest"), setting("splits.test=20")),
    ),
    "two-rests": (typed("splits.select", "splits.select=20"), setting("splits.test=20")),
    "too-long-a-prompt": (line_41({"prompt": 200 * "a", "choices": ["b", "c"], "answer": "A"}),),
    "no-such-module": (correct_function,),
    "no-such-function": (correct_function,),
    "no-function-name": (correct_function,),
    "exit-on-import": (module_that_can_be_imported,),
    "interrupt-on-import": (module_that_can_be_imported,),
    "break-in-an-exception": (module_that_can_be_imported,),
}
REMEDIES = {**EXAMPLES, **FILES, **DATA}
SLOW = frozenset({"too-few-examples-2"})
