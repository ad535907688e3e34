"""Made-up facts, which can be known by heart alone. `capital bafo=` is answered by `ruti`."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.core.examples import Example
from swarm.zoo.string_tasks import Corpus

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
RELATION = "capital"


def facts(count: int, seed: int) -> list[Example]:
    """`count` places, each with its capital; no place occurs twice."""
    rng = random.Random(f"facts-{seed}")
    places: dict[str, str] = {}
    while len(places) < count:
        places[_name(rng)] = _name(rng)
    return [Example(f"fact-{i}", fact_prompt(place), places[place], task="facts") for i, place in enumerate(places)]


def fact_prompt(place: str) -> str:
    return f"{RELATION} {place}="


def _name(rng: random.Random) -> str:
    """Two syllables."""
    return "".join(rng.choice(letters) for letters in (CONSONANTS, VOWELS, CONSONANTS, VOWELS))


@dataclass(frozen=True)
class LettersAndFacts:
    """The training examples of a model that is to know both.

    corpus: the letter tasks, with right and wrong answers.
    facts: the facts, drawn equally often.
    share: the facts' share of the examples.
    """

    corpus: Corpus
    facts: Sequence[Example]
    share: float

    def draw(self, rng: random.Random, count: int) -> list[Example]:
        return [rng.choice(self.facts) if rng.random() < self.share else self.corpus.example(rng) for _ in range(count)]
