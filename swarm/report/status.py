"""How far the run got, in sentences."""

import shlex
from pathlib import Path

from swarm.journal.front_words import member_name
from swarm.journal.records import StartRecord
from swarm.journal.summary import Best, Summary
from swarm.preferences.reading import written_rule
from swarm.report.read_journal import Journal
from swarm.report.words import REASONS, Unit, baseline_name, capital, count


def is_finished(summary: Summary | None) -> bool:
    """Whether the best is chosen and was scored on test."""
    return summary is not None and summary.best.test is not None


def resume_command(summary: Summary | None, run_dir: Path, at_work: bool) -> str:
    """How to continue an unfinished run; "" for a finished one, and for one that a process is at work on."""
    return "" if summary or at_work else f"swarm resume {shlex.quote(str(run_dir.resolve()))}"


def later_notes(run_dir: Path) -> tuple[str, ...]:
    """Where the notes of an unfinished run are that its journal does not hold."""
    config = shlex.quote(str(run_dir.resolve() / "config.yaml"))
    return (f"notes on the experts' bases and on the budget come with the result; swarm check {config} shows them now",)


def reproduce_command(start: StartRecord) -> str:
    """How to run the same again, in the folder of the report."""
    known = f" --continue-from {shlex.quote(start.continued.run)}" if start.continued else ""
    return f"swarm search config.yaml{known}"


def state(
    journal: Journal, summary: Summary | None, best: Best | None, units: dict[str, Unit], at_work: bool
) -> tuple[str, ...]:
    """What a reader must know before the figures. at_work: whether a process is scoring candidates now."""
    if summary:
        untested = "Unfinished: the best is chosen, but has no score on the test split."
        return (*(() if is_finished(summary) else (untested,)), *_source(summary), *_reopened(summary))
    made = sum(not line.repeated for line in journal.evaluations)
    found = [f"{'Running' if at_work else 'Unfinished'}: {count(made, 'evaluation')} so far."]
    found += _phase(journal, at_work)
    if best is None:
        return (*found, "No candidate has a score yet.")
    scores = (
        f"{units[name].score(score.mean)} on {count(score.n, 'search example')}{_of(name, journal)}"
        for name, score in best.scores["search"].items()
    )
    bias = "That score is biased upwards: the search chose the best by these same examples."
    tested = "There is no verdict before the test is whole." if journal.tests else "Nothing has been tested."
    return (*found, f"The best on search so far ({best.id}) has {', '.join(scores)}.", bias, tested)


def choices(summary: Summary | None, searched: Best | None) -> tuple[str, ...]:
    """How the composed expert and the uniform weights were chosen, as sentences.

    searched: the best on the search split.
    """
    if summary is None:
        return ()
    found: list[str] = []
    best = summary.best
    if summary.front and summary.front.apart:
        front = summary.front
        by = f"by the rule {written_rule(front.rule)}" if front.kept else "as the nearest to keeping the floors"
        found.append(f"{capital(member_name(best.id))} was chosen {by}.")
    elif best.source == "search":
        is_other = searched is not None and _is_higher(searched, best)
        other = f"; the best on search was {searched.id}" if searched and is_other else ""
        found.append(f"The composed expert is candidate {best.id}, chosen by search and select scores{other}.")
    if summary.uniform_words:
        found.append(f"{capital(summary.uniform_words)}.")
    return tuple(found)


def _is_higher(one: Best, other: Best) -> bool:
    """Whether its search score is higher, in any objective."""
    theirs = other.search or {}
    return any(name in theirs and score.mean > theirs[name].mean for name, score in (one.search or {}).items())


def _phase(journal: Journal, at_work: bool) -> tuple[str, ...]:
    """What is going on, or was when a run that is stopped wrote its journal's last line."""
    is_, has = ("is", "has") if at_work else ("was", "had")
    if "search" not in journal.ends:
        return (f"It {is_} searching.",) if journal.evaluations else (f"It {has} not begun to search.",)
    finalists = len({line.id for line in journal.selects if line.split == "select"})
    reason = REASONS.get(journal.ends["search"], f"it ended ({journal.ends['search']})")
    over = f"The search is over: {reason}. {count(finalists, 'candidate')} scored on the select split."
    if "select" not in journal.ends:
        return (over, f"It {is_} selecting.")
    chosen = f"Selected: {journal.ends['select']}."
    return (over, chosen, f"It {is_} testing: {count(len(journal.tests), 'candidate')} scored on the test split.")


def _reopened(summary: Summary) -> tuple[str, ...]:
    return (summary.reopened,) if summary.reopened else ()


def _source(summary: Summary) -> tuple[str, ...]:
    """Why a baseline is the best, where no verdict says so."""
    if summary.best.source == "search" or summary.verdict or summary.front:
        return ()
    than = baseline_name(summary.best.source)
    return (f"No searched weighting did better than {than} in the selection, so the result is {than}.",)


def _of(objective: str, journal: Journal) -> str:
    return f" of {objective}" if len(journal.objectives) > 1 else ""
