"""Encodes requests as token ids: with the chat template or as raw text, split into prompt and continuation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from swarm.core.errors import ConfigError, DataError
from swarm.core.examples import Prompt
from swarm.core.requests import Continuation, Generation, Request
from swarm.engines.chat_template import ChatTokenizer, render_chat
from swarm.experts.base_tokenizer import load_config, load_tokenizer

# Characters of a prompt that are encoded together with a target: how a tokenizer splits a text depends on the word or
# so before it. With the whole prompt, a long one would be encoded again for every target.
PROMPT_TAIL = 64
POSITIONS = ("max_position_embeddings",)  # the context length's key of config.json
PROBE = "a"  # a text that shows which special tokens a tokenizer adds


class Tokenizer(ChatTokenizer, Protocol):
    """What is used of a tokenizer of transformers."""

    chat_template: str | None
    bos_token_id: int | None
    eos_token_id: int | None

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]: ...

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool = False) -> str: ...


@dataclass(frozen=True, eq=False)
class Encoded:
    """A request as token ids.

    request: what was encoded.
    prompt: the prompt's tokens; never empty.
    continuation: the continuation's tokens; empty for a generation.
    targets: a generation's targets, each with the token or stop text that ends it; empty for a continuation.
    """

    request: Request
    prompt: tuple[int, ...]
    continuation: tuple[int, ...]
    targets: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.prompt) + len(self.continuation)


@dataclass(frozen=True, eq=False)
class Requests:
    """Requests that many candidates get. An engine keeps what it derives from one, as long as the object lives."""

    items: tuple[Encoded, ...]


class Encoder:
    """Encodes requests with the base's tokenizer and checks them against its context length. Needs no weights."""

    def __init__(self, tokenizer: Tokenizer, max_positions: int) -> None:
        """max_positions: the longest prompt and text, in tokens."""
        self.tokenizer = tokenizer
        self._max_positions = max_positions

    @classmethod
    def of(cls, base: Path) -> "Encoder":
        """The encoder of the base checkpoint in a folder. Raises ExpertError where transformers cannot load it."""
        config = load_config(base)
        if config.is_encoder_decoder:
            lengths = (
                _longest(config, f"max_{side}_position_embeddings", *POSITIONS) for side in ("encoder", "decoder")
            )
            return PairEncoder(load_tokenizer(base), *lengths)
        return cls(load_tokenizer(base), _longest(config, *POSITIONS, "n_positions"))

    @property
    def max_positions(self) -> int:
        """The longest prompt and text, in tokens."""
        return self._max_positions

    def encode(self, requests: Sequence[Request]) -> Requests:
        """The requests as token ids, in order.

        Raises ConfigError where a prompt needs a chat template that is missing, DataError where the template fails or
        the prompt needs more tokens than the model takes.
        """
        return Requests(tuple(self._encode(request) for request in requests))

    def shown(self, ids: Sequence[int]) -> str:
        """Token ids as the text that the model sees, special tokens included."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def _encode(self, request: Request) -> Encoded:
        text, special = self._render(request.prompt, request.template_arguments)
        if isinstance(request, Generation):
            encoded, extra = self._generation(text, special, request), request.max_new_tokens
        else:
            encoded, extra = self._continuation(text, special, request), 0
        self._check_length(text, encoded, extra)
        return encoded

    def _check_length(self, text: str, encoded: Encoded, extra: int) -> None:
        """extra: tokens that may be written."""
        _check_room(f"the prompt {text[:60]!r}...", len(encoded), extra, "model", self._max_positions)

    def _continuation(self, text: str, special: bool, request: Continuation) -> Encoded:
        # As lm-eval's _encode_pair does it. In most vocabularies, whitespace at the end of a prompt belongs to the
        # continuation's first token.
        stripped = text.rstrip()
        moved = text[len(stripped) :] + request.text
        alone = self._ids(stripped, special)
        whole = self._ids(stripped + moved, special)
        continuation = whole[len(alone) :] or self._ids(moved, special=False)
        return Encoded(request, self._started(alone), tuple(continuation))

    def _generation(self, text: str, special: bool, request: Generation) -> Encoded:
        prompt = self._ids(text, special)
        targets = tuple(self._target(text[-PROMPT_TAIL:], target, request.stop) for target in request.targets)
        return Encoded(request, self._started(prompt), (), targets)

    def _target(self, before: str, target: str, stop: Sequence[str]) -> tuple[int, ...]:
        """The tokens of a text that would be right, and of what ends it: the first stop text, or the end token."""
        ended = target + (stop[0] if stop else "")
        alone = self.tokenizer.encode(before, add_special_tokens=False)
        whole = self.tokenizer.encode(before + ended, add_special_tokens=False)
        parts = list(whole[: len(alone)]) == list(alone)  # else its first token would include the prompt's end
        tokens = whole[len(alone) :] if parts else self.tokenizer.encode(ended, add_special_tokens=False)
        end = self.tokenizer.eos_token_id
        return (*tokens, *([] if stop or end is None else [end]))

    def _ids(self, text: str, special: bool) -> list[int]:
        """The text's tokens: with the special tokens that the tokenizer puts in front, without those behind.

        Nothing is put in front of a text that already starts with the token that texts start from.
        """
        special = special and not (self._start_text and text.startswith(self._start_text))
        ids = list(self.tokenizer.encode(text, add_special_tokens=special))
        n = len(self._appended) if special else 0
        return ids[:-n] if n and tuple(ids[-n:]) == self._appended else ids

    @property
    def _appended(self) -> tuple[int, ...]:
        """The special tokens behind a text that no prompt has, such as an end token: a prompt goes on."""
        return self._behind

    @cached_property
    def _behind(self) -> tuple[int, ...]:
        """The special tokens that the tokenizer puts behind a text."""
        alone = list(self.tokenizer.encode(PROBE, add_special_tokens=False))
        whole = list(self.tokenizer.encode(PROBE))
        starts = (i for i in range(len(whole) - len(alone), -1, -1) if whole[i : i + len(alone)] == alone)
        start = next(starts, len(whole)) if alone else len(whole)
        return tuple(whole[start + len(alone) :])

    @cached_property
    def _start_text(self) -> str:
        start = self._start
        return "" if start is None else self.tokenizer.decode([start])

    @property
    def _start(self) -> int | None:
        """The token that a text starts from; None where the tokenizer has none."""
        start = self.tokenizer.bos_token_id
        return self.tokenizer.eos_token_id if start is None else start

    def _started(self, ids: Sequence[int]) -> tuple[int, ...]:
        """The ids; where there are none, the token that a text starts from."""
        if ids:
            return tuple(ids)
        assert self._start is not None, "a tokenizer has a token to start from"
        return (self._start,)

    def _render(self, prompt: Prompt, arguments: Mapping[str, object]) -> tuple[str, bool]:
        """The text, and whether the tokenizer still has to add its special tokens."""
        if isinstance(prompt, str):
            return prompt, True
        if self.tokenizer.chat_template is None:
            raise ConfigError("objectives: chat: true, but the base's tokenizer has no chat template; set chat: false")
        return render_chat(self.tokenizer, prompt, arguments), False


class PairEncoder(Encoder):
    """Encodes for an encoder-decoder as lm-eval does: prompt and continuation are tokenised apart.

    The prompt keeps the special tokens that the tokenizer puts behind it, and the continuation has none.
    """

    def __init__(self, tokenizer: Tokenizer, max_prompt: int, max_text: int) -> None:
        """max_prompt, max_text: the most tokens that the encoder and the decoder take."""
        super().__init__(tokenizer, max_prompt)
        self._max_text = max_text

    def _continuation(self, text: str, special: bool, request: Continuation) -> Encoded:
        stripped = text.rstrip()
        prompt = self._ids(stripped, special and bool(text))
        moved = self._ids(text[len(stripped) :] + request.text, special=False)
        return Encoded(request, self._started(prompt), tuple(moved))

    def _target(self, before: str, target: str, stop: Sequence[str]) -> tuple[int, ...]:
        return super()._target("", target, stop)

    def _check_length(self, text: str, encoded: Encoded, extra: int) -> None:
        prompt = f"the prompt {text[:60]!r}..."
        _check_room(prompt, len(encoded.prompt), 0, "encoder", self._max_positions)
        # The decoder reads a start token and what is written, without the last token.
        _check_room(f"the text after {prompt[4:]}", len(encoded.continuation), extra, "decoder", self._max_text)

    @property
    def _appended(self) -> tuple[int, ...]:
        return ()


def _check_room(what: str, length: int, extra: int, who: str, takes: int) -> None:
    """extra: tokens that may be written after `length`."""
    if length + extra > takes:
        lower = " or lower max_new_tokens" if extra and length < takes else ""
        raise DataError(
            f"{what} needs {length + extra} tokens, but the {who} takes {takes}; shorten the example{lower}"
        )


def _longest(config: object, *names: str) -> int:
    """The first of these keys that a config has; no limit where it has none."""
    return next((int(found) for name in names if (found := getattr(config, name, 0))), 1 << 30)
