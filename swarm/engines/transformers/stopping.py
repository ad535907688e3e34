"""Where a generated text ends: at an end token or at a stop text."""

from collections import defaultdict
from collections.abc import Sequence, Set
from functools import lru_cache

from swarm.engines.encoding import Tokenizer

# Candidates close to one another generate many of the same texts: a lookup takes 0.3 us, decoding 2.4 us (docs/log.md).
# The cache is limited to short texts so that it stays within a few megabytes.
CACHED_TEXTS = 1 << 12
CACHED_TOKENS = 64  # per text
INCOMPLETE = "\N{REPLACEMENT CHARACTER}"  # what a part of a character's bytes is decoded to


class Stopping:
    """Decides after each token whether the text ends there. end_ids: the tokens that end any text."""

    def __init__(self, tokenizer: Tokenizer, end_ids: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._end_ids = end_ids
        self._non_stop: dict[tuple[str, ...], set[int]] = defaultdict(set)
        self._cached_decode = lru_cache(CACHED_TEXTS)(self._decode)

    def non_stop_tokens(self, stop: tuple[str, ...]) -> Set[int]:
        """Tokens known not to end a text with these stop texts. The set grows as tokens are seen."""
        return self._non_stop[stop]

    def finished_text(self, stop: tuple[str, ...], tokens: Sequence[int]) -> str | None:
        """The text that the last of these tokens ends, cut before its first stop text; None where it continues."""
        ended = tokens[-1] in self._end_ids
        if not ended and not self._may_stop(tokens[-1], stop):
            return None
        text = self.text(tokens)
        stops = [text.find(each) for each in stop if each in text]
        if stops:
            return text[: min(stops)]
        return text if ended else None

    def text(self, tokens: Sequence[int]) -> str:
        """The whole text of these tokens, without special tokens."""
        decode = self._cached_decode if len(tokens) <= CACHED_TOKENS else self._decode
        return decode(tuple(tokens))

    def _may_stop(self, token: int, stop: tuple[str, ...]) -> bool:
        """Whether the token may be the last of a stop text. Decoding every text at every step would be slow."""
        if token in self._non_stop[stop]:
            return False
        piece = self.text([token])
        # A tokenizer may drop the space that a text starts with, so a token decoded by itself may hide one.
        if INCOMPLETE in piece or any(text[-1] == " " or text[-1] in piece for text in stop):
            return True
        self._non_stop[stop].add(token)
        return False

    def _decode(self, tokens: tuple[int, ...]) -> str:
        return self._tokenizer.decode(list(tokens), skip_special_tokens=True)
