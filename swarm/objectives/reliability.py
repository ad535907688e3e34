"""Right answers against wrong ones, where the model may abstain: a wrong answer costs more than none.

Kalai et al. 2025 (arXiv 2509.04664) grade so: a right answer +1, "I don't know" 0, a wrong one -t / (1 - t). Answering
then pays only above a confidence of t: with `wrong_penalty` 1 above a half, with 3 above three quarters.
"""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.objectives.base import Scored, generated
from swarm.objectives.extracting import ExtractingObjective
from swarm.objectives.extraction import without_thinking
from swarm.objectives.phrases import Phrase, digest, phrase_in

ABSTENTIONS = (
    r"\b(?:i|we) (?:really |honestly |just |simply )?(?:do not|don't|dont) (?:actually |really )?know\b",
    r"\b(?:i|we)(?:'m| am|'re| are) (?:(?:\w+ )?not (?:\w+ )?(?:sure|certain)|unsure|uncertain)\b",
    r"\b(?:i|we) (?:have|'ve got) no (?:idea|clue|way of knowing)\b",
    r"\b(?:i|we) (?:can ?not|can't) (?:be (?:sure|certain)|say|tell|determine|answer)\b",
    r"\b(?:i|we) (?:do not|don't) have (?:enough|sufficient|the necessary|any) "
    r"(?:information|knowledge|context|data)\b",
    r"\b(?:not enough|insufficient) (?:information|context|data) (?:is given |is available )?to\b",
    r"\b(?:i|we)(?:'d| would) (?:rather|prefer) not (?:to )?(?:answer|guess|say)\b",
    r"\bi (?:have no comment|abstain)\b",
    r"^(?:unknown|unsure|not sure|no idea|no comment|idk|i pass)[.!]?$",
)


class Reliability(ExtractingObjective):
    """Score: 1 for a right answer, -`wrong_penalty` for a wrong one or none, `abstain_credit` for a text that abstains.
    Answers are extracted and compared as by `exact_match`.

    A text that abstains has that credit, whatever else it says: one that hedges every answer gains nothing by it.
    """

    type: Literal["reliability"] = "reliability"
    metric: Literal["penalised_accuracy"] = "penalised_accuracy"
    wrong_penalty: float = Field(1.0, ge=0, allow_inf_nan=False, description="what a wrong answer costs")
    abstain_credit: float = Field(0.0, allow_inf_nan=False, description="the score of a text that abstains")
    patterns: tuple[Phrase, ...] = Field(
        (), description="regular expressions that tell an abstention too, e.g. of another language; case is ignored"
    )

    @model_validator(mode="after")
    def _credit_lies_between(self) -> Self:
        if not -self.wrong_penalty <= self.abstain_credit <= 1.0:
            raise ValueError(
                f"abstain_credit {self.abstain_credit:g} is not between a wrong answer's score, "
                f"{-self.wrong_penalty:g}, and a right one's, 1; change it"
            )
        return self

    def decisive(self) -> dict[str, object]:
        """Also the phrases of this version."""
        return {**super().decisive(), "phrases": digest(ABSTENTIONS)}

    @property
    def range(self) -> tuple[float, float]:
        return -self.wrong_penalty, 1.0

    def check(self, example: Example) -> None:
        """Also refuses a right answer that reads as an abstention."""
        super().check(example)
        for right in self.right(example):
            if phrase := self._abstention(right):
                raise self.refusal(
                    example,
                    f"answer {right[:60]!r} reads as an abstention ({phrase!r}); reword it, or remove the example",
                )

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        text = generated(answers).text
        if self._abstention(text):
            return Scored(self.abstain_credit, text)
        return Scored(1.0 if self._is_right(text, example) else -self.wrong_penalty, text)

    def found(self, example: Example, answers: Sequence[Answer]) -> str:
        """The phrase that abstains, else the answer that was extracted."""
        return self._abstention(generated(answers).text) or super().found(example, answers)

    def targets(self, example: Example) -> tuple[str, ...]:
        """None: of three scores, no margin tells how far one is from the others."""
        return ()

    def _abstention(self, text: str) -> str:
        said = without_thinking(text) if self.strip_thinking else text
        return phrase_in(said, (*ABSTENTIONS, *self.patterns))
