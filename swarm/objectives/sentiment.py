"""Objectives of a reply's sentiment: how warm it is, and how close to the sentiment of what the user wrote.

Both take the compound sentiment of VADER (Hutto & Gilbert 2014), from -1 (most negative) over 0 (neutral) to 1.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.objectives.base import Scored, generated
from swarm.objectives.replies import ReplyObjective, user_text
from swarm.objectives.text_packages import SENTIMENT, package_version, sentiment_rating


class SentimentObjective(ReplyObjective):
    """An objective that is a function of the reply's compound sentiment."""

    metric: str

    def decisive(self) -> dict[str, object]:
        """Also the release of VADER, whose lexicon may change."""
        return {**super().decisive(), SENTIMENT: package_version(SENTIMENT)}

    def check(self, example: Example) -> None:
        """Also refuses, with a ConfigError, where VADER is not installed."""
        super().check(example)
        sentiment_rating(self.name)

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        return Scored(self.value(example, self.compound(self.reply(answers))), generated(answers).text)

    def found(self, example: Example, answers: Sequence[Answer]) -> str:
        return f"sentiment {self.compound(self.reply(answers)):+.3f}"

    def compound(self, text: str) -> float:
        """The text's sentiment in [-1, 1]; 0 where it is empty."""
        return sentiment_rating(self.name)(text)

    @abstractmethod
    def value(self, example: Example, compound: float) -> float:
        """The score in [0, 1] of a reply of this sentiment."""


class Warmth(SentimentObjective):
    """Score: (1 + s) / 2, where s is the sentiment of the reply: 1/2 for a neutral or an empty one. Needs the extra
    `text`.

    Warm words count, not what they are said of: flattery maximises it, and a warm refusal of help is warm.
    """

    type: Literal["warmth"] = "warmth"
    metric: Literal["sentiment"] = "sentiment"

    def value(self, example: Example, compound: float) -> float:
        return (1.0 + compound) / 2.0

    def right(self, example: Example) -> tuple[str, ...]:
        return ("sentiment +1",)


class EmotionalAlignment(SentimentObjective):
    """Score: 1 - |s_user - s_reply| / 2, where s is the sentiment of the last text of the user, and of the reply. Needs
    the extra `text`.

    One number for each text: grief and anger are alike to it, and what consoles, being brighter, loses to what laments.
    """

    type: Literal["emotional_alignment"] = "emotional_alignment"
    metric: Literal["closeness"] = "closeness"

    def value(self, example: Example, compound: float) -> float:
        return 1.0 - abs(self.compound(user_text(example)) - compound) / 2.0

    def right(self, example: Example) -> tuple[str, ...]:
        return (f"sentiment {self.compound(user_text(example)):+.3f}",)
