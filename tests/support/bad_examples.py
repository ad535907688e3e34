"""Mistakes in single examples and in the kinds of data files, each with what mends it.

A mended example replaces the broken one; where `mend` is None the remedy is not in the example.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

from support.bad_inputs import Case, Scene, Words
from support.playground import examples


@dataclass(frozen=True)
class BadExample:
    """A broken example of an objective.

    value, remedy: what the message must name.
    mend: the example after the remedy.
    settings: of the objective.
    mended: settings that the remedy sets.
    """

    id: str
    row: dict[str, object]
    value: str
    remedy: str
    mend: dict[str, object]
    settings: dict[str, object]
    mended: dict[str, object]


CHOSEN = {"prompt": "a=", "choices": ["b", "c", "d"]}
NUMBERS = {"prompt": "a=", "choices": ["2", "1", "0"]}
NUMBER = {"type": "exact_match", "extract": "last_number", "stop": []}
WRITTEN = {"type": "exact_match", "stop": []}
TURN = {"role": "user", "content": "a="}
SAID = {"role": "assistant", "content": "b"}
HUMAN, GPT = {"from": "human", "value": "a="}, {"from": "gpt", "value": "b"}
ALL, BOXED = {"extract": "all"}, {"extract": "boxed"}


def cut(name: str, answer: str, kept: str, mended: dict[str, object], remedy: str) -> BadExample:
    row = {"prompt": "a=", "answer": answer}
    return BadExample(name, row, f"is cut to '{kept}' by extract: last_number", remedy, row, NUMBER, mended)


def bad(name: str, row: dict[str, object], value: str, remedy: str, **mend: object) -> BadExample:
    kept = {key: each for key, each in (row | mend).items() if each is not None}
    settings = {"type": "multiple_choice"} if {"choices", "endings"} & row.keys() else WRITTEN
    return BadExample(name, row, value, remedy, kept, settings, {})


CUT = [
    cut("power", "x^2", "2", BOXED, "extract: boxed compares it as MATH does"),
    cut("root", r"\sqrt{2}", "2", BOXED, "extract: boxed compares it as MATH does"),
    cut("range", "3 to 5", "5", ALL, "extract: all keeps it whole"),
    cut("span", "3-5", "5", ALL, "extract: all keeps it whole"),
    cut("pair", "(3, 4)", "4", ALL, "extract: all keeps it whole"),
    cut("list", "[1, 2]", "2", ALL, "extract: all keeps it whole"),
    cut("two-units", "5 feet 11", "11", ALL, "extract: all keeps it whole"),
    cut("scale", "5 million", "5", ALL, "extract: all keeps it whole"),
    cut("name", "Apollo 11", "11", ALL, "extract: all keeps it whole"),
    cut("word-minus", "minus 5", "5", ALL, "extract: all keeps it whole"),
    cut("formula", "H2O", "2", ALL, "extract: all keeps it whole"),
    cut("bound", ">5", "5", ALL, "extract: all keeps it whole"),
    cut("spaced-thousands", "1 000", "000", ALL, "extract: all keeps it whole"),
    cut("decimal-comma", "1.234,5", "5", ALL, "extract: all keeps it whole"),
    cut("two-solutions", "x=3 or x=4", "4", ALL, "extract: all keeps it whole"),
    cut("half-of-the-day", "10:30 am", "10:30", ALL, "extract: all keeps it whole"),
]
SHAPES = [
    bad(
        "index-or-text", NUMBERS | {"answer": 0}, "'0' is the index of A (from 0) and the text of C", "key", answer="C"
    ),
    bad("index-as-label", NUMBERS | {"answer": 0}, "index of A", "the index as `label`", answer=None, label=0),
    bad("index-out-of-range", CHOSEN | {"answer": 3}, "'3' is not among the choices", "give a key", answer="C"),
    bad("label-out-of-range", CHOSEN | {"label": -1}, "label: '-1' is no index", "correct it", label=2),
    bad("two-right-choices", CHOSEN | {"answer": ["b", "c"]}, "is a list", "give its key", answer="B"),
    bad("no-right-answer", {"prompt": "a=", "answer": []}, "[] has no text", "at least one", answer=["b"]),
    bad("list-as-prompt", {"prompt": ["a="], "answer": "b"}, "['a='] is not a text", "one text", prompt="a="),
    bad("map-as-answer", {"prompt": "a=", "answer": {"x": "b"}}, "is not a text", "instead of the map", answer="b"),
    bad("truth-as-answer", {"prompt": "a=", "answer": True}, "True is not a text", "JSON string", answer="true"),
    bad(
        "half-labelled",
        {"prompt": "a=", "choices": {"text": ["b", "c"], "label": ["A"]}, "answerKey": "A"},
        "not one label for every text",
        "of equal length",
        choices={"text": ["b", "c"], "label": ["A", "B"]},
    ),
    bad(
        "labelled-twice",
        {"prompt": "a=", "choices": {"text": ["b", "c"], "label": ["A", "A"]}, "answerKey": "A"},
        "the same label twice",
        "give each choice its own",
        choices={"text": ["b", "c"], "label": ["A", "B"]},
    ),
    bad(
        "unknown-shape",
        {"body": "a=", "gold": "b"},
        "prompt is missing (the fields are 'body', 'gold')",
        "give it as `prompt`, `question` or `messages`; read are: prompt or question with answer",
        body=None,
        gold=None,
        prompt="a=",
        answer="b",
    ),
    bad(
        "unknown-answer",
        {"prompt": "a=", "gold": "b"},
        "answer is missing (the fields are 'prompt', 'gold')",
        "give the right answer as `answer`; read are: prompt or question with answer",
        gold=None,
        answer="b",
    ),
    bad(
        "key-of-none", CHOSEN | {"answerKey": "E"}, "answerKey: 'E' is not among", "give a key (A, B, C)", answerKey="B"
    ),
]
CHATS = [
    bad(
        "two-answers",
        {"messages": [TURN, SAID], "answer": "c"},
        "ends with the assistant's turn",
        "leave `answer` out",
        answer=None,
    ),
    bad(
        "image",
        {"messages": [{"role": "user", "content": [{"type": "image"}]}, SAID]},
        "has a part 'image'",
        "only parts {type: text",
        messages=[{"role": "user", "content": [{"type": "text", "text": "a="}]}, SAID],
    ),
    bad(
        "chat-as-prompt", {"prompt": [TURN], "answer": "b"}, "is not a text", "`messages`", prompt=None, messages=[TURN]
    ),
    bad(
        "chat-without-an-answer",
        {"messages": [TURN]},
        "ends with 'user', and answer is missing",
        "end it with the assistant's turn, or add `answer`",
        messages=[TURN, SAID],
    ),
    bad("empty-chat", {"messages": []}, "[] is empty", "add the question as one", messages=[TURN, SAID]),
    bad(
        "empty-conversation",
        {"conversations": []},
        "conversations: [] is empty",
        "add the question as one",
        conversations=[HUMAN, GPT],
    ),
    bad(
        "conversation-without-an-answer",
        {"conversations": [HUMAN]},
        "conversations: [{'",
        "end it with the assistant's turn, or add `answer`",
        conversations=[HUMAN, GPT],
    ),
    bad(
        "turn-without-a-role",
        {"messages": [{"content": "a="}], "answer": "b"},
        "has a turn without a role",
        "write {role: ..., content: ...}",
        messages=[TURN],
    ),
    bad(
        "answered-twice",
        {"messages": [TURN, SAID, SAID]},
        "ends with two turns of the assistant",
        "join them",
        messages=[TURN, SAID],
    ),
]
OTHERS = [
    BadExample(
        "pattern-cuts",
        {"prompt": "a=", "answer": "New York"},
        "is cut to 'York' by extract: {pattern:",
        "give the answer alone",
        {"prompt": "a=", "answer": "York"},
        WRITTEN | {"extract": {"pattern": r"(\w+)$"}},
        {},
    ),
    BadExample(
        "two-marks",
        {"prompt": "a=", "answer": "#### 5 #### 6"},
        "is cut to '5' by extract: after_hash",
        "extract: all keeps it whole",
        {"prompt": "a=", "answer": "#### 5 #### 6"},
        WRITTEN | {"extract": "after_hash"},
        ALL,
    ),
    BadExample(
        "solution-compared-whole",
        {"prompt": "a=", "answer": "1 + 1 = 2\n#### 2"},
        "contains a stop text",
        "set stop: [] and extract: after_hash",
        {"prompt": "a=", "answer": "1 + 1 = 2\n#### 2"},
        {"type": "exact_match"},
        {"stop": [], "extract": "after_hash"},
    ),
    BadExample(
        "key-is-a-text",
        {"prompt": "a=", "choices": {"A": "B", "B": "A"}, "answer": "A"},
        "'A' is a key, and the text of choice B",
        "rename the keys",
        {"prompt": "a=", "choices": {"1": "B", "2": "A"}, "answer": "1"},
        {"type": "exact_match"},
        {},
    ),
    BadExample(
        "not-marked",
        {"prompt": "a=", "answer": "b", "ambiguous": "maybe"},
        "ambiguous is missing, or neither true nor false",
        "give it as true or false",
        {"prompt": "a=", "answer": "b", "ambiguous": True},
        {"type": "clarification"},
        {},
    ),
    BadExample(
        "abstaining-answer",
        {"prompt": "a=", "answer": "I don't know"},
        'reads as an abstention ("i don\'t know")',
        "reword it, or remove the example",
        {"prompt": "a=", "answer": "b"},
        {"type": "reliability"},
        {},
    ),
]
EXAMPLES = [*CUT, *SHAPES, *CHATS, *OTHERS]


def is_chat(row: dict[str, object]) -> bool:
    return bool({"messages", "conversations"} & row.keys())


def with_example(scene: Scene, row: dict[str, object], settings: dict[str, object]) -> Words:
    """A search with 40 good examples and this one."""
    chat = {"chat": True} if is_chat(row) else {}
    good = [{key: each[key] for key in ("prompt", "choices", "answer")} for each in examples(40)]
    if settings["type"] == "clarification":
        good = [each | {"ambiguous": False} for each in good]
    if settings["type"] in ("exact_match", "reliability"):
        good = [{"prompt": each["prompt"], "answer": f"{i}"} for i, each in enumerate(good)]
    (scene.folder / "case.jsonl").write_text("".join(json.dumps(each) + "\n" for each in [*good, row]))
    return scene.search_objective(data=str(scene.folder / "case.jsonl"), **(settings | chat))


def _case(each: BadExample) -> Case:
    return Case(f"example-{each.id}", lambda s: with_example(s, each.row, each.settings), "41", each.value, each.remedy)


def file_of(name: str, content: bytes) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        (scene.folder / name).write_bytes(content)
        return scene.search_objective(data=str(scene.folder / name))

    return arrange


ROWS = "".join(json.dumps(row) + "\n" for row in examples(40)).encode()
PACKED = gzip.compress(ROWS)
FILES = [
    Case("gzip-unnamed", file_of("d.jsonl", PACKED), "d.jsonl", "is gzip", "name it d.jsonl.gz"),
    Case("gzip-twice", file_of("d.jsonl.gz", gzip.compress(PACKED)), "d.jsonl.gz", "gzip twice", "unpack it"),
    Case("gzip-cut", file_of("d.jsonl.gz", PACKED[:-20]), "d.jsonl.gz", "cut or damaged", "copy the file again"),
    Case("gzip-not", file_of("d.jsonl.gz", ROWS), "d.jsonl.gz", "is not gzip", "name it without .gz"),
    Case("parquet-unnamed", file_of("d.jsonl", b"PAR1" + ROWS), "d.jsonl", "is Parquet", "name it d.jsonl.parquet"),
    Case("utf16", file_of("d.jsonl", ROWS.decode().encode("utf-16")), "d.jsonl", "UTF-16", "save the file as UTF-8"),
    Case("excel", file_of("d.xlsx", b"PK\x03\x04"), "d.xlsx", "is Excel", "write it as .jsonl, .csv"),
    Case("csv-empty", file_of("d.csv", b"prompt,answer\n"), "d.csv", "holds no examples", "write one"),
    Case("csv-headless", file_of("d.csv", b"a=,b\nc=,d\n"), "d.csv:1", "fields are 'a=', 'b'", "in the first line"),
    Case("csv-ragged", file_of("d.csv", b"prompt,answer\na=,b\nc, d=,e\n"), "d.csv:3", "has 3 fields", "quote a field"),
    Case("csv-quotes", file_of("d.csv", b'prompt,answer\n"a=,b\nc=,d\n'), "d.csv:2", "its quotes", "close every quote"),
    Case("csv-twice", file_of("d.csv", b"prompt,answer,answer\na=,b,c\n"), "d.csv:1", "'answer' twice", "rename one"),
    Case(
        "csv-choices",
        file_of("d.csv", b"prompt,choices,answer\na=,\"['b' 'c']\",A\n"),
        "d.csv:2: choices",
        "is not valid JSON",
        'such as ["yes", "no"]',
    ),
    Case("zip", file_of("d.jsonl", b"PK\x03\x04" + ROWS), "d.jsonl", "a zip archive", "unpack it"),
    Case("zstd", file_of("d.jsonl", b"\x28\xb5\x2f\xfd" + ROWS), "d.jsonl", "zstd", "compress it with gzip"),
    Case(
        "git-lfs",
        file_of("d.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "d.jsonl",
        "a pointer of Git LFS",
        "git lfs pull",
    ),
    Case("web-page", file_of("d.jsonl", b"<!DOCTYPE html>\n"), "d.jsonl", "a web page", "download the file itself"),
    Case("lines-in-json", file_of("d.json", ROWS), "d.json", "is not valid JSON", "JSON lines (.jsonl)"),
    Case(
        "thinking-stopped",
        lambda s: s.search_objective(type="exact_match", strip_thinking=True),
        "objectives.0",
        "stop '\\n' ends the text while it thinks",
        "set stop: []",
    ),
]
CASES = [*map(_case, EXAMPLES), *FILES]
