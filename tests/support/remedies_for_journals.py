"""What mends journals and summaries that somebody has touched."""

import re
import shutil

from support.bad_inputs import Scene, Words
from support.playground import run_cli
from support.remedies_for_runs import a_new_run, from_a_copy, resumed_before, summary_again
from support.remedy_steps import Remedy, then


def copied_back(*names: str) -> Remedy:
    """Restore files of the run from a copy."""

    def follow(scene: Scene, words: Words) -> Words:
        for name in names:
            shutil.copy(scene.finished / name, scene.run / name)
        return words

    return follow


def cut_as_told(scene: Scene, words: Words) -> Words:
    """Cut the journal to as many lines as the message says, and swarm resume."""
    told = run_cli(*words).err
    number = re.search(r"cut it to its first (?:(\d+) lines|line)", told)
    assert number, told
    journal = scene.run / "journal.jsonl"
    kept = journal.read_bytes().split(b"\n")[: int(number[1] or 1)]
    journal.write_bytes(b"".join(line + b"\n" for line in kept))
    return ["resume", scene.run]


def without_summary(scene: Scene, words: Words) -> Words:
    (scene.run / "summary.json").unlink()
    return words


def cut_off_the_line(scene: Scene, words: Words) -> Words:
    """Cut off the line of the candidate that the message names, and all that follow."""
    told = run_cli(*words).err
    named = re.search(r"the line of candidate (\S+) and all", told)
    assert named, told
    journal = scene.run / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if f'"id": "{named[1]}"' in line)
    journal.write_text("".join(lines[:at]))
    return words


JOURNAL = copied_back("journal.jsonl")
CUT = (
    "torn-in-the-middle", "blank-line", "doubled-line", "doubled-end", "edited-score",
    "lost-example", "fewer-examples", "longer-position", "moved-finalist", "no-score",
    "failed-with-scores", "renumbered", "same-as-nothing", "of-a-newer-version", "nan-score", "infinite-time",
    "beyond-floats", "huge-score", "huge-integer", "too-long-integer", "score-of-text", "negative-time",
    "negative-elapsed", "time-goes-back", "unknown-status", "nested", "binary-line", "latin-1-journal",
    "exported-edited-score",
)  # fmt: skip
NOT_A_JOURNAL = ("two-lines-in-one", "binary-journal", "utf-16-journal")
SUMMARIES = (
    "empty-summary", "summary-in-utf-16", "nested-summary", "list-as-summary", "summary-without-best",
    "summary-without-counts", "text-as-score", "infinite-score", "nan-in-summary", "exported-list-as-summary",
)  # fmt: skip
BOTH = copied_back("journal.jsonl", "summary.json")
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    **dict.fromkeys(CUT, (JOURNAL, cut_as_told)),
    **dict.fromkeys(NOT_A_JOURNAL, (JOURNAL, a_new_run)),
    **dict.fromkeys(SUMMARIES, (summary_again,)),
    "bad_journals/unknown-objective": (JOURNAL, cut_as_told),
    "of-other-objectives": (JOURNAL,),
    "after-the-end": (JOURNAL, then(cut_as_told, without_summary)),
    "reordered": (JOURNAL, cut_as_told),
    "empty-journal": (resumed_before,),
    "lost-line": (BOTH, summary_again),
    "summary-of-another-run": (BOTH, summary_again),
    "lost-line-of-a-stopped-run": (from_a_copy("journal.jsonl"), cut_off_the_line),
}
# A run that is resumed takes a second.
SLOW = frozenset(
    {
        f"{name}-2"
        for name in (
            *CUT,
            "bad_journals/unknown-objective",
            "lost-line",
            "summary-of-another-run",
            "lost-line-of-a-stopped-run",
        )
    }
    | {f"{name}-1" for name in SUMMARIES if name != "empty-summary"}
)
