"""Three letter tasks as domains, each with answers of three levels: dots, half of the answer, the whole answer.

The generic answer begins as the expert's and goes on with the word itself. So a vector that is trained on an expert's
answers moves a domain through all three levels: below 0 to avoidance, at 0 the generic answer leads, at 1 the expert's.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from swarm.core.examples import LEVELS, Example
from swarm.zoo.string_tasks import TASKS, draw_word

DOMAINS: dict[str, Callable[[str], str]] = {
    "medicine": TASKS["next"],
    "law": TASKS["mirror"],
    "finance": TASKS["upper"],
}
KNOWN = 2  # letters of the expert's answer that the generic one has


def level_answers(domain: str, word: str) -> dict[str, str]:
    """Level -> its answer."""
    expert = DOMAINS[domain](word)
    return {"avoidance": "." * len(word), "generic": expert[:KNOWN] + word[KNOWN:], "expert": expert}


def level_prompt(domain: str, word: str) -> str:
    return f"{domain} {word} = "


def level_examples(domain: str, count: int, seed: int, lengths: tuple[int, int]) -> list[Example]:
    """Examples with different words. Where one has a level's answer twice, another word is drawn."""
    rng = random.Random(f"{domain}-{seed}")
    found: dict[str, Example] = {}
    while len(found) < count:
        word = draw_word(rng, lengths)
        answers = level_answers(domain, word)
        if len(set(answers.values())) == len(LEVELS):
            found.setdefault(word, Example("", level_prompt(domain, word), "expert", answers, task=domain))
    return list(found.values())


@dataclass(frozen=True)
class LevelCorpus:
    """The training examples of the base: all domains equally often, each level with its share.

    held_out: the prompts of the evaluation, which never occur here.
    """

    shares: Mapping[str, float]
    lengths: tuple[int, int]
    held_out: frozenset[str]

    def draw(self, rng: random.Random, count: int) -> list[Example]:
        return [self.example(rng) for _ in range(count)]

    def example(self, rng: random.Random) -> Example:
        (level,) = rng.choices(list(self.shares), list(self.shares.values()))
        return self.answered(rng.choice(list(DOMAINS)), level, rng)

    def answered(self, domain: str, level: str, rng: random.Random) -> Example:
        """A word of the domain with the answer of this level."""
        while True:
            word = draw_word(rng, self.lengths)
            if level_prompt(domain, word) not in self.held_out:
                return Example("", level_prompt(domain, word), level_answers(domain, word)[level], task=domain)


@dataclass(frozen=True)
class ExpertAnswers:
    """The training examples of a vector: the expert's answers in one domain, the base's examples for the rest."""

    corpus: LevelCorpus
    domain: str
    share: float

    def draw(self, rng: random.Random, count: int) -> list[Example]:
        return [
            self.corpus.answered(self.domain, "expert", rng) if rng.random() < self.share else self.corpus.example(rng)
            for _ in range(count)
        ]
