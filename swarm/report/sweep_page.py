"""Writes what a sweep found: `sweep.json`, `sweep.csv` and `sweep.html`, one self-contained page."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from swarm.core.files import write_json, write_text
from swarm.journal.by_objective import nan_as_null
from swarm.report.figures.svg import Figure
from swarm.report.figures.sweep_curves import Panel, curves_figure
from swarm.report.templating import filled
from swarm.report.words import Unit, count, signed, unit_of
from swarm.statistics.intervals import Difference
from swarm.statistics.sweeps import Crossing, Curve, Row, Sweep


@dataclass(frozen=True)
class SweepPage:
    """What the template shows."""

    run: str
    sweep: Sweep
    unit: Unit
    objectives: tuple[str, ...]
    experts: tuple[str, ...]
    headline: str
    facts: str
    figures: tuple[Figure, ...]

    def spill(self, expert: str, objective: str) -> Difference | None:
        return self.sweep.spillover.get(expert, {}).get(objective)

    def kind(self, found: Difference | None) -> str:
        """The class of a cell: whether a change is shown, and in which direction."""
        return "" if found is None or found.low <= 0 <= found.high else "rises" if found.low > 0 else "falls"


def write_sweep(folder: Path, sweep: Sweep) -> None:
    """Write the three files, each whole or not at all."""
    write_json(folder / "sweep.json", sweep_content(sweep))
    write_text(folder / "sweep.csv", _csv(sweep))
    write_text(folder / "sweep.html", filled("sweep.html.j2", _page(folder, sweep)))


def sweep_content(sweep: Sweep) -> dict[str, object]:
    """A sweep as plain data."""
    monotonicity: dict[str, dict[str, float | None]] = {}
    for curve in sweep.curves:
        monotonicity.setdefault(curve.expert, {})[curve.objective] = curve.monotonicity
    spillover = {e: {o: asdict(found) for o, found in of.items()} for e, of in sweep.spillover.items()}
    return {
        **sweep.facts,
        "points": [_point(row) for row in sweep.rows],
        "monotonicity": monotonicity,
        "crossings": [asdict(crossing) for crossing in sweep.crossings],
        "spillover": spillover,
        "cosines": sweep.cosines,
        "norms": sweep.norms,
    }


def _point(row: Row) -> dict[str, object]:
    scored = {
        name: {"score": asdict(score), "margin": margin and asdict(margin)}
        for name, (score, margin) in row.scored.items()
    }
    return {"id": row.id, "coefficients": dict(row.coefficients), "objectives": nan_as_null(scored)}


def _csv(sweep: Sweep) -> str:
    """One line per candidate and objective."""
    experts = list(sweep.rows[0].coefficients)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*experts, "objective", "score", "low", "high", "margin", "margin_low", "margin_high", "n"])
    for row in sweep.rows:
        for name, (score, margin) in row.scored.items():
            of_margin = (margin.mean, margin.low, margin.high) if margin else ("", "", "")
            own = (row.coefficients[expert] for expert in experts)
            ends = (score.low, score.high) if score.has_interval else ("", "")
            table.writerow([*own, name, score.mean, *ends, *of_margin, score.n])
    return text.getvalue()


def _page(folder: Path, sweep: Sweep) -> SweepPage:
    objectives = tuple(dict.fromkeys(curve.objective for curve in sweep.curves))
    experts = tuple(dict.fromkeys(curve.expert for curve in sweep.curves))
    unit = unit_of(score for row in sweep.rows for scores in row.examples.values() for score in scores)
    return SweepPage(
        run=folder.resolve().name,
        sweep=sweep,
        unit=unit,
        objectives=objectives,
        experts=experts,
        headline=headline(sweep),
        facts=facts_words(sweep),
        figures=tuple(drawn for expert in experts for drawn in _figures(sweep, expert, unit)),
    )


def headline(sweep: Sweep) -> str:
    """The monotonicity of the clearest curve of each expert, in a sentence."""
    words = []
    for expert in dict.fromkeys(curve.expert for curve in sweep.curves):
        own = [c for c in sweep.curves if c.expert == expert and c.monotonicity is not None]
        if not own:
            words.append(f"{expert} moves nothing")
            continue
        most = max(own, key=reach)
        verb = "raises" if (most.monotonicity or 0) > 0 else "lowers"
        words.append(f"{expert} {verb} {most.objective} (rank correlation {signed(most.monotonicity or 0, '.2f')})")
    return "; ".join(words)


def reach(curve: Curve) -> float:
    """How far the score moves over the range; of equals the one whose margin moves further."""
    scores = [point.score.mean for point in curve.points]
    margins = [point.margin.mean for point in curve.points if point.margin] or [0.0]
    return max(scores) - min(scores) + 1e-6 * math.tanh(max(margins) - min(margins))


def _figures(sweep: Sweep, expert: str, unit: Unit) -> list[Figure]:
    curves = [curve for curve in sweep.curves if curve.expert == expert]
    crossings = [crossing for crossing in sweep.crossings if crossing.expert == expert]
    panels = [_panel(group, curves, crossings) for group in groups(sweep)]
    shown = "Shaded: 95 % intervals. The dotted lines stand at 0, the base, and 1, the expert alone."
    title = f"Scores against the coefficient of {expert}"
    found = [
        curves_figure(title, f"{shown} Circles mark where two curves cross.", panels, unit, margins=False),
        curves_figure(f"Margins against the coefficient of {expert}", shown, panels, unit, margins=True),
    ]
    return [drawn for drawn in found if drawn]


def groups(sweep: Sweep) -> list[list[str]]:
    """The objectives that share their examples, each group by itself."""
    listed = sweep.facts.get("groups")
    known = [list(map(str, each)) for each in listed] if isinstance(listed, Sequence) else []
    objectives = list(dict.fromkeys(curve.objective for curve in sweep.curves))
    return known or [[name] for name in objectives]


def _panel(group: Sequence[str], curves: Sequence[Curve], crossings: Sequence[Crossing]) -> Panel:
    own = tuple(curve for curve in curves if curve.objective in group)
    title, names = _names([curve.objective for curve in own])
    by_name: Mapping[str, Curve] = {curve.objective: curve for curve in own}
    marks = [(c.at, _height(by_name[c.below], c.at)) for c in crossings if {c.below, c.above} <= by_name.keys()]
    return Panel(title, own, tuple(names), tuple(marks))


def _names(objectives: Sequence[str]) -> tuple[str, list[str]]:
    """What the objectives' names have in common, up to a hyphen or underscore, and the rest of each."""
    first = objectives[0]
    cuts = [i + 1 for i, char in enumerate(first) if char in "-_"]
    common = max((i for i in cuts if all(name[:i] == first[:i] and name[i:] for name in objectives)), default=0)
    if len(objectives) == 1 or not common:
        return first if len(objectives) == 1 else "", list(objectives)
    return first[: common - 1], [name[common:] for name in objectives]


def _height(curve: Curve, at: float) -> float:
    """The score at a coefficient, on the straight line between its neighbours."""
    below = max((p for p in curve.points if p.coefficient <= at), key=lambda p: p.coefficient)
    above = min((p for p in curve.points if p.coefficient >= at), key=lambda p: p.coefficient)
    share = (at - below.coefficient) / ((above.coefficient - below.coefficient) or 1.0)
    return below.score.mean + share * (above.score.mean - below.score.mean)


def facts_words(sweep: Sweep) -> str:
    """What was swept, in a line."""
    facts = sweep.facts
    sizes = facts.get("examples")
    examples = sum(sizes.values()) if isinstance(sizes, Mapping) else 0
    words = f"{count(len(sweep.rows), 'candidate')}, {count(examples, 'example')} of the {facts.get('split')} split"
    return f"{words}, base {facts.get('base')}"
