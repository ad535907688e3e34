"""How many of a reply's content words are the user's own: lexical alignment, or entrainment.

People in dialogue take up each other's words (Brennan & Clark 1996). With the content words r_1, ..., r_n of the reply
and the set U of those of the user's last text,

    score = |{ i : r_i in U, and r_i lies in no copied run }| / n,   0 where n = 0.            (1)

This is the local linguistic alignment of Fusaroli et al. 2012 and Wang, Reitter & Yen 2014, the share of the target's
words that the prime has, with two deviations: it counts content words alone, and it is not divided by the length of the
prime, which is the same for every candidate. A copied run has at least `copied_run` words, function words too, in the
order of the user's text: who quotes has not chosen the words. Words are compared as they are written: "run" is not
"runs".
"""

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.objectives.base import Scored, generated
from swarm.objectives.phrases import digest, plain
from swarm.objectives.replies import ReplyObjective, user_text

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
ENGLISH = """
a about above across after again against ain't all almost along already also although always am among an and
another any anybody anyone anything are aren't around as at away back be became because become been before
behind being below between both but by came can can't cannot come could couldn't did didn't do does doesn't
doing don't done down during each either else enough even ever every everybody everyone everything few for from
further get gets getting give given gives go goes going gone got had hadn't has hasn't have haven't having he
he'd he'll he's hence her here here's hers herself him himself his how however i i'd i'll i'm i've if in into is
isn't it it'd it'll it's its itself just least less let let's like made make makes many may maybe me might mine
more most much must mustn't my myself near neither never no nobody none nor not nothing now of off often on once
one only onto or other others ought our ours ourselves out over own per perhaps please quite rather really said
same say says shall she she'd she'll she's should shouldn't since so some somebody someone something still such
than that that's the their theirs them themselves then there there's therefore these they they'd they'll they're
they've thing things this those though through thus to together too toward towards under unless until up upon us
very was wasn't we we'd we'll we're we've well went were weren't what what's whatever when where where's whether
which while who who's whoever whole whom whose why will with within without won't would wouldn't yes yet you
you'd you'll you're you've your yours yourself yourselves
"""  # words of grammar, and verbs of every topic
FUNCTION_WORDS = frozenset(ENGLISH.split())


class LexicalAlignment(ReplyObjective):
    """Score: the share of the reply's content words that are the user's own; 0 for a reply without content words.

    A reply of one word of the user's has 1: hold it beside an objective of quality.
    """

    type: Literal["lexical_alignment"] = "lexical_alignment"
    metric: Literal["shared_words"] = "shared_words"
    copied_run: int = Field(
        6, ge=2, description="words in a row as the user wrote them, from which on they count as copied, not as shared"
    )

    def decisive(self) -> dict[str, object]:
        """Also the function words of this version."""
        return {**super().decisive(), "function_words": digest(sorted(FUNCTION_WORDS))}

    def notes(self, examples: Sequence[Example]) -> list[str]:
        """Examples whose user says no content word: every reply scores 0."""
        empty = [each for each in examples if not any(map(_is_content, words(user_text(each))))]
        if not empty:
            return []
        return [
            f"{self.name}: {len(empty)} of {len(examples)} prompts have no content words, so that every reply to them "
            f"scores 0 (that of example {empty[0].id}); remove them"
        ]

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        shared, content = self._shared(example, answers)
        return Scored(len(shared) / len(content) if content else 0.0, generated(answers).text)

    def found(self, example: Example, answers: Sequence[Answer]) -> str:
        """The shared words, and of how many."""
        shared, content = self._shared(example, answers)
        return f"{len(shared)} of {len(content)} words: {', '.join(dict.fromkeys(shared)) or 'none'}"

    def right(self, example: Example) -> tuple[str, ...]:
        return ("words of " + ", ".join(dict.fromkeys(filter(_is_content, words(user_text(example))))),)

    def _shared(self, example: Example, answers: Sequence[Answer]) -> tuple[list[str], list[str]]:
        """The reply's content words that are the user's own and not copied, and all of its content words."""
        said, theirs = words(self.reply(answers)), words(user_text(example))
        copied, own = _copied(said, theirs, self.copied_run), set(filter(_is_content, theirs))
        shared = [word for i, word in enumerate(said) if word in own and i not in copied]
        return shared, list(filter(_is_content, said))


def words(text: str) -> list[str]:
    """The words in lower case, without the 's of a possessive."""
    return [word.removesuffix("'s") if word not in FUNCTION_WORDS else word for word in WORD.findall(plain(text))]


def _is_content(word: str) -> bool:
    return word not in FUNCTION_WORDS


def _copied(said: Sequence[str], theirs: Sequence[str], run: int) -> set[int]:
    """Where the words of copied runs are."""
    runs = {tuple(theirs[i : i + run]) for i in range(len(theirs) - run + 1)}
    starts = [i for i in range(len(said) - run + 1) if tuple(said[i : i + run]) in runs]
    return {j for i in starts for j in range(i, i + run)}
