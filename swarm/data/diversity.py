"""Diverse examples: greedy k-center, the farthest point first, over TF-IDF of hashed character n-grams.

Shape suffixes: N texts, F features.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from swarm.data.duplicates import normalised

GRAM = 3  # characters of an n-gram
FEATURES = 1 << 18  # that n-grams are hashed to
Embed = Callable[[Sequence[str]], sparse.csr_array]
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def embedded(texts: Sequence[str]) -> sparse.csr_array:
    """A row of length 1 per text: for each n-gram (1 + log count) * log(N / texts with it). No model is used.

    Case and spaces do not count. A text whose n-grams are all in every text has a row of zeros.
    """
    counted = [_grams(text) for text in texts]
    columns = np.concatenate([columns for columns, _ in counted]) if counted else np.zeros(0, np.int64)
    counts = np.concatenate([counts for _, counts in counted]) if counted else np.zeros(0)
    offsets = np.concatenate([[0], np.cumsum([len(columns) for columns, _ in counted])])
    found_in_F = np.bincount(columns, minlength=FEATURES)
    values = (1.0 + np.log(counts)) * np.log(len(texts) / found_in_F[columns])
    matrix_NF = sparse.csr_array((values, columns, offsets), shape=(len(texts), FEATURES))
    length_N = np.sqrt(np.asarray(matrix_NF.multiply(matrix_NF).sum(axis=1)).ravel())
    scale_N = np.divide(1.0, length_N, out=np.zeros_like(length_N), where=length_N > 0)
    return sparse.csr_array(sparse.diags_array(scale_N) @ matrix_NF)


@dataclass(frozen=True)
class Spread:
    """What greedy k-center chose.

    order: the chosen places, in the order of their choice.
    distances: each text's distance from the nearest one chosen before it, or of all; inf for the first one.
    nearest: the place of that one.
    """

    order: tuple[int, ...]
    distances: tuple[float, ...]
    nearest: tuple[int, ...]


def farthest_first(matrix_NF: sparse.csr_array, kinds: Sequence[str], most: Mapping[str, int]) -> Spread:
    """Greedy k-center (Gonzalez 1985): first the first text, then each time the one farthest from those before it.

    kinds: of each text. most: how many may be chosen of each kind; of others none.
    """
    left, kind_N = {kind: most.get(kind, 0) for kind in kinds}, np.array(kinds)
    open_N = np.isin(kind_N, [kind for kind, n in left.items() if n > 0])
    chosen_N = np.zeros(len(kinds), bool)
    nearness_N, nearest_N = np.full(len(kinds), -math.inf), np.zeros(len(kinds), np.int64)
    order: list[int] = []
    while open_N.any():
        new = int(np.argmin(np.where(open_N, nearness_N, math.inf)))
        order.append(new)
        open_N[new], chosen_N[new] = False, True
        left[kinds[new]] -= 1
        if left[kinds[new]] == 0:
            open_N &= kind_N != kinds[new]
        similarity_N = np.asarray(matrix_NF @ matrix_NF[[new]].toarray().ravel())
        closer_N = ~chosen_N & (similarity_N > nearness_N)
        nearness_N[closer_N], nearest_N[closer_N] = similarity_N[closer_N], new
    distances = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * nearness_N))
    return Spread(tuple(order), tuple(distances.tolist()), tuple(nearest_N.tolist()))


def _grams(text: str) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The features of a text's n-grams, and how often each occurs."""
    letters = f" {normalised(text).casefold()} ".encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(letters, np.uint32).astype(np.uint64)
    hashes = np.zeros(len(codes) - GRAM + 1, np.uint64)
    for k in range(GRAM):
        hashes = hashes * MULTIPLIER + codes[k : len(codes) - GRAM + 1 + k]
    columns, counts = np.unique((hashes * MULTIPLIER) >> np.uint64(64 - 18), return_counts=True)
    return columns.astype(np.int64), counts
