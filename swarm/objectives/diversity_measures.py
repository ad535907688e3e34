"""How different several texts are from each other: four measures, each 0 for copies of one text and 1 at most.

Shape suffixes: K texts, D dimensions of an embedding.
"""

import re
import zlib
from collections.abc import Sequence

import numpy as np

from swarm.core.space import Array

LONGEST = 3  # of the n-grams that distinct_n counts
WORD = re.compile(r"\w+|[^\w\s]")


def distinct_n(texts: Sequence[str]) -> float:
    """The share of n-grams that are unique (Li et al. 2016, arXiv 1510.03055), over all texts, mean of n = 1, 2, 3.

    K copies have a share of 1 / K at most, which is made 0: (share - 1/K) / (1 - 1/K), and not below 0. n-grams are of
    lower-case words and marks. 1: no n-gram occurs twice. Longer texts repeat more. At least two texts.
    """
    words = [WORD.findall(text.lower()) for text in texts]
    shares = []
    for n in range(1, LONGEST + 1):
        grams = [tuple(each[i : i + n]) for each in words for i in range(len(each) - n + 1)]
        if grams:
            shares.append(len(set(grams)) / len(grams))
    copies = 1 / len(texts)
    return max(0.0, (float(np.mean(shares)) - copies) / (1 - copies)) if shares else 0.0


def compression(texts: Sequence[str]) -> float:
    """The compressed size of all texts together, from that of as many copies of one (0) to that of each alone (1).

    A compression ratio (Shaib et al. 2024, arXiv 2403.00553) between its two extremes, so that neither length nor
    repetition within a text counts. Unrelated texts of one sentence reach some 0.6. DEFLATE looks back 32 kB: what two
    texts share further apart is not seen.
    """
    sizes = [_deflated(text) for text in texts]
    fullest = texts[int(np.argmax(sizes))]
    least, most = _deflated("\n".join([fullest] * len(texts))), sum(sizes)
    return min(1.0, max(0.0, (_deflated("\n".join(texts)) - least) / (most - least))) if most > least else 0.0


def _deflated(text: str) -> int:
    """Bytes of the text as a raw DEFLATE stream, without a header. Unpaired surrogates count as a mark."""
    return len(zlib.compress(text.encode(errors="replace"), level=9, wbits=-15)) if text else 0


def dissimilarity(vectors_KD: Array, unrelated: float) -> float:
    """(1 - mean cosine of all pairs) / (1 - unrelated), from 0 to 1. vectors_KD: unit vectors, at least two.

    unrelated: the mean cosine of texts that have nothing to do with each other, such as answers to different prompts.
    """
    count = len(vectors_KD)
    total = float((vectors_KD @ vectors_KD.T).sum())
    mean = (total - count) / (count * (count - 1))
    return min(1.0, max(0.0, (1 - mean) / (1 - unrelated)))


def vendi(vectors_KD: Array) -> float:
    """(V - 1) / (K - 1), of the Vendi score V = exp(-sum_i l_i log l_i), the effective number of different texts.

    l_i: the eigenvalues of G / K, G the matrix of cosines (Friedman & Dieng 2023, arXiv 2210.02410, definition 3.1).
    vectors_KD: unit vectors, at least two. 0: copies; 1: every two at right angles.
    """
    values = np.linalg.eigvalsh(vectors_KD @ vectors_KD.T / len(vectors_KD))
    positive = values[values > 1e-12]
    score = float(np.exp(-(positive * np.log(positive)).sum()))
    return min(1.0, max(0.0, (score - 1) / (len(vectors_KD) - 1)))
