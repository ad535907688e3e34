"""The result of a run, as a function of its journal: what summary.json holds."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from swarm import __version__
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.core.recipes import Recipe
from swarm.journal.archive import Archive
from swarm.journal.records import EvaluationRecord, FailureRecord
from swarm.journal.summary import BaselineScores, Best, Gain, RunCounts, RunSeconds, Summary
from swarm.preferences.weighted_sum import utility
from swarm.run.summarise_front import recipe_coefficients
from swarm.search.selection import Selection
from swarm.statistics.intervals import ANY, Emergence, Range, Score, concatenate, emergence, mean_interval
from swarm.statistics.multiple_comparisons import SAME, Comparison, compare
from swarm.statistics.verdict import Verdict, judge
from swarm.statistics.winners_curse import within
from swarm.statistics.wording import unit_of

PACKAGES = ("torch", "transformers", "peft", "ray", "numpy", "safetensors")
# objective -> baseline -> the composed expert minus it; None where one of them has no test score
Compared = Mapping[str, Mapping[str, Comparison | None]]


@dataclass(frozen=True)
class Result:
    """Who won, and what it is made of."""

    selection: Selection
    winner: Candidate
    recipe: Recipe

    @property
    def archive(self) -> Archive:
        return self.selection.archive


def summarise(result: Result) -> Summary:
    """The summary without what only the run knows: its seed, its sources, its notes and the verified export."""
    archive, selection, best = result.archive, result.selection, result.winner
    ranges = selection.ranges
    scale, uniform = selection.uniform()
    baselines = {selection.baselines.base.id: selection.baselines.base}
    baselines |= {candidate.id: candidate for candidate in selection.baselines.experts.values()}
    baselines["uniform"] = uniform
    source = next((name for name, c in baselines.items() if c.position == best.position), "search")
    compared = _compared(archive, selection.weights, best, baselines)
    coordinates = archive.start.coordinates if archive.start else ()
    return Summary(
        best=Best(
            id=best.id,
            source=source,
            coefficients=recipe_coefficients(result.recipe, coordinates, best.position),
            search=scores_at(archive, best, "search", ranges),
            select=scores_at(archive, best, "select", ranges),
            test=scores_at(archive, best, "test", ranges),
        ),
        baselines=_baselines(selection, baselines, scale),
        paired={name: _gains(compared, name) for name in baselines},
        verdict=_verdicts(archive, compared, source, [best, *baselines.values()], _composed(selection)),
        predicted=_predicted(archive, ranges),
        optimism=_generalisation_gap(archive, selection.weights, best),
        emergence=_emergence(archive, selection, best),
        counts=counts(archive),
        seconds=seconds(archive),
        versions=versions(),
    )


def counts(archive: Archive) -> RunCounts:
    records = _costly(archive)
    failed = sum(record.status == "failed" for record in records)
    return RunCounts(
        evaluations=archive.evaluations,
        stopped=sum(record.status == "stopped" for record in records),
        example_evaluations=sum(record.n_examples for record in records),
        tokens=sum(record.tokens for record in records),
        failures=failed + sum(isinstance(record, FailureRecord) for record in archive.records),
    )


def seconds(archive: Archive) -> RunSeconds:
    """Wall-clock seconds, divided by what an average worker did with them; the parts add up to the total."""
    records = _costly(archive)
    ended = archive.ended("search")
    workers = ended.workers if ended else 1
    total = round(archive.elapsed, 3)
    worked = sum(record.seconds for record in records)
    # A resumed run may have had more workers before: they cannot have been busy for longer than the run took.
    average = max(float(workers), worked / total) if total else float(workers)
    compose = sum(record.compose_seconds for record in records) / average
    forward = sum(record.forward_seconds for record in records) / average
    busy = worked / average
    return RunSeconds(total=total, compose=compose, forward=forward, idle=total - busy, other=busy - compose - forward)


def versions() -> dict[str, str]:
    """The versions of Swarm, Python and the packages that a result depends on."""
    found = {"swarm": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _costly(archive: Archive) -> list[EvaluationRecord]:
    """The evaluations that something was run for."""
    return [record for record in archive.scored if not record.repeated]


def _baselines(selection: Selection, candidates: Mapping[str, Candidate], scale: float) -> dict[str, BaselineScores]:
    """scale: the coefficient of every expert in the uniform weights, the best of those that were tried on search."""
    archive, ranges, tried = selection.archive, selection.ranges, tuple(selection.baselines.uniforms)
    found = {
        name: BaselineScores(
            search=scores_at(archive, candidate, "search", ranges),
            select=scores_at(archive, candidate, "select", ranges),
            test=scores_at(archive, candidate, "test", ranges),
        )
        for name, candidate in candidates.items()
    }
    return found | {"uniform": found["uniform"].model_copy(update={"coefficient": scale, "tried": tried})}


def scores_at(
    archive: Archive, candidate: Candidate, split: Split, ranges: Mapping[str, Range]
) -> Mapping[str, Score] | None:
    """Objective -> score with its interval; None where the candidate has no full evaluation on the split.

    ranges: objective -> the lowest and the highest score that there can be.
    """
    evaluation = archive.at(candidate.position, split)
    if evaluation is None or evaluation.status != "ok":
        return None
    return {name: mean_interval(scores, ranges.get(name, ANY)) for name, scores in evaluation.examples.items()}


def _compared(
    archive: Archive, objectives: Iterable[str], best: Candidate, baselines: Mapping[str, Candidate]
) -> Compared:
    """Best minus baseline on the test split."""
    ours = _tested(archive, best)
    others = {name: candidate for name, candidate in baselines.items() if candidate.position != best.position}
    theirs = {name: found for name, candidate in others.items() if (found := _tested(archive, candidate))}
    compared: dict[str, Mapping[str, Comparison | None]] = {}
    for objective in objectives:
        rows = {name: one.examples[objective] for name, one in theirs.items()}
        known = compare(ours.examples[objective], rows) if ours else {}
        same = SAME if ours else None
        compared[objective] = {name: known.get(name) if name in others else same for name in baselines}
    return compared


def _gains(compared: Compared, baseline: str) -> Mapping[str, Gain] | None:
    found = {objective: by_baseline[baseline] for objective, by_baseline in compared.items()}
    if None in found.values():
        return None
    return {name: _gain(one) for name, one in found.items() if one}


def _gain(found: Comparison) -> Gain:
    alone = found.uncorrected
    return Gain(difference=alone.difference, low=alone.low, high=alone.high, corrected=found.corrected)


def _verdicts(
    archive: Archive, compared: Compared, source: str, candidates: Sequence[Candidate], composed: int
) -> Mapping[str, Verdict]:
    """What may be claimed; nothing is said of the baseline that is the best itself."""
    tested = [found for candidate in candidates if (found := _tested(archive, candidate))]
    verdicts = {}
    for objective, by_baseline in compared.items():
        unit = unit_of(value for one in tested for value in one.examples[objective])
        examples = len(tested[0].examples[objective]) if tested else 0
        verdicts[objective] = judge(by_baseline, source, unit, examples, composed)
    return verdicts


def _composed(selection: Selection) -> int:
    """How many positions that are no baseline were scored in full in the search."""
    known = {candidate.position for candidate in selection.baselines.all()}
    return len({each.candidate.position for each in selection.archive.searched() if each.status == "ok"} - known)


def _tested(archive: Archive, candidate: Candidate) -> Evaluation | None:
    found = archive.at(candidate.position, "test")
    return found if found and found.status == "ok" else None


def _predicted(archive: Archive, ranges: Mapping[str, Range]) -> Mapping[str, Score] | None:
    """The prediction that the journal holds, made before the test split was opened, within the scores' range."""
    ended = archive.ended("select")
    if not ended or not ended.predicted:
        return None
    return {name: within(score, *ranges.get(name, ANY)) for name, score in ended.predicted.items()}


def _generalisation_gap(archive: Archive, weights: Mapping[str, float], best: Candidate) -> float | None:
    """The best's utility on the search split minus its utility on the test split."""
    seen, true = archive.at(best.position, "search"), archive.at(best.position, "test")
    if seen is None or true is None or "failed" in (seen.status, true.status):
        return None
    return utility(seen.scores, weights) - utility(true.scores, weights)


def _emergence(archive: Archive, selection: Selection, best: Candidate) -> Emergence | None:
    wanted = [best, selection.baselines.base, *selection.baselines.experts.values()]
    rows = [concatenate(tested.examples) for candidate in wanted if (tested := _tested(archive, candidate))]
    if len(rows) < len(wanted):
        return None
    return emergence(rows[0], rows[1], rows[2:])
