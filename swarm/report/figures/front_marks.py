"""How members of a front are drawn: marks, lines, legends, and the words above a figure of a front."""

from collections.abc import Mapping

from swarm.report.figures import svg
from swarm.report.figures.svg import Key
from swarm.report.front import FrontRows, MemberRow
from swarm.report.words import Unit, count
from swarm.statistics.intervals import Score

KIND_WORDS = {"expert": "expert alone", "uniform": "uniform weights", "base": "base"}
PANELS = ("select", "test")  # of each figure: first the split that chose, then the one that chose nothing


def mark(row: MemberRow, x: float, y: float) -> str:
    """The chosen one is large, a baseline has the shape of its kind, and one that is dominated is faded."""
    drawn = svg.mark(kind_class(row), x, y, 7.0 if row.chosen else 5.0)
    return faded(drawn) if row.dominated_by and not row.chosen else drawn


def faded(drawn: str) -> str:
    return svg.element("g", drawn, class_="faded")


def words(row: MemberRow, split: str, units: Mapping[str, Unit]) -> str:
    """A member with its scores, for the pointer: "3-1: right 88.9 %, other 85.9 %"."""
    scores = [(name, score_of(row, split, name), unit) for name, unit in units.items()]
    return f"{row.name}: " + ", ".join(f"{name} {unit.score(score.mean)}" for name, score, unit in scores if score)


def track_class(row: MemberRow) -> str:
    return "track best" if row.chosen else f"track {kind_class(row)}"


def kind_class(row: MemberRow) -> str:
    return "member" if row.kind == "best" and not row.chosen else row.kind


def score_of(row: MemberRow, split: str, objective: str) -> Score | None:
    found = row.member.select if split == "select" else row.member.test
    return found.get(objective) if found else None


def legend(found: FrontRows, line: bool) -> tuple[Key, ...]:
    """line: members are lines, as in parallel coordinates."""

    def key(kind: str, words: str, track: str = "") -> Key:
        swatch = svg.line(0, 6, 22, 6, track or f"track {kind}") if line else svg.mark(kind, 11, 6, 5)
        return Key(svg.swatch(swatch), words)

    shown = {kind_class(row) for row in found.rows if not row.chosen}
    chosen = next((row for row in found.rows if row.chosen), None)
    keys = [key(chosen.kind, f"delivered: {chosen.name}", track_class(chosen))] if chosen else []
    keys += [key("member", "other members")] if "member" in shown else []
    keys += [key(kind, words) for kind, words in KIND_WORDS.items() if kind in shown]
    if found.observed:
        grey = svg.line(0, 6, 22, 6, "track observed") if line else svg.line(0, 6, 22, 6, "observed")
        keys.append(Key(svg.swatch(grey), "observed front on search"))
    keys.append(Key(svg.swatch(svg.line(0, 6, 22, 6, "reference-point")), "reference point"))
    if found.floors:
        keys.append(Key(svg.swatch(svg.line(0, 6, 22, 6, "floor")), "floor"))
    return tuple(keys)


def title(found: FrontRows) -> str:
    kept = sum(not row.dominated_by for row in found.rows)
    return f"{count(kept, 'member')} that no other dominates, and {len(found.rows) - kept} that are dominated"


def caption(found: FrontRows) -> str:
    parts = ["The select split chose; the test split chose nothing, and says how good the members are."]
    if any(row.dominated_by for row in found.rows):
        parts.append("Faded: dominated with significance on the select split.")
    if any(row.member.test is None for row in found.rows):
        tested = "members that none dominates" if found.front.apart else "delivered one"
        parts.append(f"Only the {tested} and the baselines have a test score.")
    if found.observed:
        parts.append("The observed front is made of the scores that guided the search, which are biased upwards.")
    if any(floor.startswith("base") for floor in found.front.floors.values()):
        parts.append("A floor that counts from the base is drawn from the base’s score on the select split.")
    return " ".join(parts)
