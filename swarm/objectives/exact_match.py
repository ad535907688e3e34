"""The answer is extracted from the text that the model writes, and must equal the right one: "15" is not "5"."""

import math
import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.core.settings import Settings
from swarm.objectives.base import SURROGATE_DIGITS, Scored, generated
from swarm.objectives.extraction import EXTRACTIONS, FORMS, same
from swarm.objectives.generating import GeneratingObjective


class Pattern(Settings):
    """A regular expression of the user's. The answer is what its one group holds in the last match."""

    pattern: str

    @field_validator("pattern")
    @classmethod
    def _one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression ({error})") from None
        if groups != 1:
            raise ValueError(f"{value!r} has {groups} groups; put one around the answer, others as (?:...)")
        return value

    def find(self, written: str) -> str:
        found = re.findall(self.pattern, written)
        return str(found[-1]) if found else ""


class ExactMatch(GeneratingObjective):
    """Score: 1 or 0. Where an example has choices, the key and the text of the right one both count as right.

    `after_hash`, `boxed` and `last_number` are applied to the example's own `answer` too, which may thus hold a worked
    solution.
    """

    type: Literal["exact_match"] = "exact_match"
    metric: Literal["accuracy"] = "accuracy"
    extract: Literal["all", "first_line", "last_number", "after_hash", "boxed", "letter"] | Pattern = Field(
        "all", description="how the answer is extracted: one of these names, or {pattern: a regex with one group}"
    )
    ignore_case: bool = False

    @property
    def range(self) -> tuple[float, float]:
        return 0.0, 1.0

    def check(self, example: Example) -> None:
        """Also refuses an answer that no text of the model could match."""
        super().check(example)
        problems = [self._problem(answer) for answer in self._right(example)]
        if all(problems):
            raise self.refusal(example, problems[0])

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        answer = generated(answers)
        found = self._find(answer.text)
        right = any(same(found, each, self.ignore_case) for each in self._right(example))
        if answer.margin is None:
            return Scored(float(right), answer.text)
        # A right answer may differ from its targets, and a target may be cut: the score decides the sign.
        margin = abs(answer.margin) if right else -abs(answer.margin)
        surrogate = round(_log_sigmoid(margin), SURROGATE_DIGITS)
        return Scored(float(right), answer.text, surrogate=surrogate, margin=margin)

    def targets(self, example: Example) -> tuple[str, ...]:
        """The right answers, with and without a leading space. None where a model may write more before its answer."""
        if self.extract not in ("all", "first_line"):
            return ()
        right = self._right(example)
        return (*right, *(f" {answer}" for answer in right))

    def _problem(self, right: str) -> str:
        """Why no text of the model can give this right answer; empty if one can."""
        if any(stop in right for stop in self.stop):
            return f"answer {right!r} contains a stop text; change stop, e.g. stop: []"
        if isinstance(self.extract, Pattern) or same(self._find(FORMS.get(self.extract, "{}").format(right)), right):
            return ""
        return f"answer {right!r} is never found by extract: {self.extract}; change the answer or extract"

    def _find(self, written: str) -> str:
        return self.extract.find(written) if isinstance(self.extract, Pattern) else EXTRACTIONS[self.extract](written)

    def _right(self, example: Example) -> list[str]:
        answers = [example.answer, example.choices[example.answer]] if example.choices else [example.answer]
        if self.extract in ("after_hash", "boxed", "last_number"):
            return [self._find(answer) or answer for answer in answers]
        return answers


def _log_sigmoid(margin: float) -> float:
    return min(margin, 0.0) - math.log1p(math.exp(-abs(margin)))
