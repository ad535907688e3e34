"""`summary.json` as a type: the result of a run and what it cost, written once and read by all that show it.

Where a run has several objectives, scores, differences and verdicts are maps from objective to value. Where it has one,
the file holds the bare value; read back, it stands under the name "" until `named` gives it the objective's.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from swarm.core.errors import RunError
from swarm.core.examples import Split
from swarm.journal.by_objective import nameless_unwrapped, nan_as_null, nulls_as_nan, unwrapped, wrapped
from swarm.journal.front_summary import FrontSummary
from swarm.journal.records import Continued, Source, first_problem
from swarm.journal.strict_json import read_json
from swarm.statistics.intervals import Difference, Emergence, Score
from swarm.statistics.multiple_comparisons import Interval
from swarm.statistics.verdict import Verdict
from swarm.statistics.wording import uniform_name

T = TypeVar("T")
SPLITS: tuple[Split, ...] = ("search", "select", "test")
SplitScores = Mapping[str, Mapping[str, Score]]  # split -> objective -> score


class SummaryPart(BaseModel):
    """What older versions did not write has a default; what newer ones add is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Gain(SummaryPart):
    """The composed expert minus a baseline on test, by paired examples.

    low, high: the 95 % interval of this comparison alone.
    corrected: the interval that holds for all baselines together; older runs have none.
    """

    difference: float
    low: float
    high: float
    corrected: Annotated[Interval, nulls_as_nan] | None = None

    @property
    def shown(self) -> Difference:
        """The difference with the corrected interval where there is one."""
        interval = self.corrected or self
        return Difference(self.difference, interval.low, interval.high)


Scores = Annotated[Mapping[str, Annotated[Score, nulls_as_nan]], wrapped("mean"), unwrapped]
Gains = Annotated[Mapping[str, Annotated[Gain, nulls_as_nan]], wrapped("difference"), unwrapped]
Verdicts = Annotated[Mapping[str, Verdict], wrapped("found"), unwrapped]
Groups = Annotated[Mapping[str, float], Field(min_length=1), wrapped(), nameless_unwrapped]
Coefficients = Mapping[str, Groups]  # expert -> group -> coefficient; without groups, the group is ""


class Best(SummaryPart):
    """The composed expert, or the baseline that won.

    source: "search", or the baseline's name.
    search, select, test: objective -> score on that split; None where there is none.
    """

    id: str
    source: str = "search"
    coefficients: Coefficients = {}
    search: Scores | None = None
    select: Scores | None = None
    test: Scores | None = None

    @property
    def scores(self) -> SplitScores:
        return _known(self.search, self.select, self.test)


class BaselineScores(SummaryPart):
    """A baseline's scores, as in `Best`.

    coefficient: of the uniform weights, the coefficient of every expert.
    tried: those that were compared on the search split; older runs have none.
    """

    search: Scores | None = None
    select: Scores | None = None
    test: Scores | None = None
    coefficient: float | None = None
    tried: tuple[float, ...] = ()

    @property
    def scores(self) -> SplitScores:
        return _known(self.search, self.select, self.test)


Scored = TypeVar("Scored", Best, BaselineScores)


class RunCounts(SummaryPart):
    """What was run.

    evaluations: positions that the search evaluated.
    stopped: evaluations that racing stopped.
    example_evaluations, tokens: of search, selection and test.
    failures: attempts and candidates that failed.
    """

    evaluations: int
    stopped: int = 0
    example_evaluations: int
    tokens: int
    failures: int


class RunSeconds(SummaryPart):
    """Wall-clock seconds of the run and what an average worker did with them: the other four add up to `total`."""

    total: float
    compose: float
    forward: float
    idle: float
    other: float


class ExportCheck(SummaryPart):
    """The verified export.

    n: examples that it was scored on.
    equal: scores that were the same as in the search.
    differs: the examples on which the export is another model, and not only rounded otherwise.
    """

    n: int
    equal: int
    differs: tuple[str, ...] = ()


class Summary(SummaryPart):
    """The content of summary.json.

    baselines, paired: by the baseline's name.
    verdict: what may be claimed.
    predicted: the predicted test score, made before the test split was opened.
    optimism: the generalisation gap: utility on search minus utility on test.
    emergence: test examples newly right and newly wrong against every source.
    continued: the run that the search continued; None for most.
    front: the front and the floors, where the run has any.
    """

    best: Best
    baselines: Mapping[str, BaselineScores]
    paired: Mapping[str, Gains | None]
    verdict: Verdicts | None = None
    predicted: Scores | None = None
    optimism: float | None = None
    emergence: Emergence | None = None
    counts: RunCounts
    seconds: RunSeconds
    versions: Mapping[str, str] = {}
    seed: int | None = None
    base: Source | None = None
    experts: Mapping[str, Source] = {}
    notes: tuple[str, ...] = ()
    export_check: ExportCheck | None = None
    continued: Continued | None = None
    front: FrontSummary | None = None

    @classmethod
    def read(cls, path: Path) -> "Summary":
        """The summary of a finished run. Raises RunError where there is none, or it is damaged."""
        again = f"swarm resume {path.parent}"
        try:
            content = read_json(path.read_bytes())
        except FileNotFoundError:
            raise RunError(f"{path.parent} holds no {path.name}: the run has not ended; {again}") from None
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}); remove it, then {again}") from None
        except ValueError as error:
            raise RunError(f"{path} is not valid JSON ({error}); remove it, then {again}") from None
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise RunError(f"{path} is not a summary ({first_problem(error)}); remove it, then {again}") from None

    def content(self, keys: Collection[str] | None = None) -> dict[str, Any]:
        """What summary.json holds, or those of its entries that `keys` names."""
        dumped = self.model_dump(mode="json", exclude_unset=True, include=None if keys is None else set(keys))
        return {key: nan_as_null(value) for key, value in dumped.items()}

    @property
    def objectives(self) -> tuple[str, ...]:
        """The names of the objectives; "" for a single one that has none."""
        every: tuple[Best | BaselineScores, ...] = (self.best, *self.baselines.values())
        return next((tuple(scores) for one in every for scores in one.scores.values()), ("",))

    @property
    def gains(self) -> Mapping[str, Mapping[str, Gain]]:
        """Baseline -> objective -> gain; without the baseline that is the best, and those without a test score."""
        return {name: gains for name, gains in self.paired.items() if gains and name != self.best.source}

    @property
    def uniform_words(self) -> str:
        """Which uniform weights are a baseline, and why these; "" where it is not known."""
        found = self.baselines.get("uniform")
        if found is None or found.coefficient is None or len(found.tried) < 2:
            return ""
        return uniform_name(found.coefficient, found.tried)

    @property
    def reopened(self) -> str:
        """What must be said with the test scores where the test split had been opened before; "" where it had not."""
        if self.continued is None or not self.continued.tested:
            return ""
        return (
            f"The test split is no longer untouched: {self.continued.run}, which this search continues, had opened it "
            "before. Its scores may have led to this search, and may be too high."
        )

    @property
    def is_corrected(self) -> bool:
        """Whether the gains' intervals hold for all baselines together."""
        return all(gain.corrected is not None for gains in self.gains.values() for gain in gains.values())

    def named(self, objectives: Sequence[str]) -> "Summary":
        """With the values of a single objective under its name."""
        if len(objectives) != 1:
            return self
        (name,) = objectives
        return self.model_copy(
            update={
                "best": _with_scores_named(self.best, name),
                "baselines": {key: _with_scores_named(one, name) for key, one in self.baselines.items()},
                "paired": {key: _named(one, name) for key, one in self.paired.items()},
                "verdict": _named(self.verdict, name),
                "predicted": _named(self.predicted, name),
            }
        )


def _with_scores_named(one: Scored, name: str) -> Scored:
    return one.model_copy(update={split: _named(scores, name) for split, scores in one.scores.items()})


def _named(values: Mapping[str, T] | None, name: str) -> Mapping[str, T] | None:
    return {name: values[""]} if values and "" in values else values


def _known(search: Scores | None, select: Scores | None, test: Scores | None) -> SplitScores:
    by_split = {"search": search, "select": select, "test": test}
    return {split: scores for split, scores in by_split.items() if scores}
