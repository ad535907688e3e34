"""Whether the model asks back where a prompt is ambiguous, and only there.

Selective clarification as CLAM has it (Kuhn et al. 2022, arXiv 2212.07769): where a question can be understood in
several ways the model asks back, any other it answers. The data say which is which.
"""

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.objectives.base import Scored, generated
from swarm.objectives.phrases import Phrase, digest, phrase_in, plain
from swarm.objectives.replies import ReplyObjective

MORE = r"(?:more|some more|additional|further|a (?:bit|little) more)"
WHICH = rf"(?:{MORE}|which|what|who|whether|if|where|when|how)"
ASKING = (
    r"\b(?:could|can|would|will) you (?:please |kindly )?"
    rf"(?:clarify|specify|elaborate|rephrase|be more specific|explain what you mean|(?:tell me|let me know) {WHICH}|"
    rf"(?:provide|give|share) (?:me )?(?:with )?{MORE})",
    rf"\bplease (?:clarify|specify|rephrase|be more specific|provide {MORE}|(?:tell me|let me know) {WHICH})",
    r"\b(?:do|did) you mean\b",
    r"\bare you (?:referring|asking|talking|looking|interested|thinking)\b",
    rf"\bi(?:'d|'ll| would| will)? need {MORE} (?:information|details?|context)\b",
    r"\b(?:it|that) depends on (?:which|what|who) (?:\w+ )?you mean\b",
)
OFFERS = (  # questions that end a reply and ask nothing about the prompt
    r"\bwould you like (?:me to|to (?:know|hear|see|learn|try)|some|any|more|another)\b",
    r"\b(?:do you )?want (?:me to|to (?:know|hear|learn)|more)\b",
    r"\b(?:shall|should) i\b",
    r"\banything else\b",
    r"\b(?:does|did) (?:that|this) (?:help|answer|make sense|sound)\b",
    r"\bhow (?:can|may|could) i (?:help|assist)\b",
    r"\bis there anything\b",
    r"\b(?:and|how about|what about) you\b",
    r"\b(?:right|isn't it|don't you think|you know)\?",
)
CLOSERS = " \"'*_)]}"  # what may follow the question mark that ends a reply


class Clarification(ReplyObjective):
    """Score: 1 where a reply to an ambiguous prompt asks back, or one to another prompt does not; else 0.

    A reply asks back if a phrase such as "do you mean" is in it, or if it ends with a question that is no offer. An
    empty reply has 0.
    """

    type: Literal["clarification"] = "clarification"
    metric: Literal["rate"] = "rate"
    patterns: tuple[Phrase, ...] = Field(
        (), description="regular expressions that tell a question back too, e.g. of another language; case is ignored"
    )

    def decisive(self) -> dict[str, object]:
        """Also the phrases of this version."""
        return {**super().decisive(), "phrases": digest((*ASKING, *OFFERS))}

    def check(self, example: Example) -> None:
        """Also refuses an example that is not marked."""
        super().check(example)
        if example.ambiguous is None:
            raise self.refusal(example, "ambiguous is missing, or neither true nor false; give it as true or false")

    def notes(self, examples: Sequence[Example]) -> list[str]:
        """Marks that are all the same: one habit then scores 1 throughout."""
        marks = {example.ambiguous for example in examples}
        if len(marks) != 1:
            return []
        habit = "always asks back" if marks == {True} else "never asks back"
        return [f"{self.name}: a model that {habit} scores 1, as every example has the same mark; add others"]

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        text, reply = generated(answers).text, self.reply(answers)
        asks = bool(self._question(reply))
        return Scored(float(bool(reply.strip()) and asks == example.ambiguous), text)

    def found(self, example: Example, answers: Sequence[Answer]) -> str:
        """What asks back."""
        return self._question(self.reply(answers)) or "no question"

    def right(self, example: Example) -> tuple[str, ...]:
        return ("a question" if example.ambiguous else "no question",)

    def _question(self, reply: str) -> str:
        if phrase := phrase_in(reply, (*ASKING, *self.patterns)):
            return phrase
        last = re.split(r"(?<=[.!?]) ", plain(reply).rstrip(CLOSERS))[-1]
        return last if last.endswith("?") and not phrase_in(last, OFFERS) else ""
