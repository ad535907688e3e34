"""Finds examples that are the same or nearly so: exact keys, and Jaccard similarity of word shingles.

Shape suffixes: N examples, M those on the right (of `found_in`: texts), S shingles.
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

THRESHOLD = 0.8
SHINGLE = 3
SHORT = 6  # a text of fewer words is one shingle: only equality counts
COMMON = 50
BLOCK = 256
WORD = re.compile(r"\w+|[^\w\s]")

Shingle = tuple[str, ...]  # words in their order


@dataclass(frozen=True)
class SimilarPair:
    """Places in the left and in the right sequence, and the Jaccard similarity of their shingles."""

    left: int
    right: int
    similarity: float


@dataclass(frozen=True)
class Found:
    """Places of the examples that are the same as some text, and of the others that are nearly so."""

    same: tuple[int, ...]
    near: tuple[int, ...]


def normalised(text: str) -> str:
    """Unicode composed, whitespace collapsed. Case is kept: some tasks are about nothing else."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def prompt_key(example: Example) -> str:
    """The same for two examples that ask the same: context, prompt and choices, the choices in any order."""
    return json.dumps([normalised(_asked(example)), sorted(map(normalised, _choices(example)))])


def content_key(example: Example) -> str:
    """The same for two examples that ask the same and have the same right answer."""
    return json.dumps([prompt_key(example), normalised(_answer(example))])


def similar_pairs(left: Sequence[Example], right: Sequence[Example]) -> list[SimilarPair]:
    """Pairs of a left and a right example with a similarity of at least THRESHOLD, in their order.

    Shingles found in more than a tenth of the examples (and in more than 50) are a template's: a pair must reach the
    threshold without them too, or every two fillings of one template would be near-duplicates.
    """
    texts = [normalised(_whole(example)) for example in (*left, *right)]
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
    """The examples that some text repeats: alone or with the answer, or THRESHOLD of their shingles within it.

    Texts may be longer: what frames an example does not hide it. They are gone through once, and of their shingles only
    those are kept that an example has. A template's do not count alone, as in `similar_pairs`.
    """
    shingles = [_shingles(normalised(_whole(example))) for example in examples]
    column = _columns(shingles)
    wanted = set(column)
    places: dict[str, set[int]] = {}
    for i, example in enumerate(examples):
        for key in (_whole(example), f"{_whole(example)}\n{_answer(example)}"):
            places.setdefault(normalised(key), set()).add(i)
    same: set[int] = set()
    within: list[list[int]] = []
    for text in map(normalised, texts):
        same |= places.get(text, set())
        within.append([column[shingle] for shingle in _shingles(text) & wanted])
    near = _contained(_matrix(shingles), _rows(within, len(column))) - same
    return Found(tuple(sorted(same)), tuple(sorted(near)))


def _contained(example_NS: sparse.csr_array, text_MS: sparse.csr_array) -> set[int]:
    """Rows that have THRESHOLD of their columns in some text, of all columns and of those that no template gives."""
    rare_S = np.ones(example_NS.shape[1], bool)
    for matrix in (example_NS, text_MS):
        rare_S &= np.asarray(matrix.sum(axis=0)).ravel() <= max(COMMON, matrix.shape[0] // 10)
    rare_NS, rare_MS = example_NS[:, rare_S], text_MS[:, rare_S].T.tocsc()
    size_N, rare_N = (np.asarray(matrix.sum(axis=1)).ravel() for matrix in (example_NS, rare_NS))
    found: set[int] = set()
    for start in range(0, len(size_N), BLOCK):
        shared = (rare_NS[start : start + BLOCK] @ rare_MS).tocoo()
        rows, texts = shared.coords[0] + start, shared.coords[1]
        likely = shared.data >= THRESHOLD * rare_N[rows]
        rows, texts = rows[likely], texts[likely]
        overlap = np.asarray(example_NS[rows].multiply(text_MS[texts]).sum(axis=1)).ravel()
        found |= set(rows[overlap >= THRESHOLD * size_N[rows]].tolist())
    return found


def _alike(matrix_NS: sparse.csr_array, n_left: int) -> Iterator[tuple[int, int]]:
    """(row, row - n_left) of a left and a right row with Jaccard = shared / (left + right - shared) >= THRESHOLD."""
    sizes_N = np.asarray(matrix_NS.sum(axis=1), dtype=np.float64).ravel()
    right_SM = matrix_NS[n_left:].T.tocsc()
    for start in range(0, n_left, BLOCK):
        shared = (matrix_NS[start : min(start + BLOCK, n_left)] @ right_SM).tocoo()
        rows, columns = shared.coords[0] + start, shared.coords[1]
        alike = shared.data / (sizes_N[rows] + sizes_N[n_left + columns] - shared.data) >= THRESHOLD
        yield from sorted(zip(rows[alike].tolist(), columns[alike].tolist(), strict=True))


def _matrix(shingles: Sequence[set[Shingle]]) -> sparse.csr_array:
    """Row: example, column: shingle, 1 where the example has it."""
    column = _columns(shingles)
    return _rows([[column[shingle] for shingle in each] for each in shingles], len(column))


def _columns(shingles: Sequence[set[Shingle]]) -> dict[Shingle, int]:
    return {shingle: index for index, shingle in enumerate(dict.fromkeys(s for each in shingles for s in each))}


def _rows(columns: Sequence[Sequence[int]], width: int) -> sparse.csr_array:
    """1 at each row's columns."""
    indices = np.array([index for each in columns for index in each], dtype=np.int64)
    initial_design = np.concatenate([[0], np.cumsum([len(each) for each in columns])]).astype(np.int64)
    return sparse.csr_array((np.ones(len(indices)), indices, initial_design), shape=(len(columns), width))


def _shingles(text: str) -> set[Shingle]:
    words = WORD.findall(text.casefold())
    return set(zip(*(words[k:] for k in range(SHINGLE)), strict=False)) if len(words) >= SHORT else {(text,)}


def _asked(example: Example) -> str:
    prompt = example.prompt
    text = prompt if isinstance(prompt, str) else "\n".join(message.content for message in prompt)
    return f"{example.context}\n{text}"


def _whole(example: Example) -> str:
    return "\n".join([_asked(example), *_choices(example)])


def _answer(example: Example) -> str:
    return example.choices[example.answer] if example.choices else example.answer


def _choices(example: Example) -> list[str]:
    return list(example.choices.values()) if example.choices else []
