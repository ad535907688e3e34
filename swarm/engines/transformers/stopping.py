"""Where a text ends: at an end token or at a stop text."""

from collections import defaultdict
from collections.abc import Sequence, Set
from functools import lru_cache

from swarm.engines.encoding import Tokenizer

TEXTS_KEPT, TOKENS_KEPT = 1 << 12, 64  # so many texts of at most so many tokens: some megabytes
UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what a part of a character's bytes is decoded to


class Stopping:
    """Tells it from the tokens so far. `end_ids`: the tokens that end any text."""

    def __init__(self, tokenizer: Tokenizer, end_ids: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._end_ids = end_ids
        self._harmless: dict[tuple[str, ...], set[int]] = defaultdict(set)
        self._remembered = lru_cache(TEXTS_KEPT)(self._decoded)

    def harmless(self, stop: tuple[str, ...]) -> Set[int]:
        """Tokens that are known to end no text with these stop texts. It grows."""
        return self._harmless[stop]

    def text(self, stop: tuple[str, ...], tokens: Sequence[int]) -> str | None:
        """The text that the last of these tokens ends, cut before its first stop text; None where it goes on."""
        ended = tokens[-1] in self._end_ids
        if not ended and not self._may_stop(tokens[-1], stop):
            return None
        text = self.whole(tokens)
        stops = [text.find(each) for each in stop if each in text]
        if stops:
            return text[: min(stops)]
        return text if ended else None

    def whole(self, tokens: Sequence[int]) -> str:
        """The text of these tokens. Candidates that are near one another write alike, so short ones are remembered."""
        decoded = self._remembered if len(tokens) <= TOKENS_KEPT else self._decoded
        return decoded(tuple(tokens))

    def _may_stop(self, token: int, stop: tuple[str, ...]) -> bool:
        """Whether the token may be the last of a stop text: decoding every text at every step takes its time."""
        if token in self._harmless[stop]:
            return False
        piece = self.whole([token])
        # A space may be dropped where a text begins, so a lone token does not tell of it.
        if UNFINISHED in piece or any(text[-1] == " " or text[-1] in piece for text in stop):
            return True
        self._harmless[stop].add(token)
        return False

    def _decoded(self, tokens: tuple[int, ...]) -> str:
        return self._tokenizer.decode(list(tokens), skip_special_tokens=True)
