"""Where a text ends: at an end token, at a stop text, or at its limit."""

from collections import defaultdict
from collections.abc import Sequence, Set
from functools import lru_cache

from swarm.engines.encoding import Tokenizer
from swarm.types import Generation

KEPT = 1 << 12  # texts: candidates that are near one another answer alike
UNFINISHED = "\N{REPLACEMENT CHARACTER}"  # what a part of a character's bytes is decoded to


class Ending:
    """Tells it from the tokens so far. `end_ids`: the tokens that end any text."""

    def __init__(self, tokenizer: Tokenizer, end_ids: frozenset[int]) -> None:
        self._end_ids = end_ids
        self._harmless: dict[tuple[str, ...], set[int]] = defaultdict(set)
        self._decoded = lru_cache(KEPT)(lambda tokens: tokenizer.decode(list(tokens), skip_special_tokens=True))

    def harmless(self, stop: tuple[str, ...]) -> Set[int]:
        """Tokens that are known to end no text with these stop texts. It grows."""
        return self._harmless[stop]

    def text(self, request: Generation, tokens: Sequence[int]) -> str | None:
        """The text that these tokens end, cut before its first stop text; None where it goes on."""
        ended = tokens[-1] in self._end_ids or len(tokens) >= request.max_new_tokens
        if not ended and not self._may_stop(tokens[-1], request.stop):
            return None
        text = self._decoded(tuple(tokens))
        stops = [text.find(stop) for stop in request.stop if stop in text]
        if stops:
            return text[: min(stops)]
        return text if ended else None

    def _may_stop(self, token: int, stop: tuple[str, ...]) -> bool:
        """Whether the token may be the last of a stop text: decoding every text at every step takes its time."""
        if token in self._harmless[stop]:
            return False
        piece = self._decoded((token,))
        # A space may be dropped where a text begins, so a lone token does not tell of it.
        if UNFINISHED in piece or any(text[-1] == " " or text[-1] in piece for text in stop):
            return True
        self._harmless[stop].add(token)
        return False
