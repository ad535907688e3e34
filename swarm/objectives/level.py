"""Whether the answer of one level is the likeliest of three: one that avoids the query, a generic one, an expert's.

These are the preference rates of alignment vectors (arXiv 2410.19206): the share of queries whose answer of the level
has the highest mean log-likelihood a token.
"""

from collections.abc import Sequence
from pathlib import PurePath
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from swarm.core.examples import LEVELS, Example, Level
from swarm.core.requests import Answer, Continuation, Request
from swarm.objectives.base import SURROGATE_DIGITS, Scored, likelihoods
from swarm.objectives.choosing import log_softmax
from swarm.objectives.prompting import PromptedObjective, continue_with


class LevelRate(PromptedObjective):
    """One continuation a level. Of equally likely answers, the one of the first level counts, so that the rates of the
    three levels add up to one.

    Score: 1 or 0. Objectives of several levels over the same examples ask the model once.
    """

    type: Literal["level"] = "level"
    metric: Literal["rate"] = "rate"
    level: Level = Field("expert", description="whose answer is wanted: avoidance, generic or expert")
    domain: str = Field("", description="what its examples are about; empty: the name of its data file")
    shares_requests: ClassVar[bool] = True

    @property
    def range(self) -> tuple[float, float]:
        return 0.0, 1.0

    @property
    def about(self) -> str:
        """Its domain."""
        data = self.data if isinstance(self.data, str) else (self.data or {}).get("test", "")
        return self.domain or PurePath(data).name.partition(".")[0] or "all"

    def check(self, example: Example) -> None:
        super().check(example)
        choices = example.choices or {}
        if set(choices) != set(LEVELS):
            given = f"its choices are {', '.join(choices)}" if choices else "it has none"
            raise self.refusal(
                example, f"three answers are needed, {given}; give {', '.join(LEVELS)} instead of answer and choices"
            )
        texts = [choices[level].strip() for level in LEVELS]
        for i, text in enumerate(texts):
            if text in texts[:i]:
                first = LEVELS[texts.index(text)]
                raise self.refusal(
                    example, f"{LEVELS[i]} {text[:60]!r} is the same as {first}; give each level an answer of its own"
                )

    def requests(self, example: Example) -> list[Request]:
        prompt = self.prompt(example)
        texts = [continue_with(prompt, text) for text in _texts(example)]
        return [Continuation(prompt, text, self.template_arguments) for text in texts]

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        values_C = np.array(list(self.compared(example, answers).values()))
        wanted, chosen = LEVELS.index(self.level), int(np.argmax(values_C))
        surrogate = round(float(log_softmax(values_C)[wanted]), SURROGATE_DIGITS)
        margin = float(values_C[wanted] - np.delete(values_C, wanted).max())
        return Scored(float(chosen == wanted), _texts(example)[chosen], surrogate, margin)

    def found(self, example: Example, answers: Sequence[Answer]) -> str:
        values = self.compared(example, answers)
        return max(values, key=lambda level: values[level])

    def right(self, example: Example) -> tuple[str, ...]:
        return (self.level,)

    def compared(self, example: Example, answers: Sequence[Answer]) -> dict[str, float]:
        """Level -> mean log-likelihood a token."""
        found = likelihoods(answers, len(LEVELS))
        return {level: each.log_likelihood / each.n_tokens for level, each in zip(LEVELS, found, strict=True)}


def _texts(example: Example) -> list[str]:
    """The answers, in the order of LEVELS."""
    assert example.choices is not None, "check() refuses examples without levels"
    return [example.choices[level] for level in LEVELS]
