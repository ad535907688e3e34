"""Renders a chat with the tokenizer's own template, within limits, and turns what it raises into one line."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from swarm.core.errors import ChatTemplateError
from swarm.core.examples import Message
from swarm.engines.template_process import TemplateProcess

# A template repeats a message a few times at most; one that writes more than this does not end.
MOST_CHARACTERS = 1 << 20
REPEATS = 16
MOST_STEPS = 1 << 20  # of all `range` loops together: loops that write nothing end too
SHOWN = 200  # characters of a template's own message
PROCESS = TemplateProcess()


class ChatTokenizer(Protocol):
    """What is used of a tokenizer of transformers to render a chat."""

    special_tokens_map: Mapping[str, object]

    def get_chat_template(self, chat_template: str | None = None, tools: list[object] | None = None) -> str: ...


def render_chat(
    tokenizer: ChatTokenizer,
    chat: Sequence[Message],
    arguments: Mapping[str, object],
    process: TemplateProcess = PROCESS,
) -> str:
    """The chat as a text, with the assistant's turn begun, as `apply_chat_template` renders it.

    arguments: what the template gets besides, such as {"enable_thinking": False}.
    Raises ChatTemplateError where the template raises anything, does too much, or knows none of an argument.
    """
    try:
        source = tokenizer.get_chat_template(tools=arguments.get("tools"))  # type: ignore[arg-type]
    except Exception as error:  # of several templates none may fit
        raise _failed(type(error).__name__, str(error)) from error
    _check_known(source, arguments)
    turns = [{"role": message.role, "content": message.content} for message in chat]
    values = {**tokenizer.special_tokens_map, "tools": None, "documents": None, **arguments}
    limit = MOST_CHARACTERS + REPEATS * sum(len(message.content) for message in chat)
    answer = process.render(source, {**values, "messages": turns, "add_generation_prompt": True}, limit, MOST_STEPS)
    if "endless" in answer:
        raise ChatTemplateError(
            f"the base's chat template {answer['endless']}; correct the template, or set chat: false where prompts are "
            "texts"
        )
    if "error" in answer:
        raise _failed(answer["error"], answer["reason"])
    return answer["text"]


def _check_known(source: str, arguments: Mapping[str, object]) -> None:
    unknown = [name for name in arguments if name not in source]
    if unknown:
        raise ChatTemplateError(
            f"template_arguments: the base's chat template does not use {unknown[0]!r}; correct the name or remove it"
        )


def _failed(kind: str, reason: str) -> ChatTemplateError:
    shown = " ".join(reason.split())[:SHOWN] or kind
    return ChatTemplateError(
        f"the base's chat template cannot render it ({kind}: {shown}); change its messages or template_arguments, "
        "correct the template, or set chat: false where prompts are texts"
    )
