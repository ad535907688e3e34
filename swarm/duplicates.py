"""Finds examples that are the same or nearly so: exact keys, and Jaccard similarity of word shingles.

Shape suffixes: N examples, S shingles.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from swarm.types import Array, Example

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

    Shingles found in more than a tenth of the examples (and in more than 50) are a template's: they do not count.
    """
    matrix_NS = _shingle_matrix([*left, *right])
    sizes_N = np.asarray(matrix_NS.sum(axis=1), dtype=np.float64).ravel()
    right_SN = matrix_NS[len(left) :].T.tocsc()
    pairs: list[SimilarPair] = []
    for start in range(0, len(left), BLOCK):
        block = slice(start, min(start + BLOCK, len(left)))
        shared = (matrix_NS[block] @ right_SN).tocoo()
        pairs += _above_threshold(shared, sizes_N[block], sizes_N[len(left) :], start)
    return sorted(pairs, key=lambda pair: (pair.left, pair.right))


def _above_threshold(shared: sparse.coo_array, sizes_L: Array, sizes_R: Array, start: int) -> list[SimilarPair]:
    """Jaccard = shared / (left + right - shared), for the pairs that share anything."""
    rows, columns = shared.coords
    similarities = shared.data / (sizes_L[rows] + sizes_R[columns] - shared.data)
    found = np.flatnonzero(similarities >= THRESHOLD)
    return [SimilarPair(start + int(rows[k]), int(columns[k]), float(similarities[k])) for k in found]


def _shingle_matrix(examples: Sequence[Example]) -> sparse.csr_array:
    """Row: example, column: shingle, 1 where the example has it."""
    texts = [normalised("\n".join([_asked(example), *_choices(example)])) for example in examples]
    shingles = [_shingles(text) for text in texts]
    found_in = Counter(shingle for each in shingles for shingle in each)
    common = max(50, len(examples) // 10)
    kept = [
        {s for s in each if found_in[s] <= common} or {text} for text, each in zip(texts, shingles, strict=True)
    ]
    column = {shingle: index for index, shingle in enumerate(dict.fromkeys(s for each in kept for s in each))}
    indices = np.array([column[shingle] for each in kept for shingle in each], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum([len(each) for each in kept])])
    return sparse.csr_array((np.ones(len(indices)), indices, starts), shape=(len(kept), len(column)))


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
