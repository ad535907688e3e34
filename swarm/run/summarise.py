"""The result of a run, as a function of its journal: what summary.json holds."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from swarm import __version__
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.core.recipes import Recipe
from swarm.journal.archive import Archive
from swarm.journal.records import SCORED, EvaluationRecord
from swarm.preferences.weighted_sum import utility
from swarm.search.selection import Selection
from swarm.statistics.intervals import concatenate, emergence, mean_interval
from swarm.statistics.multiple_comparisons import SAME, Comparison, compare
from swarm.statistics.verdict import judge
from swarm.statistics.wording import unit_of

PACKAGES = ("torch", "transformers", "peft", "ray", "numpy", "safetensors")
SPLITS: tuple[Split, ...] = ("search", "select", "test")
Json = dict[str, object]
Compared = Mapping[str, Mapping[str, Comparison | None]]  # objective -> baseline -> best minus it; None: no test score


@dataclass(frozen=True)
class Result:
    """Who won, with what, and what the run cost."""

    selection: Selection
    winner: Candidate
    recipe: Recipe

    @property
    def archive(self) -> Archive:
        return self.selection.archive


def summarise(result: Result) -> Json:
    """The content of summary.json (export check and sources are added by the run)."""
    archive, selection = result.archive, result.selection
    scale, uniform = selection.uniform()
    baselines = {selection.baselines.base.id: selection.baselines.base}
    baselines |= {candidate.id: candidate for candidate in selection.baselines.experts.values()}
    baselines["uniform"] = uniform
    source = next((name for name, c in baselines.items() if c.position == result.winner.position), "search")
    compared = _compared(archive, selection.weights, result.winner, baselines)
    return {
        "best": {
            "id": result.winner.id,
            "source": source,
            "coefficients": coefficients(result.recipe),
            **_scores(archive, result.winner),
        },
        "baselines": {
            name: {**_scores(archive, candidate), **({"coefficient": scale} if name == "uniform" else {})}
            for name, candidate in baselines.items()
        },
        "paired": {name: _paired(compared, name) for name in baselines},
        "verdict": _verdict(archive, compared, source, [result.winner, *baselines.values()]),
        "predicted": _predicted(archive),
        "optimism": _optimism(archive, selection.weights, result.winner),
        "emergence": _emergence(archive, selection, result.winner),
        "counts": counts(archive),
        "seconds": seconds(archive),
        "versions": versions(),
    }


def coefficients(recipe: Recipe) -> Json:
    """Expert -> its coefficient, or a map from group to coefficient where there are several groups."""
    weights = recipe.weights
    if len(weights.groups) == 1:
        return {name: values[0] for name, values in weights.coefficients.items()}
    return {
        name: {group.name: value for group, value in zip(weights.groups, values, strict=True)}
        for name, values in weights.coefficients.items()
    }


def counts(archive: Archive) -> Json:
    """What was run: candidates of the search, those that a race stopped, examples and tokens, what failed."""
    lines = _run_lines(archive)
    failed = sum(line.status == "failed" for line in lines)
    return {
        "evaluations": archive.evaluations,
        "stopped": sum(line.status == "stopped" for line in lines),
        "example_evaluations": sum(line.n_examples for line in lines),
        "tokens": sum(line.tokens for line in lines),
        "failures": failed + sum(line["kind"] == "failure" for line in archive.lines),
    }


def seconds(archive: Archive) -> Json:
    """Wall-clock seconds, shared out over what an average worker did with them; they add up to the total."""
    lines = _run_lines(archive)
    ended = archive.ended("search")
    workers = ended.workers if ended else 1
    total = round(archive.elapsed, 3)
    worked = sum(line.seconds for line in lines)
    # A resumed run may have had more workers before: they cannot have been busy for longer than the run took.
    average = max(float(workers), worked / total) if total else float(workers)
    compose = sum(line.compose_seconds for line in lines) / average
    forward = sum(line.forward_seconds for line in lines) / average
    busy = worked / average
    return {
        "total": total,
        "compose": compose,
        "forward": forward,
        "idle": total - busy,
        "other": busy - compose - forward,
    }


def versions() -> dict[str, str]:
    """The versions of Swarm, Python and the packages that decide a result."""
    found = {"swarm": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _run_lines(archive: Archive) -> list[EvaluationRecord]:
    """The evaluation lines that cost something."""
    scored = (EvaluationRecord.model_validate(line) for line in archive.lines if line["kind"] in SCORED)
    return [line for line in scored if not line.same_as]


def _scores(archive: Archive, candidate: Candidate) -> Json:
    """Split -> score with interval; with several objectives one such score each."""
    return {split: _score(archive.at(candidate.position, split)) for split in SPLITS}


def _score(evaluation: Evaluation | None) -> object:
    if evaluation is None or evaluation.status != "ok":
        return None
    return _unwrapped({name: asdict(mean_interval(scores)) for name, scores in evaluation.examples.items()})


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


def _paired(compared: Compared, baseline: str) -> object:
    """With the interval that holds for all baselines together beside the baseline's own."""
    found = {objective: by_baseline[baseline] for objective, by_baseline in compared.items()}
    if None in found.values():
        return None
    return _unwrapped(
        {name: {**asdict(one.uncorrected), "corrected": asdict(one.corrected)} for name, one in found.items() if one}
    )


def _verdict(archive: Archive, compared: Compared, source: str, candidates: Sequence[Candidate]) -> object:
    """Whether anything was found; nothing is said of the baseline that is the best itself."""
    tested = [found for candidate in candidates if (found := _tested(archive, candidate))]
    verdicts: dict[str, object] = {}
    for objective, by_baseline in compared.items():
        unit = unit_of(value for one in tested for value in one.examples[objective])
        verdicts[objective] = asdict(judge(by_baseline, source, unit))
    return _unwrapped(verdicts)


def _tested(archive: Archive, candidate: Candidate) -> Evaluation | None:
    found = archive.at(candidate.position, "test")
    return found if found and found.status == "ok" else None


def _predicted(archive: Archive) -> object:
    """What the journal foretold of the best before the test split was opened."""
    ended = archive.ended("select")
    return _unwrapped(ended.predicted) if ended and ended.predicted else None


def _unwrapped(by_objective: Mapping[str, object]) -> object:
    return next(iter(by_objective.values())) if len(by_objective) == 1 else dict(by_objective)


def _optimism(archive: Archive, weights: Mapping[str, float], best: Candidate) -> float | None:
    """How much better the best looked on the search split than it is on the test split."""
    seen, true = archive.at(best.position, "search"), archive.at(best.position, "test")
    if seen is None or true is None or "failed" in (seen.status, true.status):
        return None
    return utility(seen.scores, weights) - utility(true.scores, weights)


def _emergence(archive: Archive, selection: Selection, best: Candidate) -> object:
    wanted = [best, selection.baselines.base, *selection.baselines.experts.values()]
    rows = [concatenate(tested.examples) for candidate in wanted if (tested := _tested(archive, candidate))]
    if len(rows) < len(wanted):
        return None
    found = emergence(rows[0], rows[1], rows[2:])
    return asdict(found) if found else None
