"""Mistakes in examples, splits and scoring functions."""

import json
from collections.abc import Callable

from support.bad_inputs import Case, Scene, Words
from support.playground import examples, write_lines

ROW = {"prompt": "a=", "choices": ["b", "c"], "answer": "A"}


def rows(*changed: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in (*examples(40), *changed))


def overlapping_splits(scene: Scene) -> Words:
    given = examples(30)
    parts = {"search": given[:10], "select": given[10:20], "test": given[19:]}
    files = {name: str(write_lines(scene.folder / f"{name}.jsonl", part)) for name, part in parts.items()}
    return [*scene.search_objective(data=files), "--set", "splits={}"]


def too_long_a_prompt(scene: Scene) -> Words:
    return scene.search_data(rows(*(ROW | {"prompt": 300 * letter} for letter in "abcdefghijklmnopqrst")))


def chat_template(template: str) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        (scene.base() / "chat_template.jinja").write_text(template)
        words = {"name": "words", "type": "multiple_choice", "data": str(scene.playground.data), "chat": True}
        return scene.search(base=str(scene.folder / "mine"), objectives=[words])

    return arrange


def function_objective(function: str) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        (scene.folder / "own_scores.py").write_text("def right(example, output):\n    return 1.0\n")
        return scene.search_objective(type="function", function=function)

    return arrange


CASES = [
    Case("no-data-file", lambda s: s.search_objective(data="no.jsonl"), "objectives.0.data", "no.jsonl", "correct the"),
    Case("no-data", lambda s: s.search_objective(data=None), "objectives.words.data", "none", "give one file"),
    Case("empty-data", lambda s: s.search_data(""), "case.jsonl", "holds no examples", "write one"),
    Case("broken-json", lambda s: s.search_data(rows() + "{no\n"), "case.jsonl:41", "'{no'", "one object per line"),
    Case("no-object", lambda s: s.search_data(rows() + "[1]\n"), "case.jsonl:41", "['1']", "write {...}"),
    Case(
        "no-answer",
        lambda s: s.search_data(rows({"prompt": "a"})),
        "case.jsonl:41",
        "answer is missing",
        "give the right answer",
    ),
    Case(
        "answer-no-choice",
        lambda s: s.search_data(rows(ROW | {"answer": "Q"})),
        "case.jsonl:41: answer",
        "'Q'",
        "give a key (A, B)",
    ),
    Case(
        "same-ids",
        lambda s: s.search_data(rows(ROW | {"id": "3"})),
        "case.jsonl:41: id",
        "'3'",
        "give each its own id",
    ),
    Case(
        "no-choices",
        lambda s: s.search_data(rows({"prompt": "a", "answer": "b"})),
        "objectives.words",
        ".jsonl:41: ",
        "choices",
    ),
    Case(
        "dev-test-without-lists",
        lambda s: s.search_data('{"dev": {}, "test": []}', "case.json"),
        "case.json: dev",
        "{}",
        '{"dev": [...], "test": [...]}',
    ),
    Case(
        "dev-test-with-a-broken-example",
        lambda s: s.search_data(json.dumps({"dev": [ROW, {"prompt": "a"}], "test": [ROW]}), "case.json"),
        "case.json: dev[1]",
        "answer is missing",
        "give the right answer",
    ),
    Case("overlapping-splits", overlapping_splits, "select.jsonl:10", "test.jsonl:1", "remove it from one of"),
    Case(
        "overlap-unknown",
        lambda s: s.search_set("splits.overlap=merge"),
        "splits.overlap",
        "merge",
        "must be one of",
    ),
    Case(
        "too-few-examples",
        lambda s: s.search_set("splits.search=10000"),
        "splits.search",
        "10000",
        "lower a count or add examples",
    ),
    Case("split-of-nothing", lambda s: s.search_set("splits.select=0"), "splits.select", "0", "a count of at least 1"),
    Case(
        "two-rests", lambda s: s.search_set("splits.select=rest"), "splits.select", "rest", "give one of them a count"
    ),
    Case("too-long-a-prompt", too_long_a_prompt, "case.jsonl:", "256", "shorten the example"),
    Case(
        "template-raises",
        chat_template("{{ raise_exception('one\ntwo \x1b[2J') }}"),
        "data.jsonl:",
        r"(TemplateError: one two \x1b[2J)",
        "set chat: false where prompts are texts",
    ),
    Case(
        "template-broken",
        chat_template("{% for m in %}"),
        "data.jsonl:",
        "TemplateSyntaxError",
        "set chat: false where prompts are texts",
    ),
    Case(
        "template-too-large",
        chat_template("{{ 'a' * 10 ** 11 }}"),
        "data.jsonl:",
        "needs more than 1 GiB",
        "set chat: false where prompts are texts",
    ),
    Case(
        "no-such-module",
        function_objective("not_there:right"),
        "function",
        "not_there cannot be imported",
        "write module:function",
    ),
    Case("no-such-function", function_objective("own_scores:wrong"), "function", "wrong", "correct the name"),
    Case("no-function-name", function_objective("own_scores"), "objectives.0.function", "'own_scores'", "of the form"),
]
