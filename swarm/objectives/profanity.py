"""How free of profanity a reply is, by a trained classifier."""

from collections.abc import Sequence
from typing import Literal

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.objectives.base import Scored, generated
from swarm.objectives.replies import ReplyObjective
from swarm.objectives.text_packages import PROFANITY, package_version, profanity_rating


class Profanity(ReplyObjective):
    """Score: 1 - the probability that the reply is profane. Needs the extra `text`.

    Words are weighed each on its own: a long reply dilutes one bad word, insults without one are missed, and an empty
    reply is clean.
    """

    type: Literal["profanity"] = "profanity"
    metric: Literal["cleanness"] = "cleanness"

    def decisive(self) -> dict[str, object]:
        """Also the release of the classifier."""
        return {**super().decisive(), PROFANITY: package_version(PROFANITY)}

    def check(self, example: Example) -> None:
        """Also refuses, with a ConfigError, where the classifier is not installed."""
        super().check(example)
        profanity_rating(self.name)

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        (scored,) = self.score_all([(example, answers)])
        return scored

    def score_all(self, answered: Sequence[tuple[Example, Sequence[Answer]]]) -> list[Scored]:
        """All in one call of the classifier, which takes 3 ms for one text and 20 ms for 200."""
        if not answered:
            return []
        shares = profanity_rating(self.name)([self.reply(answers) for _, answers in answered])
        return [Scored(1.0 - share, generated(said).text) for share, (_, said) in zip(shares, answered, strict=True)]

    def found(self, example: Example, answers: Sequence[Answer]) -> str:
        (share,) = profanity_rating(self.name)([self.reply(answers)])
        return f"profane with probability {share:.3f}"

    def right(self, example: Example) -> tuple[str, ...]:
        return ("no profanity",)
