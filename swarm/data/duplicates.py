"""Finds examples that are the same or nearly the same: by exact keys, and by the Jaccard similarity of word shingles.

Shape suffixes: N examples, M those on the right (in `found_in`: texts), S shingles.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from swarm.core.examples import Example

THRESHOLD = 0.8  # Jaccard similarity of near-duplicates: nearly all words are the same, in the same order
SHINGLE = 3  # words
SHORT = 6  # a text of fewer words is one shingle: only equality counts
COMMON = 50  # a shingle in at most so many examples is never a template's
BLOCK = 256  # rows that are compared at a time: it bounds memory
WORD = re.compile(r"\w+|[^\w\s]")

Shingle = tuple[str, ...]  # words in their order


@dataclass(frozen=True)
class SimilarPair:
    """Two examples that are nearly the same.

    left, right: their places in the two sequences.
    similarity: Jaccard similarity of their shingles.
    """

    left: int
    right: int
    similarity: float


@dataclass(frozen=True)
class Found:
    """Examples that some text repeats.

    same: places of those that are exactly a text.
    near: places of the others that are nearly contained in one.
    """

    same: tuple[int, ...]
    near: tuple[int, ...]


@dataclass(frozen=True)
class Repeat:
    """A text that repeats an example.

    text, example: their places.
    same: whether it is exactly the example.
    """

    text: int
    example: int
    same: bool


def normalised(text: str) -> str:
    """Unicode composed, whitespace collapsed. Case is kept: in some tasks it is all that differs."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def prompt_key(example: Example) -> str:
    """The same for two examples that ask the same: context, prompt and choices, the choices in any order.

    What stands in front of the question, such as solved examples, does not count: it may be drawn for each anew.
    """
    return json.dumps([normalised(_asked(example)), sorted(map(normalised, _choices(example)))])


def content_key(example: Example) -> str:
    """The same for two examples that ask the same and have the same right answer."""
    return json.dumps([prompt_key(example), normalised(answer_text(example))])


def similar_pairs(left: Sequence[Example], right: Sequence[Example]) -> list[SimilarPair]:
    """Pairs of a left and a right example with a similarity of at least THRESHOLD, in order.

    Shingles in more than a tenth of the examples (and in more than COMMON) come from a template. A pair must reach the
    threshold without them too: otherwise any two examples of one template would be near-duplicates.
    """
    texts = [normalised(question_text(example)) for example in (*left, *right)]
    shingles = [_shingles(text) for text in texts]
    found_in = Counter(shingle for each in shingles for shingle in each)
    common = max(COMMON, len(texts) // 10)
    rare = [{s for s in each if found_in[s] <= common} or {(text,)} for text, each in zip(texts, shingles, strict=True)]
    pairs = []
    for row, column in _alike(_matrix(rare), len(left)):
        one, other = shingles[row], shingles[len(left) + column]
        similarity = len(one & other) / len(one | other)
        if similarity >= THRESHOLD:
            pairs.append(SimilarPair(row, column, similarity))
    return pairs


def found_in(examples: Sequence[Example], texts: Iterable[str]) -> Found:
    """The examples that some text repeats: exactly, with or without the answer, or by THRESHOLD of their shingles.

    A text may be longer than the example that it contains. The texts are read once, and only those of their shingles
    are kept that an example has. A template's shingles alone do not count, as in `similar_pairs`.
    """
    repeats = list(_repeats(examples, texts))
    same = {repeat.example for repeat in repeats if repeat.same}
    near = {repeat.example for repeat in repeats} - same
    return Found(tuple(sorted(same)), tuple(sorted(near)))


def repeated_by(examples: Sequence[Example], texts: Iterable[str]) -> dict[int, Repeat]:
    """Place of a text -> the first example that it repeats by the rules of `found_in`, an exact one before others."""
    found: dict[int, Repeat] = {}
    for repeat in sorted(_repeats(examples, texts), key=lambda repeat: (not repeat.same, repeat.example)):
        found.setdefault(repeat.text, repeat)
    return found


def _repeats(examples: Sequence[Example], texts: Iterable[str]) -> Iterator[Repeat]:
    shingles = [_shingles(normalised(question_text(example))) for example in examples]
    column = _columns(shingles)
    wanted = set(column)
    places: dict[str, set[int]] = {}
    for i, example in enumerate(examples):
        for key in (question_text(example), f"{question_text(example)}\n{answer_text(example)}"):
            places.setdefault(normalised(key), set()).add(i)
    within: list[list[int]] = []
    for text in map(normalised, texts):
        yield from (Repeat(len(within), i, same=True) for i in sorted(places.get(text, ())))
        within.append([column[shingle] for shingle in _shingles(text) & wanted])
    for i, place in _contained(_matrix(shingles), _rows(within, len(column))):
        yield Repeat(place, i, same=False)


def _contained(example_NS: sparse.csr_array, text_MS: sparse.csr_array) -> Iterator[tuple[int, int]]:
    """Rows that share THRESHOLD of their columns with a text, both of all columns and of those from no template, each
    with that text."""
    rare_S = np.ones(example_NS.shape[1], bool)
    for matrix in (example_NS, text_MS):
        rare_S &= np.asarray(matrix.sum(axis=0)).ravel() <= max(COMMON, matrix.shape[0] // 10)
    rare_NS, rare_MS = example_NS[:, rare_S], text_MS[:, rare_S].T.tocsc()
    size_N, rare_N = (np.asarray(matrix.sum(axis=1)).ravel() for matrix in (example_NS, rare_NS))
    for start in range(0, len(size_N), BLOCK):
        shared = (rare_NS[start : start + BLOCK] @ rare_MS).tocoo()
        rows, texts = shared.coords[0] + start, shared.coords[1]
        likely = shared.data >= THRESHOLD * rare_N[rows]
        rows, texts = rows[likely], texts[likely]
        overlap = np.asarray(example_NS[rows].multiply(text_MS[texts]).sum(axis=1)).ravel()
        held = overlap >= THRESHOLD * size_N[rows]
        yield from zip(rows[held].tolist(), texts[held].tolist(), strict=True)


def _alike(matrix_NS: sparse.csr_array, n_left: int) -> Iterator[tuple[int, int]]:
    """(left row, right row - n_left) of pairs with Jaccard = shared / (left + right - shared) >= THRESHOLD."""
    sizes_N = np.asarray(matrix_NS.sum(axis=1), dtype=np.float64).ravel()
    right_SM = matrix_NS[n_left:].T.tocsc()
    for start in range(0, n_left, BLOCK):
        shared = (matrix_NS[start : min(start + BLOCK, n_left)] @ right_SM).tocoo()
        rows, columns = shared.coords[0] + start, shared.coords[1]
        alike = shared.data / (sizes_N[rows] + sizes_N[n_left + columns] - shared.data) >= THRESHOLD
        yield from sorted(zip(rows[alike].tolist(), columns[alike].tolist(), strict=True))


def _matrix(shingles: Sequence[set[Shingle]]) -> sparse.csr_array:
    """A row per example, a column per shingle; 1 where the example has the shingle."""
    column = _columns(shingles)
    return _rows([[column[shingle] for shingle in each] for each in shingles], len(column))


def _columns(shingles: Sequence[set[Shingle]]) -> dict[Shingle, int]:
    return {shingle: index for index, shingle in enumerate(dict.fromkeys(s for each in shingles for s in each))}


def _rows(columns: Sequence[Sequence[int]], width: int) -> sparse.csr_array:
    """A matrix with a 1 at each row's columns."""
    indices = np.array([index for each in columns for index in each], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in columns])]).astype(np.int64)
    return sparse.csr_array((np.ones(len(indices)), indices, offsets), shape=(len(columns), width))


def _shingles(text: str) -> set[Shingle]:
    words = WORD.findall(text.casefold())
    return set(zip(*(words[k:] for k in range(SHINGLE)), strict=False)) if len(words) >= SHORT else {(text,)}


def _asked(example: Example) -> str:
    prompt = example.prompt
    turns = () if isinstance(prompt, str) else prompt
    text = prompt[example.question_at :] if isinstance(prompt, str) else "\n".join(turn.content for turn in turns)
    return f"{example.context}\n{text}"


def question_text(example: Example) -> str:
    """What is asked, with its choices and without what stands in front."""
    return "\n".join([_asked(example), *_choices(example)])


def answer_text(example: Example) -> str:
    """The right answer; of a choice its text."""
    return example.choices[example.answer] if example.choices else example.answer


def _choices(example: Example) -> list[str]:
    return list(example.choices.values()) if example.choices else []
