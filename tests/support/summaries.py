"""Summaries made up for tests: what a run would write, with the fields that a test is about."""

from swarm.journal.summary import Summary

SCORE = {"mean": 0.8125, "low": 0.75, "high": 0.86, "n": 200}
LEAST: dict[str, object] = {
    "best": {"id": "3-1", "search": SCORE, "select": SCORE, "test": SCORE},
    "baselines": {},
    "paired": {},
    "counts": {"evaluations": 20, "example_evaluations": 400, "tokens": 9000, "failures": 0},
    "seconds": {"total": 10.0, "compose": 1.0, "forward": 6.0, "idle": 2.0, "other": 1.0},
}


def summary_with(**fields: object) -> Summary:
    """The least that a summary holds, and these fields of summary.json."""
    return Summary.model_validate(LEAST | fields)
