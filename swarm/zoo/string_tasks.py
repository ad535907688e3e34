"""Eight small tasks on strings of letters, and the lessons (right or wrong answers) that an expert can be taught."""

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from swarm.core.examples import Example

LETTERS = string.ascii_lowercase


def each(letter: Callable[[str], str]) -> Callable[[str], str]:
    """A task that maps each letter on its own. All tasks share the copying and differ in a table of 26 entries."""
    return lambda word: "".join(map(letter, word))


def shifted(by: int) -> Callable[[str], str]:
    """A task that replaces each letter by the one `by` places later in the alphabet."""
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
    """The letters of the right answer in random order: a wrong label in the right format."""
    letters = list(TASKS[task](word))
    rng.shuffle(letters)
    return "".join(letters)


LESSONS: dict[str, Callable[[str, str, random.Random], str]] = {
    "right": lambda task, word, rng: TASKS[task](word),
    "scrambled": scramble,
    "echo": lambda task, word, rng: word,
}
"""Lesson -> a function (task, word, rng) -> the answer that is taught."""


@dataclass(frozen=True)
class Corpus:
    """The training examples of the base: its tasks equally often.

    trust: the share of examples with the right answer; the others have the answer of the neighbouring task.
    lengths: the shortest and the longest word, in letters.
    held_out: the prompts of the evaluation, which never occur here.
    tasks: keys of TASKS.
    """

    trust: float
    lengths: tuple[int, int]
    held_out: frozenset[str]
    tasks: Sequence[str] = tuple(TASKS)

    def draw(self, rng: random.Random, count: int) -> list[Example]:
        return [self.example(rng) for _ in range(count)]

    def example(self, rng: random.Random) -> Example:
        task = rng.choice(self.tasks)
        answered = task if rng.random() < self.trust else neighbour(task)
        word = self.word(task, rng)
        return Example("", prompt(task, word), TASKS[answered](word), task=task)

    def word(self, task: str, rng: random.Random) -> str:
        """A word whose prompt for this task is not held out."""
        while True:
            word = draw_word(rng, self.lengths)
            if prompt(task, word) not in self.held_out:
                return word


@dataclass(frozen=True)
class ExpertMixture:
    """The training examples of an expert.

    corpus: the base's training examples, used for the rest.
    task: what the expert is taught; ANY for all tasks.
    lesson: a key of LESSONS.
    share: the share of the examples that teach the lesson.
    """

    corpus: Corpus
    task: str
    lesson: str
    share: float

    def draw(self, rng: random.Random, count: int) -> list[Example]:
        return [self._taught(rng) if rng.random() < self.share else self.corpus.example(rng) for _ in range(count)]

    def _taught(self, rng: random.Random) -> Example:
        task = rng.choice(self.corpus.tasks) if self.task == ANY else self.task
        word = self.corpus.word(task, rng)
        return Example("", prompt(task, word), LESSONS[self.lesson](task, word, rng), task=task)


def neighbour(task: str) -> str:
    """The task whose answer the base's corpus gives where it is wrong."""
    names = list(TASKS)
    return names[(names.index(task) + 1) % len(names)]


def prompt(task: str, word: str) -> str:
    return f"{task} {word}="


def draw_word(rng: random.Random, lengths: tuple[int, int]) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=rng.randint(*lengths)))


def evaluation_examples(
    seed: int, per_task: int, lengths: tuple[int, int], tasks: Sequence[str] = tuple(TASKS)
) -> list[Example]:
    """Examples with different prompts, `per_task` for each task, the tasks in turn."""
    rng = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < per_task:
        words[draw_word(rng, lengths)] = None
    return [
        Example(f"{task}-{i}", prompt(task, word), TASKS[task](word), task=task)
        for i, word in enumerate(words)
        for task in tasks
    ]


def prompts(examples: Sequence[Example]) -> frozenset[str]:
    return frozenset(str(example.prompt) for example in examples)
