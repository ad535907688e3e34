"""What may become of the files of a run in a stranger's hands: strategies that damage real ones.

Damage is of three kinds: of bytes (flipped, cut out, put in), of lines (lost, doubled, exchanged, cut) and of values (a
field of the JSON replaced, taken away or renamed). A reader gives a result or a UserError, whatever it is given.
"""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

RAW = ("NaN", "-Infinity", "1e999", "9" * 400, "[" * 3000 + "]" * 3000, '"\\ud800"', '"\\u0000"', "{}}", "01", "'a'")
VALUES = (
    None, True, 0, -1, 2**63, -(2**70), 1e308, -1e308, 5e-324, -0.0, 0.5, "", "0.5", "a\nb", "\x1b[31m", "x" * 300,
    "search", "base", "expert:none", "0-0", [], [[]], [None], ["a"], [0.5, 0.5], {}, {"": 0}, {"words": None},
    {"words": "a"}, {"words": [0.5]}, {"mean": 0.5}, {"mean": 1e308, "low": 0, "high": 1, "n": 0},
)  # fmt: skip
BYTES = (b"", b"\0", b"\n", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\x80", b"{", b"}", b'"', b"1", b"-", b"\x1b")
MARK = "the value goes here"


def journal_bytes(real: bytes) -> SearchStrategy[bytes]:
    """A journal to which up to three things happened."""
    return _damaged(real, [_of_bytes, _of_lines, _of_a_line, _of_a_line])


def summary_bytes(real: bytes) -> SearchStrategy[bytes]:
    """A summary, or another JSON file of one object, to which up to three things happened."""
    return _damaged(real, [_of_bytes, _of_values, _of_values, _of_values])


@st.composite
def _damaged(draw: DrawFn, real: bytes, kinds: list[Any]) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        real = draw(st.sampled_from(kinds))(draw, real)
    return real


def _of_bytes(draw: DrawFn, real: bytes) -> bytes:
    """Some bytes replaced; whole files of garbage and of another encoding, too."""
    how = draw(st.sampled_from(["within", "within", "within", "cut", "whole", "utf-16", "empty"]))
    at = draw(st.integers(0, len(real)))
    if how == "within":
        put = draw(st.sampled_from(BYTES) | st.binary(max_size=6))
        return real[:at] + put + real[at + draw(st.integers(0, 3)) :]
    whole = {"cut": real[:at], "utf-16": real.decode("utf-8", "replace").encode("utf-16"), "empty": b""}
    return whole[how] if how in whole else draw(st.binary(max_size=80))


def _of_lines(draw: DrawFn, real: bytes) -> bytes:
    """Lines that are lost, doubled, exchanged or cut."""
    lines = real.split(b"\n")
    one, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    how = draw(st.sampled_from(["lost", "doubled", "exchanged", "cut", "moved"]))
    if how == "lost":
        del lines[one]
    elif how == "doubled":
        lines.insert(other, lines[one])
    elif how == "exchanged":
        lines[one], lines[other] = lines[other], lines[one]
    elif how == "cut":
        lines[one] = lines[one][: draw(st.integers(0, len(lines[one])))]
    else:
        lines.insert(other, lines.pop(one))
    return b"\n".join(lines)


def _of_a_line(draw: DrawFn, real: bytes) -> bytes:
    """A value of one line."""
    lines = real.split(b"\n")
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = _of_values(draw, lines[at])
    return b"\n".join(lines)


def _of_values(draw: DrawFn, real: bytes) -> bytes:
    """A value of a JSON object replaced, taken away, doubled, or put under another key."""
    try:
        content = json.loads(real)
    except (ValueError, RecursionError):
        return real
    places = list(_places(content))
    if not places:
        return real
    holder, key = draw(st.sampled_from(places))
    how = draw(st.sampled_from(["value", "value", "value", "raw", "lost", "renamed", "scaled"]))
    raw = ""
    if how == "lost":
        del holder[key]
    elif how == "renamed" and isinstance(holder, dict):
        holder[draw(st.sampled_from(["", "x", "words", "search", "test"]))] = holder.pop(key)
    elif how == "scaled" and isinstance(holder[key], int | float) and abs(holder[key]) < 1e200:
        holder[key] = holder[key] * draw(st.sampled_from([-1, 1e-3, 2, 1e12]))
    elif how == "raw":
        raw, holder[key] = draw(st.sampled_from(RAW)), MARK
    else:
        holder[key] = draw(st.sampled_from(VALUES))
    return json.dumps(content).replace(f'"{MARK}"', raw).encode()


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder of a value with the value's key; of a long list the first ones."""
    if isinstance(content, dict | list):
        for key in list(content) if isinstance(content, dict) else range(min(len(content), 3)):
            yield content, key
            yield from _places(content[key])
