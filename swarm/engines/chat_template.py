"""Renders a chat with the tokenizer's own template, within limits, and turns what it raises into one line."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from transformers.utils.chat_template_utils import _compile_jinja_template

from swarm.core.errors import ChatTemplateError
from swarm.core.examples import Message

# A template repeats a message a few times at most; one that writes more than this does not end.
MOST_CHARACTERS = 1 << 20
REPEATS = 16
MOST_STEPS = 1 << 20  # of all `range` loops together: loops that write nothing end too
SHOWN = 200  # characters of a template's own message


class ChatTokenizer(Protocol):
    """What is used of a tokenizer of transformers to render a chat."""

    special_tokens_map: Mapping[str, object]

    def get_chat_template(self, chat_template: str | None = None, tools: list[object] | None = None) -> str: ...


def render_chat(tokenizer: ChatTokenizer, chat: Sequence[Message], arguments: Mapping[str, object]) -> str:
    """The chat as a text, with the assistant's turn begun, as `apply_chat_template` renders it.

    arguments: what the template gets besides, such as {"enable_thinking": False}.
    Raises ChatTemplateError where the template raises anything, writes without end, or knows none of an argument.
    """
    turns = [{"role": message.role, "content": message.content} for message in chat]
    values = {**tokenizer.special_tokens_map, "tools": None, "documents": None, **arguments}
    limit = MOST_CHARACTERS + REPEATS * sum(len(message.content) for message in chat)
    try:
        source = tokenizer.get_chat_template(tools=arguments.get("tools"))  # type: ignore[arg-type]
        _check_known(source, arguments)
        template = _compile_jinja_template(source)
        pieces = template.generate(messages=turns, add_generation_prompt=True, range=_bounded_range(), **values)
        return "".join(_limited(pieces, limit))
    except ChatTemplateError:
        raise
    except Exception as error:  # a template is a program of somebody else's: it may raise anything
        reason = " ".join(str(error).split())[:SHOWN] or type(error).__name__
        raise ChatTemplateError(
            f"the base's chat template cannot render it ({type(error).__name__}: {reason}); "
            "change its messages or template_arguments, or set chat: false"
        ) from error


def _check_known(source: str, arguments: Mapping[str, object]) -> None:
    unknown = [name for name in arguments if name not in source]
    if unknown:
        raise ChatTemplateError(
            f"template_arguments: the base's chat template does not use {unknown[0]!r}; correct the name or remove it"
        )


def _limited(pieces: Iterator[str], limit: int) -> Iterator[str]:
    """The pieces. Raises ChatTemplateError where they are more than `limit` characters."""
    written = 0
    for piece in pieces:
        written += len(piece)
        if written > limit:
            raise _endless(f"writes more than {limit:,} characters")
        yield piece


def _bounded_range() -> Callable[..., range]:
    """`range` for one rendering: all its loops together have MOST_STEPS steps."""
    left = MOST_STEPS

    def bounded(*bounds: int) -> range:
        nonlocal left
        steps = range(*bounds)
        left -= len(steps)
        if left < 0:
            raise _endless(f"loops more than {MOST_STEPS:,} times")
        return steps

    return bounded


def _endless(what: str) -> ChatTemplateError:
    return ChatTemplateError(f"the base's chat template {what}; correct chat_template, or set chat: false")
