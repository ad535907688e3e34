"""Requests to token ids: chat template or raw text, and where the continuation starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from swarm.errors import DataError
from swarm.types import Continuation, Generation, Prompt, Request


class Tokenizer(Protocol):
    """What is used of a transformers tokenizer."""

    chat_template: str | None
    bos_token_id: int | None
    eos_token_id: int | None

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]: ...

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool = False) -> str: ...

    def apply_chat_template(
        self, conversation: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str: ...


@dataclass(frozen=True)
class Encoded:
    """A request as token ids: the prompt's, and the continuation's (empty for a generation)."""

    prompt: tuple[int, ...]
    continuation: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.continuation)


class Encoder:
    """Encodes each request once a run."""

    def __init__(self, tokenizer: Tokenizer, max_positions: int) -> None:
        self._tokenizer = tokenizer
        self._max_positions = max_positions
        self._known: dict[Request, Encoded] = {}

    def encode(self, request: Request) -> Encoded:
        """Raises DataError where the prompt needs a chat template that is missing, or more tokens than fit."""
        if request not in self._known:
            self._known[request] = self._encode(request)
        return self._known[request]

    def _encode(self, request: Request) -> Encoded:
        text, special = self._render(request.prompt)
        if isinstance(request, Generation):
            encoded, extra = Encoded(self._prompt(text, special), ()), request.max_new_tokens
        else:
            encoded, extra = self._continuation(text, special, request), 0
        if len(encoded) + extra > self._max_positions:
            raise DataError(
                f"the prompt {text[:60]!r}... needs {len(encoded) + extra} tokens, but the model takes "
                f"{self._max_positions}; shorten the example or lower max_new_tokens"
            )
        return encoded

    def _continuation(self, text: str, special: bool, request: Continuation) -> Encoded:
        # Spaces at the end of a prompt belong to the continuation's first token in most vocabularies.
        stripped = text.rstrip(" ")
        moved = text[len(stripped) :] + request.text
        alone = self._tokenizer.encode(stripped, add_special_tokens=special)
        whole = self._tokenizer.encode(stripped + moved, add_special_tokens=special)
        continuation = whole[len(alone) :] or self._tokenizer.encode(moved, add_special_tokens=False)
        return Encoded(self._started(alone), tuple(continuation))

    def _prompt(self, text: str, special: bool) -> tuple[int, ...]:
        return self._started(self._tokenizer.encode(text, add_special_tokens=special))

    def _started(self, ids: Sequence[int]) -> tuple[int, ...]:
        """The ids, or where there are none the token that a text starts from."""
        if ids:
            return tuple(ids)
        start = self._tokenizer.bos_token_id
        start = self._tokenizer.eos_token_id if start is None else start
        assert start is not None, "a tokenizer has a token to start from"
        return (start,)

    def _render(self, prompt: Prompt) -> tuple[str, bool]:
        """The text, and whether the tokenizer still has to add its special tokens."""
        if isinstance(prompt, str):
            return prompt, True
        if self._tokenizer.chat_template is None:
            raise DataError("objectives: chat: true, but the base's tokenizer has no chat template; set chat: false")
        turns = [{"role": message.role, "content": message.content} for message in prompt]
        return self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True), False
