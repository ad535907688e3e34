"""What objectives share that extract an answer from what the model writes and compare it with the right one."""

import re
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.core.settings import Settings
from swarm.objectives.base import generated
from swarm.objectives.extraction import HOW, Extraction, same, without_thinking
from swarm.objectives.generating import GeneratingObjective, check_thinking

# Extractions whose rules changed after the first version.
REGRADED = ("after_hash", "boxed", "last_number", "letter")
INSTEAD = ("boxed", "after_hash", "last_number", "all")  # extractions that may keep what another cuts


class Pattern(Settings):
    """A regular expression of the user's. The answer is what its one group holds in the last match."""

    pattern: str

    @field_validator("pattern")
    @classmethod
    def _one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression ({error}); correct it") from None
        if groups != 1:
            raise ValueError(f"{value!r} has {groups} groups; put one around the answer, others as (?:...)")
        return value

    def find(self, written: str) -> str:
        found = re.findall(self.pattern, written)
        return str(found[-1]) if found else ""

    def cut(self, answer: str) -> str:
        """What the pattern finds in a right answer, where that is another: the answer is compared whole."""
        found = self.find(answer)
        return "" if same(found, answer) else found


class ExtractingObjective(GeneratingObjective):
    """One text an example, whose answer is right or wrong. Where an example has choices, the key and the text of the
    right one both count as right.

    `after_hash`, `boxed` and `last_number` are applied to the example's own `answer` too, which may thus hold a worked
    solution.
    """

    metric: str
    extract: Literal["all", "first_line", "last_number", "after_hash", "boxed", "letter"] | Pattern = Field(
        "all", description="how the answer is extracted: one of these names, or {pattern: a regex with one group}"
    )
    ignore_case: bool = False
    strip_thinking: bool = Field(
        False, description="leave out <think>...</think> before the answer is extracted; unfinished, it has no answer"
    )

    def decisive(self) -> dict[str, object]:
        """Also which rules grade: runs of versions that graded otherwise are not resumed with two kinds of scores."""
        rules = {"grading": 2} if self.extract in REGRADED else {}
        return {**super().decisive(), **rules}

    @model_validator(mode="after")
    def _thinking_may_have_lines(self) -> Self:
        if self.strip_thinking:
            check_thinking(self.stop)
        return self

    def check(self, example: Example) -> None:
        """Also refuses an answer that is cut, or that no text of the model could match."""
        super().check(example)
        twin = next((key for key, text in (example.choices or {}).items() if text.strip() == example.answer), None)
        if twin not in (None, example.answer):
            raise self.refusal(
                example, f"answer {example.answer!r} is a key, and the text of choice {twin}; rename the keys"
            )
        for answer in _written(example):
            if kept := self._how.cut(answer):
                raise self.refusal(
                    example, f"answer {_shown(answer)} is cut to {kept!r} by {self._named()}; {self._instead(answer)}"
                )
        problems = [self._problem(answer) for answer in self._right(example)]
        if all(problems):
            raise self.refusal(example, problems[0])

    def notes(self, examples: Sequence[Example]) -> list[str]:
        """Worked solutions that would score 0 themselves, were a model to write them: a stop text ends them early."""
        failing = [each for each in examples if self._reads_solutions and self._ended_early(each)]
        if not failing:
            return []
        stop = next(stop for stop in self.stop if stop in failing[0].answer)
        return [
            f"{self.name}: {len(failing)} of {len(examples)} solutions would score 0 themselves (that of example "
            f"{failing[0].id}): stop {stop!r} ends the text before the answer; set stop: [], and max_new_tokens for a "
            "whole solution"
        ]

    def found(self, example: Example, answers: Sequence[Answer]) -> str:
        return self._find(generated(answers).text)

    def right(self, example: Example) -> tuple[str, ...]:
        return tuple(self._right(example))

    def targets(self, example: Example) -> tuple[str, ...]:
        """The right answers, with and without a leading space. None where a model may write more before its answer."""
        if self.extract not in ("all", "first_line") or self.strip_thinking:
            return ()
        right = self._right(example)
        return (*right, *(f" {answer}" for answer in right))

    def _is_right(self, text: str, example: Example) -> bool:
        found = self._find(text)
        return any(self._how.same(found, each, self.ignore_case) for each in self._right(example))

    def _find(self, text: str) -> str:
        return self._how.find(without_thinking(text) if self.strip_thinking else text)

    def _ended_early(self, example: Example) -> bool:
        """Whether the example's own answer is right, but not up to its first stop text."""
        if not self._how.find(example.answer) or not self._is_right(example.answer, example):
            return False
        ends = [example.answer.find(stop) for stop in self.stop if stop in example.answer]
        return bool(ends) and not self._is_right(example.answer[: min(ends)], example)

    def _problem(self, right: str) -> str:
        """Why no text of the model can give this right answer; empty if one can."""
        if any(stop in right for stop in self.stop):
            return f"answer {_shown(right)} contains a stop text; {self._beyond_stop(right)}"
        if isinstance(self.extract, Pattern) or self._how.same(
            self._how.find(self._how.form.format(right)), right, self.ignore_case
        ):
            return ""
        return f"answer {_shown(right)} is never found by extract: {self.extract}; change the answer or extract"

    def _beyond_stop(self, right: str) -> str:
        name = "after_hash" if "####" in right else "boxed" if "\\boxed" in right else ""
        return f"set stop: [] and extract: {name}" if name else "change stop, e.g. stop: []"

    def _instead(self, answer: str) -> str:
        """The remedy for an answer that is cut: an extraction that keeps it whole."""
        if isinstance(self.extract, Pattern):
            return "give the answer alone, as the group is to find it"
        latex = bool(re.search(r"[\\^_]", answer))
        stop = "" if not any(text in answer for text in self.stop) else " with stop: []"
        for name in INSTEAD if latex else INSTEAD[1:]:
            solved = "####" not in answer if name == "after_hash" else False
            other = self.model_copy(update={"extract": name, "stop": () if stop else self.stop})
            if name != self.extract and not solved and not other._how.cut(answer) and not other._problem(answer):
                compares = "compares it as MATH does" if name == "boxed" else "keeps it whole"
                return f"extract: {name}{stop} {compares}"
        return "give the answer alone"

    def _named(self) -> str:
        return "extract: " + (self.extract if isinstance(self.extract, str) else f"{{pattern: {self.extract.pattern}}}")

    @property
    def _how(self) -> Extraction:
        if isinstance(self.extract, Pattern):
            return Extraction(self.extract.find, cut=self.extract.cut)
        return HOW[self.extract]

    @property
    def _reads_solutions(self) -> bool:
        return self._how.reads_solutions

    def _right(self, example: Example) -> list[str]:
        answers = _written(example)
        return [self._how.find(answer) or answer for answer in answers] if self._reads_solutions else answers


def _written(example: Example) -> list[str]:
    """The right answers as the data give them."""
    if example.choices:
        return [example.answer, example.choices[example.answer]]
    return [example.answer, *example.aliases]


def _shown(answer: str) -> str:
    shown = repr(answer)
    return shown if len(shown) <= 80 else shown[:77] + "..."
