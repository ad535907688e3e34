"""How far the run got, in sentences."""

from swarm.journal.summary import Best, Summary
from swarm.report.read_journal import Journal
from swarm.report.words import REASONS, Unit, baseline_name, count

RESUME = "To continue: swarm resume, with this directory."


def is_finished(summary: Summary | None) -> bool:
    """Whether the best is chosen and was scored on test."""
    return summary is not None and summary.best.test is not None


def state(journal: Journal, summary: Summary | None, best: Best | None, units: dict[str, Unit]) -> tuple[str, ...]:
    """What a reader must know before the figures."""
    if summary:
        untested = "Unfinished: the best is chosen, but has no score on the test split."
        return (*(() if is_finished(summary) else (untested,)), *_source(summary))
    made = sum(not line.repeated for line in journal.evaluations)
    found = [f"Unfinished: {count(made, 'evaluation')} so far.", *_phase(journal)]
    if best is None:
        return (*found, "No candidate has a score yet.", RESUME)
    scores = (
        f"{units[name].score(score.mean)} on {count(score.n, 'search example')}{_of(name, journal)}"
        for name, score in best.scores["search"].items()
    )
    bias = "That score is biased upwards: the search chose the best by these same examples. Nothing has been tested."
    return (*found, f"The best so far ({best.id}) has {', '.join(scores)}.", bias, RESUME)


def _phase(journal: Journal) -> tuple[str, ...]:
    if "search" not in journal.ends:
        return ()
    finalists = len({line.id for line in journal.selects if line.split == "select"})
    reason = REASONS.get(journal.ends["search"], f"it ended ({journal.ends['search']})")
    return (f"The search is over: {reason}. {count(finalists, 'candidate')} scored on the select split.",)


def _source(summary: Summary) -> tuple[str, ...]:
    """Why a baseline is the best, where no verdict says so."""
    if summary.best.source == "search" or summary.verdict:
        return ()
    than = baseline_name(summary.best.source)
    return (f"No searched weighting did better than {than} on the select split, so {than} is the result.",)


def _of(objective: str, journal: Journal) -> str:
    return f" of {objective}" if len(journal.objectives) > 1 else ""
