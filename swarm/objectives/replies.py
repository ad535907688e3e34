"""What objectives share that read what the model writes as a reply to the user, without a right answer."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.objectives.base import generated
from swarm.objectives.extraction import without_thinking
from swarm.objectives.generating import GeneratingObjective, check_thinking


class ReplyObjective(GeneratingObjective):
    """One text an example. Examples may be without an answer. Objectives with the same settings of the generation over
    the same examples have it written once.
    """

    max_new_tokens: int = Field(64, ge=1, description="the most tokens that the model generates")
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field((), description="texts that end the generation")
    strip_thinking: bool = Field(
        False, description="leave out <think>...</think> before the reply is read; unfinished, the reply is empty"
    )
    needs_answer: ClassVar[bool] = False
    shares_requests: ClassVar[bool] = True

    @model_validator(mode="after")
    def _thinking_may_have_lines(self) -> Self:
        if self.strip_thinking:
            check_thinking(self.stop)
        return self

    @property
    def range(self) -> tuple[float, float]:
        return 0.0, 1.0

    def reply(self, answers: Sequence[Answer]) -> str:
        """What the user is told."""
        text = generated(answers).text
        return without_thinking(text) if self.strip_thinking else text


def user_text(example: Example) -> str:
    """The user's own words: the last turn of the user, or the whole prompt where it is a text."""
    if isinstance(example.prompt, str):
        return example.prompt
    return next((turn.content for turn in reversed(example.prompt) if turn.role == "user"), "")
