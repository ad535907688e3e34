"""`summary.json` as types; whatever an unfinished run lacks is empty."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from swarm.report.parse import Json, mapping, number, sequence, text, texts, whole
from swarm.statistics.intervals import Difference, Score
from swarm.statistics.verdict import Verdict

T = TypeVar("T")
SPLITS = ("search", "select", "test")


Scores = Mapping[str, Mapping[str, Score]]  # split -> objective -> score
Coefficients = Mapping[str, Mapping[str, float]]  # expert -> group -> coefficient; an ungrouped one has the group ""


@dataclass(frozen=True)
class Best:
    """The result: where it came from ("search" or a baseline's name), what it is, how it scored."""

    id: str
    source: str
    coefficients: Coefficients
    scores: Scores


@dataclass(frozen=True)
class Gain(Difference):
    """Best minus a baseline. corrected: the interval holds for all baselines together; else it stands alone."""

    corrected: bool


@dataclass(frozen=True)
class Summary:
    """Read with `read_summary`. paired: baseline -> objective; optimism and chance: objective -> number.

    verdict: objective -> what may be claimed; older runs have none, and no corrected intervals.
    predicted: objective -> the best's test score as it was foretold.
    """

    best: Best | None
    baselines: Mapping[str, Scores]
    uniform_coefficient: float
    paired: Mapping[str, Mapping[str, Gain]]
    verdict: Mapping[str, Verdict]
    predicted: Mapping[str, Score]
    optimism: Mapping[str, float]
    chance: Mapping[str, float]
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    notes: tuple[str, ...]
    export_check: tuple[int, int] | None


def read_summary(summary: Json, objectives: tuple[str, ...]) -> Summary:
    """With one objective its scores stand bare; with several each is a map from objective to score."""
    baselines = mapping(summary.get("baselines"))

    def each(value: object, read: Callable[[object], T], leaf: str) -> dict[str, T]:
        return _by_objective(value, read, leaf, objectives)

    def scores(value: object) -> Scores:
        splits = mapping(value)
        found = {split: each(splits.get(split), _score, "mean") for split in SPLITS}
        return {split: by_objective for split, by_objective in found.items() if by_objective}

    return Summary(
        best=_best(mapping(summary.get("best")), scores),
        baselines={name: scores(value) for name, value in baselines.items()},
        uniform_coefficient=number(mapping(baselines.get("uniform")).get("coefficient")),
        paired={k: each(v, _gain, "difference") for k, v in mapping(summary.get("paired")).items()},
        verdict=each(summary.get("verdict"), _verdict, "found"),
        predicted=each(summary.get("predicted"), _score, "mean"),
        optimism=each(summary.get("optimism"), number, ""),
        chance=each(summary.get("emergence"), lambda value: number(mapping(value).get("chance")), "newly_right"),
        counts={name: whole(value) for name, value in mapping(summary.get("counts")).items()},
        seconds={name: number(value) for name, value in mapping(summary.get("seconds")).items()},
        versions={name: text(value) for name, value in mapping(summary.get("versions")).items()},
        notes=texts(summary.get("notes")),
        export_check=_check(mapping(summary.get("export_check"))),
    )


def _by_objective(value: object, read: Callable[[object], T], leaf: str, objectives: tuple[str, ...]) -> dict[str, T]:
    """A bare leaf (a number, or a map whose `leaf` is a number) belongs to the only objective."""
    found = mapping(value)
    if isinstance(value, (int, float)) or isinstance(found.get(leaf), (int, float)):
        return {objectives[0]: read(value)} if len(objectives) == 1 else {}
    return {name: read(found[name]) for name in objectives if name in found}


def _best(best: Json, scores: Callable[[object], Scores]) -> Best | None:
    if "id" not in best:
        return None
    coefficients = {name: _groups(value) for name, value in mapping(best.get("coefficients")).items()}
    return Best(text(best["id"]), text(best.get("source", "search")), coefficients, scores(best))


def _groups(value: object) -> Mapping[str, float]:
    if isinstance(value, Mapping):
        return {str(group): number(one) for group, one in value.items()}
    if isinstance(value, (list, tuple)):
        return {str(i): number(one) for i, one in enumerate(sequence(value))}
    return {"": number(value)}


def _check(check: Json) -> tuple[int, int] | None:
    """(n, equal); `equal` may be a plain yes."""
    if not check:
        return None
    return whole(check["n"]), whole(check["n"] if check["equal"] is True else check["equal"])


def _score(value: object) -> Score:
    score = mapping(value)
    low, high = number(score.get("low")), number(score.get("high"))
    return Score(number(score.get("mean")), low, high, whole(score.get("n")))


def _gain(value: object) -> Gain:
    found = mapping(value)
    corrected = mapping(found.get("corrected"))
    interval = corrected or found
    return Gain(
        number(found.get("difference")), number(interval.get("low")), number(interval.get("high")), bool(corrected)
    )


def _verdict(value: object) -> Verdict:
    found = mapping(value)
    return Verdict(bool(found.get("found")), text(found.get("text")))
