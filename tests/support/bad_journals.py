"""Journals and summaries that somebody has touched."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.bad_inputs import Case, Scene, Words

Lines = list[dict[str, Any]]
DEEP = "[" * 100_000
CUT = "cut it to its first"
BACK = "put both files of the run back"


def with_journal(change: Callable[[bytes], bytes]) -> Callable[[Scene], Words]:
    """The report of a finished run whose journal was changed."""

    def arrange(scene: Scene) -> Words:
        _changed(shutil.copytree(scene.finished, scene.run) / "journal.jsonl", change)
        return ["report", scene.run]

    return arrange


def with_lines(change: Callable[[Lines], object]) -> Callable[[Scene], Words]:
    """As `with_journal`; the lines are changed in place."""

    def changed(content: bytes) -> bytes:
        lines = [json.loads(text) for text in content.splitlines()]
        change(lines)
        return "".join(json.dumps(line) + "\n" for line in lines).encode()

    return with_journal(changed)


def with_line(number: int, **fields: object) -> Callable[[Scene], Words]:
    """As `with_journal`, with other fields in one line, counted from 1."""
    return with_lines(lambda lines: lines[number - 1].update(fields))


def with_text(number: int, old: str, new: str) -> Callable[[Scene], Words]:
    """As `with_journal`, with another text at the first place of one line, counted from 1."""

    def changed(content: bytes) -> bytes:
        lines = content.decode().splitlines(keepends=True)
        assert old in lines[number - 1]
        lines[number - 1] = lines[number - 1].replace(old, new, 1)
        return "".join(lines).encode()

    return with_journal(changed)


def with_summary(change: Callable[[bytes], bytes]) -> Callable[[Scene], Words]:
    """The report of a finished run whose summary was changed."""

    def arrange(scene: Scene) -> Words:
        _changed(shutil.copytree(scene.finished, scene.run) / "summary.json", change)
        return ["report", scene.run]

    return arrange


def with_entry(*keys: str, value: object) -> Callable[[Scene], Words]:
    """As `with_summary`, with another value under these keys; an Ellipsis takes it away."""

    def changed(content: bytes) -> bytes:
        whole = holder = json.loads(content)
        for key in keys[:-1]:
            holder = holder[key]
        holder[keys[-1]] = value
        if value is ...:
            del holder[keys[-1]]
        return json.dumps(whole).encode()

    return with_summary(changed)


def lost_line_of_a_stopped_run(scene: Scene) -> Words:
    """A candidate of the first iteration has no line, and the second was scored."""
    journal = scene.stopped_run() / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    assert '"id": "0-2"' in lines[3]
    journal.write_text("".join(lines[:3] + lines[4:]))
    return ["resume", scene.run]


def exported(arrange: Callable[[Scene], Words]) -> Callable[[Scene], Words]:
    """The same, but for the export."""
    return lambda scene: ["export", arrange(scene)[1], scene.folder / "dest"]


def _changed(file: Path, change: Callable[[bytes], bytes]) -> None:
    file.write_bytes(change(file.read_bytes()))


def _half(lines: list[bytes], at: int) -> bytes:
    return b"\n".join([*lines[:at], lines[at][: len(lines[at]) // 2], *lines[at + 1 :]])


def _selected(lines: Lines) -> dict[str, Any]:
    """The first line of the selection that is of a candidate of the search."""
    return next(line for line in lines if line["kind"] == "select" and line["iteration"] is not None)


def _searched(lines: Lines) -> dict[str, Any]:
    """The last evaluation of the search."""
    return [line for line in lines if line["kind"] == "evaluation"][-1]


def _searched_to_end(lines: Lines) -> None:
    """The last evaluation of the search goes to the end of the file, with the time that the file ends with."""
    last = _searched(lines)
    lines.remove(last)
    lines.append(last | {"elapsed": lines[-1]["elapsed"]})


JOURNALS = [
    Case("torn-in-the-middle", with_journal(lambda b: _half(b.split(b"\n"), 4)), "jsonl:5", "cut short", f"{CUT} 4"),
    Case("blank-line", with_journal(lambda b: b.replace(b"\n", b"\n\n", 1)), "jsonl:2", "an empty line", f"{CUT} line"),
    Case("two-lines-in-one", with_journal(lambda b: b.replace(b"\n", b"", 1)), "jsonl:1", "trailing", "start a new"),
    Case("doubled-line", with_lines(lambda a: a.insert(4, a[3])), "jsonl:5", "0-2 has two evaluations", f"{CUT} 4"),
    Case("doubled-end", with_lines(lambda a: a.append(a[-1])), "jsonl:41", "ends a second time", f"{CUT} 40"),
    Case("reordered", with_lines(lambda a: a.insert(2, a.pop(9))), "jsonl:3", "not in order", f"{CUT} 2"),
    Case("after-the-end", with_lines(_searched_to_end), "jsonl:17", "the search ends before candidate", CUT),
    Case("edited-score", with_line(3, scores={"words": 0.99}), "jsonl:3", "scores.words is 0.99", f"{CUT} 2"),
    Case("lost-example", with_lines(lambda a: a[2]["examples"]["words"].pop()), "jsonl:3", "n_examples is 16", CUT),
    Case("fewer-examples", with_line(3, examples={"words": [0.5] * 4}, n_examples=4, scores={"words": 0.5}), "jsonl:3",
         "holds 4 scores", f"{CUT} 2"),
    Case("longer-position", with_line(3, position=[0.1] * 4), "jsonl:3", "4 coordinates", f"{CUT} 2"),
    Case("moved-finalist", with_lines(lambda a: _selected(a).update(position=[9.0, 9.0, 9.0])), "journal.jsonl",
         "at another position than before", CUT),
    Case("unknown-objective", with_text(3, '"scores": {"words"', '"scores": {"wrods"'), "jsonl:3", "wrods", CUT),
    Case("of-other-objectives", with_journal(lambda b: b.replace(b'"items": {"words"', b'"items": {"sums"')), "jsonl:2",
         "the objectives of the run are sums", f"{CUT} line"),
    Case("no-score", with_line(3, scores={}), "jsonl:3", "scores is of nothing", f"{CUT} 2"),
    Case("failed-with-scores", with_line(3, status="failed"), "jsonl:3", "status is failed", f"{CUT} 2"),
    Case("renumbered", with_line(3, iteration=7), "jsonl:3", "0-1 has iteration 7", f"{CUT} 2"),
    Case("same-as-nothing", with_line(3, same_as="9-9"), "jsonl:3", "candidate 9-9 is in no line before", f"{CUT} 2"),
    Case("of-a-newer-version", with_lines(lambda a: (a[0].update(version="9.9"), a[3].update(kind="prune"))), "jsonl:4",
         "swarm '9.9' made this run", "restore it from a copy"),
    Case("nan-score", with_line(3, scores={"words": float("nan")}), "jsonl:3", "NaN is no number", f"{CUT} 2"),
    Case("infinite-time", with_line(3, seconds=float("inf")), "jsonl:3", "Infinity is no number", f"{CUT} 2"),
    Case("beyond-floats", with_text(3, '"elapsed": ', '"elapsed": 1e999, "x": '), "jsonl:3", "finite", f"{CUT} 2"),
    Case("huge-score", with_line(3, examples={"words": [10**400] * 16}), "jsonl:3", "finite numbers", f"{CUT} 2"),
    Case("huge-integer", with_line(3, tokens=10**400), "jsonl:3", "tokens", f"{CUT} 2"),
    Case("too-long-integer", with_text(3, '"tokens": ', '"tokens": ' + "9" * 5000), "jsonl:3", "out of range", CUT),
    Case("score-of-text", with_line(3, examples={"words": ["yes"] * 16}), "jsonl:3", "finite numbers", f"{CUT} 2"),
    Case("negative-time", with_line(3, seconds=-1.0), "jsonl:3", "seconds", f"{CUT} 2"),
    Case("negative-elapsed", with_line(3, elapsed=-1.0), "jsonl:3", "elapsed", f"{CUT} 2"),
    Case("time-goes-back", with_line(3, elapsed=1e9), "jsonl:3", "1e+09 is followed", f"{CUT} 2"),
    Case("unknown-status", with_line(3, status="done"), "jsonl:3", "status", f"{CUT} 2"),
    Case("nested", with_text(3, '"scores": ', f'"scores": {DEEP}'), "jsonl:3", "recursion limit", f"{CUT} 2"),
    Case("binary-journal", with_journal(lambda b: bytes(range(128, 256)) * 9), "jsonl:1", "not begin", "start a new"),
    Case("binary-line", with_journal(lambda b: b + bytes(range(128, 256)) + b"\n"), "jsonl:41", "expected", CUT),
    Case("utf-16-journal", with_journal(lambda b: b.decode().encode("utf-16")), "jsonl:1", "UTF-16", "start a new run"),
    Case("latin-1-journal", with_journal(lambda b: b.replace(b'"worker": "', b'"worker": "\xfc', 1)), "jsonl:2",
         "unicode", "cut it to its first line"),
    Case("empty-journal", with_journal(lambda b: b""), "run", "nothing has been scored", "swarm resume"),
    Case("exported-edited-score", exported(with_line(3, scores={"words": 0.99})), "jsonl:3", "scores.words", CUT),
    Case("lost-line-of-a-stopped-run", lost_line_of_a_stopped_run, "journal.jsonl", "candidate 0-2 has no line",
         "cut off the line of candidate 1-0"),
]  # fmt: skip
AGAIN = "remove it, then swarm resume"
SUMMARIES = [
    Case("lost-line", with_lines(lambda a: a.remove(_searched(a))), "summary.json", "counts.evaluations is 16", BACK),
    Case("summary-of-another-run", with_entry("best", "id", value="77-7"), "summary.json", "'77-7'", BACK),
    Case("empty-summary", with_summary(lambda b: b""), "summary.json", "not valid JSON", AGAIN),
    Case("summary-in-utf-16", with_summary(lambda b: b.decode().encode("utf-16")), "summary.json", "not valid", AGAIN),
    Case("nested-summary", with_summary(lambda b: DEEP.encode()), "summary.json", "nested too deeply", AGAIN),
    Case("list-as-summary", with_summary(lambda b: b"[]"), "summary.json", "not a summary", AGAIN),
    Case("summary-without-best", with_entry("best", value=...), "summary.json", "best", AGAIN),
    Case("summary-without-counts", with_entry("counts", value=...), "summary.json", "counts", AGAIN),
    Case("text-as-score", with_entry("best", "test", "mean", value="good"), "summary.json", "best.test", AGAIN),
    Case("infinite-score", with_summary(lambda b: b.replace(b'"mean": ', b'"mean": 1e999, "x": ', 1)), "summary.json",
         "finite", AGAIN),
    Case("nan-in-summary", with_summary(lambda b: b.replace(b'"mean": ', b'"mean": NaN, "x": ', 1)), "summary.json",
         "NaN", AGAIN),
    Case("exported-list-as-summary", exported(with_summary(lambda b: b"[]")), "summary.json", "not a summary", AGAIN),
]  # fmt: skip
CASES = [*JOURNALS, *SUMMARIES]
