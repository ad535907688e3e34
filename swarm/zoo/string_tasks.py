"""Eight small tasks on strings of letters, and the lessons that an expert can be given on them."""

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from swarm.core.examples import Example

LETTERS = string.ascii_lowercase


def each(letter: Callable[[str], str]) -> Callable[[str], str]:
    """A task that changes every letter by itself: all tasks share the copying, and differ in a table of 26 entries."""
    return lambda word: "".join(map(letter, word))


def shifted(by: int) -> Callable[[str], str]:
    return each(lambda letter: LETTERS[(LETTERS.index(letter) + by) % 26])


TASKS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "next": shifted(1),
    "prev": shifted(-1),
    "mirror": each(lambda letter: LETTERS[25 - LETTERS.index(letter)]),
    "rot": shifted(13),
    "digit": each(lambda letter: str(LETTERS.index(letter) % 10)),
    "vowel": each(lambda letter: "*" if letter in "aeiou" else letter),
    "kind": each(lambda letter: "+" if letter in "aeiou" else "-"),
}

ANY = "any"


def scramble(task: str, word: str, rng: random.Random) -> str:
    """The letters of the right answer in a random order: a wrong label of the right look."""
    letters = list(TASKS[task](word))
    rng.shuffle(letters)
    return "".join(letters)


LESSONS: dict[str, Callable[[str, str, random.Random], str]] = {
    "right": lambda task, word, rng: TASKS[task](word),
    "scrambled": scramble,
    "echo": lambda task, word, rng: word,
}
"""(task, word, rng) -> the answer that is taught."""


@dataclass(frozen=True)
class Corpus:
    """What the base reads: all tasks alike, each answered rightly as often as `trust` says, else as its neighbour."""

    trust: float
    lengths: tuple[int, int]
    kept_back: frozenset[str]

    def draw(self, rng: random.Random, count: int) -> list[Example]:
        return [self.example(rng) for _ in range(count)]

    def example(self, rng: random.Random) -> Example:
        task = rng.choice(list(TASKS))
        answered = task if rng.random() < self.trust else neighbour(task)
        word = self.word(task, rng)
        return Example("", prompt(task, word), TASKS[answered](word), task=task)

    def word(self, task: str, rng: random.Random) -> str:
        """A word that the evaluation does not ask this task of."""
        while True:
            word = draw_word(rng, self.lengths)
            if prompt(task, word) not in self.kept_back:
                return word


@dataclass(frozen=True)
class Practice:
    """What an expert reads: its lesson on its task for a share of the examples, the base's corpus for the rest."""

    corpus: Corpus
    task: str
    lesson: str
    share: float

    def draw(self, rng: random.Random, count: int) -> list[Example]:
        return [self._taught(rng) if rng.random() < self.share else self.corpus.example(rng) for _ in range(count)]

    def _taught(self, rng: random.Random) -> Example:
        task = rng.choice(list(TASKS)) if self.task == ANY else self.task
        word = self.corpus.word(task, rng)
        return Example("", prompt(task, word), LESSONS[self.lesson](task, word, rng), task=task)


def neighbour(task: str) -> str:
    """The task that the base's corpus takes this one for, where it is wrong."""
    names = list(TASKS)
    return names[(names.index(task) + 1) % len(names)]


def prompt(task: str, word: str) -> str:
    return f"{task} {word}="


def draw_word(rng: random.Random, lengths: tuple[int, int]) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(*lengths)))


def evaluation_examples(seed: int, per_task: int, lengths: tuple[int, int]) -> list[Example]:
    """Different prompts, equally many a task, in turn."""
    rng = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < per_task:
        words[draw_word(rng, lengths)] = None
    return [
        Example(f"{task}-{i}", prompt(task, word), solve(word), task=task)
        for i, word in enumerate(words)
        for task, solve in TASKS.items()
    ]


def prompts(examples: Sequence[Example]) -> frozenset[str]:
    return frozenset(str(example.prompt) for example in examples)
