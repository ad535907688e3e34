"""What an objective is: it turns an example into requests, and their answers into a score.

Promises: higher is better; the score depends on the example and the answers alone and lies in `range`; no torch.
`requests` always gives the same number and order of requests for the same example.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from swarm.core.examples import Example
from swarm.core.requests import Answer, Request
from swarm.core.settings import Settings

GUIDE_DIGITS = 6


@dataclass(frozen=True)
class Scored:
    """One example's score and, to read it by, what the model said.

    guide: a smooth value that rises with the score (a log-likelihood), where there is one: racing tells candidates
    apart by it. Rounded, so that it is the same once it was written down.
    margin: how far a right-or-wrong answer is from tipping over, in any unit: never below zero where it is right, never
    above where it is wrong. Where every example has one, an optimizer may climb the softened score.
    """

    score: float
    output: str
    surrogate: float | None = None
    margin: float | None = None


class Objective(Settings, ABC):
    """Settings shared by all objectives, and the two functions."""

    name: str = Field(description="its name in scores and reports")
    type: str
    data: str | Mapping[str, str] | None = Field(
        None, description="a data file, or one a split: {search: ..., select: ..., test: ...}"
    )
    weight: float = Field(1.0, gt=0, description="its share in the weighted mean that a search maximises")
    chat: bool = Field(False, description="wrap the prompt in the tokenizer's chat template")

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest score that an example can have: what a race can rely on."""
        return -math.inf, math.inf

    @abstractmethod
    def check(self, example: Example) -> None:
        """Raise DataError where the example cannot be scored by this objective."""

    @abstractmethod
    def requests(self, example: Example) -> list[Request]:
        """What the engine is asked."""

    @abstractmethod
    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        """The example's score from the answers to its requests, in their order."""
