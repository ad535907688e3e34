"""The result of a run as a table for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

Json = Mapping[str, Any]


def summary_table(summary: Json) -> Group:
    """Best and baselines on each split with intervals, what the best gains over each on test, and the verdict.

    The gains' intervals allow for the number of baselines, as the verdict does; those of older runs stand alone.
    """
    table = Table(box=None, pad_edge=False)
    for heading in ("", "search", "select", "test", "95 % interval", "best gains", "corrected interval"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for objective in _objectives(summary["best"]["test"]):
        _add_rows(table, summary, objective)
    return Group(table, Text(_closing(summary)), Text(_verdict(summary), style="bold"))


def _objectives(score: Json | None) -> list[str]:
    """The objectives' names, or one empty name where there is a single objective."""
    return [""] if score is None or "mean" in score else list(score)


def _add_rows(table: Table, summary: Json, objective: str) -> None:
    suffix = f" [{objective}]" if objective else ""
    best = summary["best"]
    table.add_row(Text(f"best ({best['id']}){suffix}", style="bold"), *_cells(best, objective), "", "")
    for name, baseline in summary["baselines"].items():
        label = f"uniform at {baseline['coefficient']:.3g}" if name == "uniform" else name
        itself = name == best.get("source")
        gain = ("", "") if itself else _gain(_of(summary["paired"][name], objective))
        table.add_row(Text(label + suffix), *_cells(baseline, objective), *gain)


def _cells(scores: Json, objective: str) -> list[str]:
    search, select, test = (_of(scores[split], objective) for split in ("search", "select", "test"))
    interval = f"{test['low']:.3f} to {test['high']:.3f}" if test else ""
    return [_mean(search), _mean(select), _mean(test), interval]


def _of(score: Json | None, objective: str) -> Json | None:
    return score[objective] if score is not None and objective else score


def _mean(score: Json | None) -> str:
    return f"{score['mean']:.3f}" if score else "failed"


def _gain(gain: Json | None) -> tuple[str, str]:
    if gain is None:
        return "failed", ""
    interval = gain.get("corrected") or gain
    return f"{gain['difference']:+.3f}", f"{interval['low']:+.3f} to {interval['high']:+.3f}"


def _closing(summary: Json) -> str:
    counts, emergence = summary["counts"], summary["emergence"]
    lines = [f"{counts['evaluations']} evaluations, {counts['failures']} failures, {summary['seconds']['total']:.0f} s"]
    for name, foretold in _by_objective(summary.get("predicted"), "mean").items():
        of, interval = f" {name}" if name else "", f"{foretold['low']:.3f} to {foretold['high']:.3f}"
        lines.append(f"foretold{of} before test was opened: {foretold['mean']:.3f} ({interval})")
    if summary["optimism"] is not None:
        lines.append(f"optimism: the best looked {summary['optimism']:+.3f} better on search than it is on test")
    if emergence:
        lines.append(
            f"emergence: {emergence['newly_right']} of {emergence['n']} test items are right that the base and every "
            f"single expert get wrong, {emergence['newly_wrong']} the other way round"
        )
    return "\n".join(lines)


def _verdict(summary: Json) -> str:
    """What may be claimed, with the minus signs of the table."""
    verdicts = _by_objective(summary.get("verdict"), "found")
    return "\n".join(f"{name}: {found['text']}" if name else found["text"] for name, found in verdicts.items()).replace(
        "−", "-"
    )


def _by_objective(found: Json | None, leaf: str) -> dict[str, Json]:
    """Objective -> what is found; what has the leaf itself is of the only one, which needs no name."""
    if not found:
        return {}
    return {"": found} if leaf in found and not isinstance(found[leaf], Mapping) else dict(found)
