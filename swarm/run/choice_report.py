"""What another choice would deliver, and what was chosen before: reports that need no evaluation and no weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from swarm.core.errors import RunError, UserError
from swarm.core.recipes import Recipe, WeightRecipe
from swarm.journal.summary import SPLITS, Summary
from swarm.preferences.base import listed
from swarm.preferences.reading import written_rule
from swarm.report import write_report
from swarm.run.choice import Chosen, Criterion, FinishedFront
from swarm.run.decisions import Decision, append_decisions, decision_by_rule, read_decisions, repeated
from swarm.run.directory import config_path
from swarm.run.lock import locked
from swarm.run.summarise import Result, summarise

SAME, OTHER = "the same", "other: "
NO_RECIPE = Recipe(WeightRecipe("delta", (), {}))  # coefficients are those of the front's member
Means = Mapping[str, Mapping[str, float]]  # split -> objective -> mean score


@dataclass(frozen=True, eq=False)
class ReportedChoice:
    """A choice as a report shows it.

    summary: as if the run had delivered it. delivered: the run's own summary.
    """

    chosen: Chosen
    summary: Summary
    delivered: Summary

    @property
    def objectives(self) -> tuple[str, ...]:
        return self.chosen.front.objectives

    @property
    def compared(self) -> Mapping[str, Means]:
        """The chosen one, then, where that is another one, what the run delivers."""
        found = {f"chosen ({self.summary.best.id})": _means(self.summary)}
        if self.summary.best.id != self.delivered.best.id:
            found[f"delivered ({self.delivered.best.id})"] = _means(self.delivered)
        return found

    def content(self) -> dict[str, object]:
        """For JSON."""
        return {
            "candidate": self.summary.best.id,
            "rule": self.chosen.criterion.rule.model_dump(mode="json", exclude_none=True),
            "compare": self.chosen.compare,
            "inputs": self.chosen.inputs,
            "scores": _means(self.summary),
            "delivered": self.delivered.best.id,
            "delivered_scores": _means(self.delivered),
        }


@dataclass(frozen=True)
class ListedDecision:
    """A recorded choice, and whom it takes today: "the same", another candidate, or why it cannot be made."""

    record: Decision
    repeats: str

    @property
    def how(self) -> str:
        """What chose, in short."""
        if self.record.cluster:
            return f"groups {', '.join(self.record.cluster)}"
        if self.record.preference:
            return f"preference {listed(self.record.preference, self.record.preference.values())}"
        return written_rule(self.record.rule)

    @property
    def path(self) -> str:
        return self.record.exported.path if self.record.exported else ""

    def content(self) -> dict[str, object]:
        return self.record.model_dump(mode="json") | {"today": self.repeats}


def report_choice(folder: Path, criterion: Criterion, by: str = "") -> ReportedChoice:
    """Write the report as if the run had delivered what this chooses, and record the choice. Raises UserError."""
    with locked(folder):
        found = FinishedFront.of(folder)
        chosen = found.chosen(criterion)
        summary = _summary(found, chosen)
        write_report(folder, found.archive.records, summary)
        append_decisions(folder, [decision_by_rule(found, "report", chosen, by)])
    return ReportedChoice(chosen, summary, found.summary)


def listed_decisions(folder: Path) -> list[ListedDecision]:
    """All choices of a run, each made again. Raises RunError where the folder is no run, or a line is damaged."""
    config_path(folder)
    records = read_decisions(folder)
    if not records:
        return []
    try:
        found = FinishedFront.of(folder)
    except RunError as error:
        return [ListedDecision(record, str(error)) for record in records]
    return [ListedDecision(record, _repeats(record, found)) for record in records]


def _repeats(record: Decision, found: FinishedFront) -> str:
    try:
        today = repeated(record, found)
    except UserError as error:
        return str(error)
    if today == record.candidate:
        return SAME
    changed = " (the scores are others)" if record.run.scores != found.fingerprint else ""
    return f"{OTHER}{today}{changed}"


def _summary(found: FinishedFront, chosen: Chosen) -> Summary:
    """The run's summary with another best. What was predicted before the test split was opened is not of this one."""
    before, front = found.summary, found.summary.front
    assert front is not None, "a run with several goals has a summary of them"
    candidate = chosen.candidate
    member = next(each for each in front.members if each.id == candidate.id)
    now = summarise(Result(found.selection, candidate, NO_RECIPE))
    rule = chosen.criterion.rule
    kept = all(floor.kept for floor in member.floors.values())
    note = f"this report shows a choice after the search, by {rule.type}: best/ still holds {before.best.id}"
    changed = {
        "rule": rule.model_dump(mode="json", exclude_none=True), "inputs": chosen.inputs, "kept": kept
    }  # fmt: skip
    return before.model_copy(
        update={
            "best": now.best.model_copy(update={"coefficients": member.coefficients}),
            "paired": now.paired,
            "verdict": now.verdict,
            "predicted": None,
            "optimism": now.optimism,
            "emergence": now.emergence,
            "notes": (note, *before.notes),
            "export_check": None,
            "front": front.model_copy(update=changed),
        }
    )


def _means(summary: Summary) -> Means:
    scores = summary.best.scores
    return {split: {name: score.mean for name, score in scores.get(split, {}).items()} for split in SPLITS}
