"""Lines to copy mean what they should, whatever a path holds, and Markdown stays what it was."""

import ast
import re

import pytest

from swarm.core.loading import load_snippet, python_string
from swarm.core.markdown import code_block, inline_code, plain_text

HOSTILE = [
    'a"b', "a'b", "a\nb", "a\\nb", "```\n# x", "a`b``c", "\x1b[2J\x9b\u202e", "{base}{0}", "模型 🙂", "\udcc3",
    '"); import os #',
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_a_literal_means_the_path_and_holds_nothing_that_acts(path: str) -> None:
    literal = python_string(path)
    assert ast.literal_eval(literal) == path
    assert literal.isprintable()
    assert "`" not in literal
    for form in ("hf", "adapter"):
        snippet = load_snippet(form, path, path)
        values = [node.value for node in ast.walk(ast.parse(snippet.code)) if isinstance(node, ast.Constant)]
        assert values.count(path) >= 2


@pytest.mark.parametrize("text", [*HOSTILE, "| a | b |", "<b>x</b>", "[x](y)", "$x$ &amp; *y* _z_ ~~w~~"])
def test_data_stays_data_in_markdown(text: str) -> None:
    for shown in (plain_text(text), inline_code(text)):
        assert shown.isprintable() or text == "\udcc3", "bytes that are no text stay what they are in a file"
    assert not re.search(r"(?<!\\)[`*_\[\]<>|#~$&]", plain_text(text))
    assert not re.search(r"(?<!\\)\|", inline_code(text))
    block = code_block(text, "yaml").splitlines()
    assert block[-1] not in block[1:-1], "nothing closes the fence early"
    assert block[0] == f"{block[-1]}yaml"
