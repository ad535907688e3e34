"""How far the run got, in sentences."""

from swarm.report.read_journal import Journal
from swarm.report.summary import Best, Summary
from swarm.report.words import REASONS, Unit, baseline_name, count

RESUME = "To go on from here: swarm resume, with this directory."


def is_finished(summary: Summary) -> bool:
    """Whether the best stands and was scored on test."""
    return summary.best is not None and "test" in summary.best.scores


def state(journal: Journal, summary: Summary, best: Best | None, units: dict[str, Unit]) -> tuple[str, ...]:
    """What a reader must know before the figures."""
    if is_finished(summary):
        return _origin(summary)
    if summary.best:
        return ("Unfinished: the best is chosen, but has not been scored on the test split yet.", *_origin(summary))
    made = sum(not line.repeated for line in journal.evaluations)
    found = [f"Unfinished: {count(made, 'evaluation')} so far.", *_phase(journal)]
    if best is None:
        return (*found, "No candidate has a score yet.", RESUME)
    scores = (
        f"{units[name].score(score.mean)} on {count(score.n, 'search example')}{_of(name, journal)}"
        for name, score in best.scores["search"].items()
    )
    flattery = "That flatters it: the search chose it by these very examples, and nothing has been tested."
    return (*found, f"The best so far ({best.id}) has {', '.join(scores)}.", flattery, RESUME)


def _phase(journal: Journal) -> tuple[str, ...]:
    if "search" not in journal.ends:
        return ()
    finalists = len({line.id for line in journal.selects if line.split == "select"})
    reason = REASONS.get(journal.ends["search"], f"it ended ({journal.ends['search']})")
    return (f"The search is over: {reason}. {count(finalists, 'candidate')} scored on the select split.",)


def _origin(summary: Summary) -> tuple[str, ...]:
    """Why a baseline is the best, where no verdict says so."""
    if summary.best is None or summary.best.source == "search" or summary.verdict:
        return ()
    than = baseline_name(summary.best.source)
    return (f"No searched weighting did better than {than} on the select split, so {than} is the result.",)


def _of(objective: str, journal: Journal) -> str:
    return f" of {objective}" if len(journal.objectives) > 1 else ""
