"""What an objective is: it turns an example into requests, and their answers into a score.

Promises: higher is better; the score depends on the example and the answers alone; no torch.
`requests` always gives the same number and order of requests for the same example.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from swarm.settings import Settings
from swarm.types import Answer, Example, Request


@dataclass(frozen=True)
class Scored:
    """One example's score and, to read it by, what the model said."""

    score: float
    output: str


class Objective(Settings, ABC):
    """Settings shared by all objectives, and the two functions."""

    name: str = Field(description="its name in scores and reports")
    type: str
    data: str | Mapping[str, str] | None = Field(
        None, description="a data file, or one a split: {search: ..., select: ..., test: ...}"
    )
    weight: float = Field(1.0, gt=0, description="its share in the weighted mean that a search maximises")
    chat: bool = Field(False, description="wrap the prompt in the tokenizer's chat template")

    @abstractmethod
    def check(self, example: Example) -> None:
        """Raise DataError where the example cannot be scored by this objective."""

    @abstractmethod
    def requests(self, example: Example) -> list[Request]:
        """What the engine is asked."""

    @abstractmethod
    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        """The example's score from the answers to its requests, in their order."""
