"""Test examples that a prompt shows with their answers, among the solved examples in front of its question."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from swarm.core.examples import Example
from swarm.data.duplicates import WORD, answer_text

WINDOW = 3  # words: what is looked up at every place in front of a question

Words = tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """An example that stands, with its answer, in front of the question of another."""

    example: Example
    by: Example


def shown_in_front(examples: Sequence[Example], prompts: Sequence[Example]) -> list[Shown]:
    """The examples whose question and right answer stand, word by word, in front of the question of a prompt.

    Each is given once, in order, with the first such prompt. One of fewer than three words with its answer is not
    looked for. Every text in front is read once, and compared only with examples whose rarest three words it has.
    """
    fronts = {front: prompt for prompt in reversed(prompts) if (front := _front(prompt))}
    wanted = _by_rarest_words({i: _words(_solved(example)) for i, example in enumerate(examples)} if fronts else {})
    found: dict[int, Shown] = {}
    for front, prompt in reversed(fronts.items()):
        words = _words(front)
        text = _joined(words)
        for place in {place for window in _windows(words) for place in wanted.get(window, ())} - found.keys():
            if _joined(_words(_solved(examples[place]))) in text:
                found[place] = Shown(examples[place], prompt)
    return [found[place] for place in sorted(found)]


def shown_notes(found: Sequence[Shown]) -> list[str]:
    """A line where test examples are shown with their answers."""
    if not found:
        return []
    first = found[0]
    return [
        f"{len(found)} test example{'s' * (len(found) > 1)} can be read, with the answer, in front of questions, among "
        f"their solved examples: e.g. {first.example.id} in front of {first.by.id}"
    ]


def _front(example: Example) -> str:
    return example.prompt[: example.question_at].strip() if isinstance(example.prompt, str) else ""


def _solved(example: Example) -> str:
    """The question and its right answer, as a solved example has them."""
    prompt = example.prompt
    asked = prompt[example.question_at :] if isinstance(prompt, str) else prompt[-1].content
    return f"{asked} {answer_text(example)}"


def _by_rarest_words(words: Mapping[int, Words]) -> dict[Words, list[int]]:
    """The window of each text that the fewest texts have -> the places of these texts."""
    windows = {place: set(_windows(each)) for place, each in words.items()}
    common = Counter(window for each in windows.values() for window in each)
    found: dict[Words, list[int]] = defaultdict(list)
    for place, each in windows.items():
        if each:
            found[min(each, key=lambda window: (common[window], window))].append(place)
    return found


def _windows(words: Words) -> list[Words]:
    return list(zip(*(words[k:] for k in range(WINDOW)), strict=False))


def _words(text: str) -> Words:
    return tuple(WORD.findall(text))


def _joined(words: Words) -> str:
    """As one text in which a word is found only as a whole."""
    return f" {' '.join(words)} "
