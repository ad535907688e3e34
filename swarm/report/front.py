"""The front of a run and its floors, as the report shows them: members, their groups, and the decision.

Shape suffixes: N candidates, K objectives.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swarm.core.dominance import non_dominated
from swarm.core.space import Array
from swarm.core.terminal_text import shortened
from swarm.journal.front_summary import FloorKept, FrontSummary, Member
from swarm.journal.front_words import bound_words, is_baseline, member_name
from swarm.journal.summary import Best, Coefficients, Summary
from swarm.preferences.reading import written_rule
from swarm.report.coefficients import NAMED
from swarm.report.read_journal import Journal
from swarm.report.score_table import kind_of
from swarm.report.words import capital, signed

DECISIONS = "decisions.jsonl"
SHOWN_SPLITS = ("select", "test")


@dataclass(frozen=True)
class MemberRow:
    """One member as a row, and as a mark or a line of the figures.

    name: "12-3", "expert maths", "base".
    kind: how it is drawn: "best" for the chosen one and every other that was searched, else the kind of baseline.
    coefficients: in short; "" for a baseline, whose name says them.
    chosen: whether it was delivered.
    """

    member: Member
    name: str
    kind: str
    coefficients: str
    chosen: bool

    @property
    def dominated_by(self) -> str:
        return _short_name(self.member.dominated_by) if self.member.dominated_by else ""

    def floor(self, objective: str) -> FloorKept | None:
        return self.member.floors.get(objective)

    @property
    def worst_group(self) -> str:
        """The group with the lowest utility; "" without groups."""
        return min(self.member.groups, key=lambda name: self.member.groups[name], default="")


@dataclass(frozen=True)
class Decision:
    """A choice that was made after the search, without an evaluation.

    action: what it was made for. how: the rule, the weights or the groups that decided. inputs: what was compared.
    """

    time: str
    action: str
    how: str
    inputs: str
    candidate: str
    by: str


@dataclass(frozen=True)
class FrontRows:
    """What figures and tables of a front show.

    rows: the chosen one, then those that none dominates, then the dominated ones.
    floors: objective -> its floor as a score; a floor that counts from the base is added to the base's select score.
    observed: scores on the search split of the observed front, a tuple for each candidate: KO values by objective.
    """

    front: FrontSummary
    rows: tuple[MemberRow, ...]
    floors: Mapping[str, float]
    observed: tuple[tuple[float, ...], ...]

    def bound(self, objective: str, kept: FloorKept) -> str:
        """The lower bound as the floor is given: a score, or what is added to the base's."""
        return bound_words(self.front.floors[objective], kept)

    def utility(self, row: MemberRow, group: str) -> str:
        found = row.member.groups.get(group, math.nan)
        return signed(found, ".3f") if math.isfinite(found) else "–"

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for row in self.rows for name in row.member.groups))

    @property
    def grouped(self) -> tuple[MemberRow, ...]:
        """The rows of the table of groups: the chosen one and those that none dominates."""
        return tuple(row for row in self.rows if row.member.groups and (row.chosen or not row.dominated_by))


def front_rows(journal: Journal, summary: Summary) -> FrontRows | None:
    """None where the run has no front and no floors."""
    front = summary.front
    if front is None:
        return None
    rows = [_row(member, summary.best) for member in front.members]
    return FrontRows(
        front=front,
        rows=tuple(sorted(rows, key=lambda row: (not row.chosen, bool(row.dominated_by)))),
        floors={name: _floor(front, name, floor) for name, floor in front.floors.items()},
        observed=observed_front(journal, front.objectives) if front.apart else (),
    )


def observed_front(journal: Journal, objectives: tuple[str, ...]) -> tuple[tuple[float, ...], ...]:
    """Scores on the search split of the candidates that no other dominates there, one tuple each."""
    scored_NK = search_scores(journal, objectives)
    kept = scored_NK[non_dominated(scored_NK)] if len(scored_NK) else scored_NK
    return tuple(tuple(float(value) for value in row) for row in kept)


def search_scores(journal: Journal, objectives: tuple[str, ...]) -> Array:
    """Scores of every full evaluation of the search in the journal's order, NK; NaN where one failed or was stopped."""
    rows = [
        [line.scores.get(name, math.nan) if line.status == "ok" else math.nan for name in objectives]
        for line in journal.searched
        if not line.repeated
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(objectives))


def decisions(run_dir: Path) -> tuple[Decision, ...]:
    """The choices that were made after the search, in order; a line that cannot be read is passed over."""
    try:
        lines = (run_dir / DECISIONS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(found for line in lines if (found := _decision(line)))


def _decision(line: str) -> Decision | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or "candidate" not in content:
        return None
    said = {name: _text(content.get(name, "")) for name in ("time", "action", "inputs", "candidate", "by")}
    return Decision(how=_how(content), **said)


def _how(content: Mapping[str, object]) -> str:
    """The rule, else the preference of a dial, else the groups that the candidate serves."""
    if rule := content.get("rule"):
        return written_rule(rule) if isinstance(rule, dict) else _text(rule)
    found = content.get("preference") or content.get("cluster") or ""
    if isinstance(found, dict):
        return _text(", ".join(f"{name}={share}" for name, share in found.items()))
    return _text(", ".join(map(str, found)) if isinstance(found, list) else found)


def _text(value: object) -> str:
    return shortened(value if isinstance(value, str) else json.dumps(value), 400)


def _row(member: Member, best: Best) -> MemberRow:
    kind = kind_of(member.id) if is_baseline(member.id) else "best"
    return MemberRow(
        member=member,
        name=capital(_short_name(member.id)),
        kind=kind,
        coefficients=_short(member.coefficients) if kind == "best" else "",
        chosen=member.id == best.id,
    )


def _short(found: Coefficients) -> str:
    """ "maths 1.26, code 0.80"; of more than NAMED the largest by magnitude, and how many more there are."""
    values = {f"{e}{f' ({g})' if g else ''}": value for e, groups in found.items() for g, value in groups.items()}
    shown = list(values) if len(values) <= NAMED else sorted(values, key=lambda name: -abs(values[name]))[:NAMED]
    more = f", and {len(values) - NAMED} smaller" if len(values) > NAMED else ""
    return ", ".join(f"{name} {signed(values[name], 'z.2f')}" for name in shown) + more


def _short_name(id: str) -> str:
    return member_name(id).removeprefix("candidate ").removeprefix("the ")


def _floor(front: FrontSummary, objective: str, floor: str) -> float:
    """As a score; NaN where it counts from a base that has none."""
    if not floor.startswith("base"):
        return float(floor)
    base = next((member.select for member in front.members if member.id == "base"), None)
    added = float(floor.removeprefix("base").replace(" ", "") or 0)
    return base[objective].mean + added if base and objective in base else math.nan
