"""What an objective is: it turns an example into requests, and their answers into a score.

Promises:
- Higher is better; where `direction` says lower, `signed_scores` turns the scores round.
- A score depends on the example and the answers alone, and lies in `range`.
- `requests` gives the same requests in the same order whenever it is given the same example.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from swarm.core.errors import EvaluationError
from swarm.core.examples import Example
from swarm.core.floors import Floor
from swarm.core.requests import Answer, Likelihood, Request, Text
from swarm.core.settings import Settings

SURROGATE_DIGITS = 6  # of a surrogate score, so that it is the same when it is read back from the journal


@dataclass(frozen=True)
class Scored:
    """One example's score.

    output: what the model said, for reports.
    surrogate: a smooth value that rises with the score, such as a log-likelihood, where there is one. Racing compares
        candidates by it. Rounded to SURROGATE_DIGITS.
    margin: how far a right-or-wrong answer is from the other side, in any unit: at least 0 where it is right, at most
        0 where it is wrong. Where every example has one, an optimizer may climb the smoothed score.
    """

    score: float
    output: str
    surrogate: float | None = None
    margin: float | None = None

    @property
    def negated(self) -> "Scored":
        """With the sign changed. A margin is of right and wrong answers, which negated scores are not."""
        return Scored(-self.score, self.output, None if self.surrogate is None else -self.surrogate)


class Objective(Settings, ABC):
    """The settings that all objectives share, and what each of them does."""

    name: str = Field(min_length=1, description="its name in scores and reports")
    type: str
    data: str | Mapping[str, str] | None = Field(
        None, description="a data file, or one per split: {search: ..., select: ..., test: ...}"
    )
    weight: float = Field(
        1.0, ge=0, description="its share in the weighted mean that a search maximises; 0: it is only scored"
    )
    direction: Literal["higher", "lower"] = Field(
        "higher",
        description="which scores are better; where lower ones are, all scores are shown with the sign changed",
    )
    floor: float | str | None = Field(
        None,
        description="the least mean score that what is delivered may have (where lower is better: the most): a number,"
        ' or counted from the base, such as "base - 0.02"',
    )
    reference: float | None = Field(
        None,
        description="the score from which gains count, for fronts and rules of choice; none: the baselines' lowest",
    )
    only_tasks: tuple[str, ...] = Field(
        (), description="only the examples of these tasks, of those that the splits deal to it; empty: all of them"
    )
    chat: bool = Field(False, description="wrap the prompt in the tokenizer's chat template")

    # Fields that earlier versions did not have: at their defaults they are left out of a run's fingerprint, so that
    # runs of those versions can be resumed.
    added_later: ClassVar[frozenset[str]] = frozenset()

    @field_validator("floor")
    @classmethod
    def _readable(cls, floor: float | str | None) -> float | str | None:
        if floor is not None:
            Floor.read(floor)
        return floor

    # Its keys that hold a path, which counts from the config's folder.
    paths: ClassVar[tuple[str, ...]] = ()

    # Whether its examples must have an answer.
    needs_answer: ClassVar[bool] = True

    # Whether its scores say how a candidate differs from the base, so that a model alone has none.
    compares_with_base: ClassVar[bool] = False

    # Whether a request that another such objective makes too, for an example of the same slice, is answered once.
    shares_requests: ClassVar[bool] = False

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest score that an example can have. Racing relies on them."""
        return -math.inf, math.inf

    @property
    def signed_range(self) -> tuple[float, float]:
        """As `range`, of scores of which higher ones are better."""
        low, high = self.range
        return (low, high) if self.direction == "higher" else (-high, -low)

    @property
    def kept_floor(self) -> Floor | None:
        """Its floor, for scores of which higher ones are better."""
        found = None if self.floor is None else Floor.read(self.floor)
        return found.negated if found and self.direction == "lower" else found

    @property
    def signed_reference(self) -> float | None:
        """Its reference point, for scores of which higher ones are better."""
        return -self.reference if self.reference is not None and self.direction == "lower" else self.reference

    def decisive(self) -> dict[str, object]:
        """The settings that decide scores, for the fingerprint of a run."""
        fields = type(self).model_fields
        later = self.added_later | {"direction", "floor", "only_tasks", "reference"}
        unset = {name for name in later if getattr(self, name) == fields[name].get_default()}
        return self.model_dump(mode="json", exclude={"data"} | unset)

    @property
    def uses_modules(self) -> bool:
        """Whether scoring imports modules of the user's."""
        return False

    def files(self, modules: Path) -> tuple[Path, ...]:
        """The files, beside its data, that its scores depend on. modules: the folder of the user's own modules.

        A run resumes only with the same content of these files, and every node needs them.
        """
        return ()

    def examples(self) -> list[Example] | None:
        """The examples, where it brings its own; None where they are read from `data`. Raises UserError."""
        return None

    @abstractmethod
    def check(self, example: Example) -> None:
        """Raise DataError where the example cannot be scored by this objective."""

    def notes(self, examples: Sequence[Example]) -> list[str]:
        """What the user should know about these examples under these settings, one line each."""
        return []

    @abstractmethod
    def requests(self, example: Example) -> list[Request]:
        """What the engine is asked for this example."""

    @abstractmethod
    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        """The example's score from the answers to its requests, in their order."""

    def score_all(self, answered: Sequence[tuple[Example, Sequence[Answer]]]) -> list[Scored]:
        """The scores of several examples with their answers, in order; one that asks another model may ask together."""
        return [self.score(example, answers) for example, answers in answered]

    def signed_scores(self, answered: Sequence[tuple[Example, Sequence[Answer]]]) -> list[Scored]:
        """As `score_all`, so that higher is better."""
        scored = self.score_all(answered)
        return scored if self.direction == "higher" else [each.negated for each in scored]

    def found(self, example: Example, answers: Sequence[Answer]) -> str:
        """What is compared with the right answer, for people: what was extracted, or the key that was picked."""
        return self.score(example, answers).output

    def right(self, example: Example) -> tuple[str, ...]:
        """What counts as right, for people."""
        return (example.answer, *example.aliases)

    def compared(self, example: Example, answers: Sequence[Answer]) -> dict[str, float]:
        """Key of a choice -> the value by which choices are compared, for people; empty where none are."""
        return {}


def likelihoods(answers: Sequence[Answer], expected: int) -> list[Likelihood]:
    """The answers to `expected` continuations. Raises EvaluationError where a log-likelihood is not finite."""
    found = [answer for answer in answers if isinstance(answer, Likelihood)]
    assert len(found) == len(answers) == expected, f"{expected} likelihoods asked for, got {answers}"
    for answer in found:
        assert answer.n_tokens > 0, "a continuation has at least one token"
        if not math.isfinite(answer.log_likelihood):
            raise EvaluationError(f"the model's log-likelihood is {answer.log_likelihood}: its weights overflow")
    return found


def generated(answers: Sequence[Answer]) -> Text:
    """The answer to the one generation that was asked for."""
    (answer,) = answers
    assert isinstance(answer, Text), f"a text was asked for, got {answer}"
    return answer
