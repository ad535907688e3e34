"""Finds examples that are the same or nearly so: exact keys, and Jaccard similarity of word shingles.

Shape suffixes: N examples, M those on the right, S shingles.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from swarm.types import Example

THRESHOLD = 0.8
SHINGLE = 3
SHORT = 6  # a text of fewer words is one shingle: only equality counts
BLOCK = 256


@dataclass(frozen=True)
class SimilarPair:
    """Places in the left and in the right sequence, and the Jaccard similarity of their shingles."""

    left: int
    right: int
    similarity: float


def normalised(text: str) -> str:
    """Unicode composed, whitespace collapsed. Case is kept: some tasks are about nothing else."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def question_key(example: Example) -> str:
    """The same for two examples that ask the same: context, prompt and choices, the choices in any order."""
    return json.dumps([normalised(_asked(example)), sorted(map(normalised, _choices(example)))])


def content_key(example: Example) -> str:
    """The same for two examples that ask the same and have the same right answer."""
    answer = example.choices[example.answer] if example.choices else example.answer
    return json.dumps([question_key(example), normalised(answer)])


def similar_pairs(left: Sequence[Example], right: Sequence[Example]) -> list[SimilarPair]:
    """Pairs of a left and a right example with a similarity of at least THRESHOLD, in their order.

    Shingles found in more than a tenth of the examples (and in more than 50) are a template's: a pair must reach the
    threshold without them too, or every two fillings of one template would be near-duplicates.
    """
    texts = [normalised("\n".join([_asked(example), *_choices(example)])) for example in (*left, *right)]
    shingles = [_shingles(text) for text in texts]
    found_in = Counter(shingle for each in shingles for shingle in each)
    common = max(50, len(texts) // 10)
    rare = [{s for s in each if found_in[s] <= common} or {text} for text, each in zip(texts, shingles, strict=True)]
    pairs = []
    for row, column in _alike(_matrix(rare), len(left)):
        one, other = shingles[row], shingles[len(left) + column]
        similarity = len(one & other) / len(one | other)
        if similarity >= THRESHOLD:
            pairs.append(SimilarPair(row, column, similarity))
    return pairs


def _alike(matrix_NS: sparse.csr_array, n_left: int) -> Iterator[tuple[int, int]]:
    """(row, row - n_left) of a left and a right row with Jaccard = shared / (left + right - shared) >= THRESHOLD."""
    sizes_N = np.asarray(matrix_NS.sum(axis=1), dtype=np.float64).ravel()
    right_SM = matrix_NS[n_left:].T.tocsc()
    for start in range(0, n_left, BLOCK):
        shared = (matrix_NS[start : min(start + BLOCK, n_left)] @ right_SM).tocoo()
        rows, columns = shared.coords[0] + start, shared.coords[1]
        alike = shared.data / (sizes_N[rows] + sizes_N[n_left + columns] - shared.data) >= THRESHOLD
        yield from sorted(zip(rows[alike].tolist(), columns[alike].tolist(), strict=True))


def _matrix(shingles: Sequence[set[str]]) -> sparse.csr_array:
    """Row: example, column: shingle, 1 where the example has it."""
    column = {shingle: index for index, shingle in enumerate(dict.fromkeys(s for each in shingles for s in each))}
    indices = np.array([column[shingle] for each in shingles for shingle in each], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum([len(each) for each in shingles])])
    return sparse.csr_array((np.ones(len(indices)), indices, starts), shape=(len(shingles), len(column)))


def _shingles(text: str) -> set[str]:
    words = re.findall(r"\w+|[^\w\s]", text.casefold())
    if len(words) < SHORT:
        return {text}
    return {" ".join(words[k : k + SHINGLE]) for k in range(len(words) - SHINGLE + 1)}


def _asked(example: Example) -> str:
    prompt = example.prompt
    text = prompt if isinstance(prompt, str) else "\n".join(message.content for message in prompt)
    return f"{example.context}\n{text}"


def _choices(example: Example) -> list[str]:
    return list(example.choices.values()) if example.choices else []
