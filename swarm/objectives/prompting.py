"""Builds the prompt that an engine reads from an example: its context, the template, the chat form."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from pydantic import Field, JsonValue, ValidationInfo, field_validator

from swarm.core.errors import DataError
from swarm.core.examples import Example, Message, Prompt
from swarm.objectives.base import Objective

# Names that a rendering gives the template itself, and parameters of apply_chat_template that are no template's.
RESERVED = frozenset({
    "messages", "conversation", "conversations", "chat_template", "tokenize", "add_generation_prompt",
    "continue_final_message", "sanitize_control_tokens", "padding", "truncation", "max_length", "return_tensors",
    "return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs", "processor_kwargs", "self", "range", "dict",
    "namespace", "cycler", "joiner", "lipsum", "loop", "raise_exception", "strftime_now", "caller", "varargs", "kwargs",
})  # fmt: skip
PLACEHOLDER = re.compile(r"\{(prompt|choices)\}")


def build_prompt(example: Example, chat: bool, template: str = "{prompt}") -> Prompt:
    """The example's prompt as an engine reads it: the context, an empty line, the prompt.

    A text goes into the template's `{prompt}`, its choices ("A. text", one per line) into `{choices}`. With `chat` it
    becomes one user message. Messages stay as they are, with the context before the first user message.
    """
    if not isinstance(example.prompt, str):
        return _with_context(example.prompt, example.context)
    values = {"prompt": _joined(example.context, example.prompt), "choices": listed_choices(example)}
    text = PLACEHOLDER.sub(lambda match: values[match[1]], template)
    return (Message("user", text),) if chat else text


def listed_choices(example: Example) -> str:
    return "\n".join(f"{key}. {text}" for key, text in (example.choices or {}).items())


def answer_text(example: Example) -> str:
    """The right answer as a text, where `answer` is a key too."""
    return example.choices[example.answer] if example.choices else example.answer


def continue_with(prompt: Prompt, text: str) -> str:
    """`text`, with a space before it where it follows a text that does not end in whitespace."""
    apart = not isinstance(prompt, str) or prompt[-1:].isspace() or text[:1].isspace()
    return text if apart else " " + text


def _joined(context: str, text: str) -> str:
    return f"{context}\n\n{text}" if context else text


def _with_context(messages: tuple[Message, ...], context: str) -> tuple[Message, ...]:
    first = next((index for index, message in enumerate(messages) if message.role == "user"), 0)
    asked = replace(messages[first], content=_joined(context, messages[first].content))
    return (*messages[:first], asked, *messages[first + 1 :])


class PromptedObjective(Objective):
    """An objective whose requests start with the example's prompt."""

    template: str = Field("{prompt}", description="the text around {prompt}; {choices} lists the choices")

    template_arguments: Mapping[str, JsonValue] = Field(
        {}, description="what the chat template gets beside the messages: {enable_thinking: false}; needs chat: true"
    )

    added_later: ClassVar[frozenset[str]] = frozenset({"template_arguments"})

    @field_validator("template_arguments")
    @classmethod
    def _free_names(cls, value: Mapping[str, JsonValue], info: ValidationInfo) -> Mapping[str, JsonValue]:
        if value and not info.data.get("chat"):
            raise ValueError("without chat: true there is no template; set chat: true, or remove it")
        for name in value:
            if name in RESERVED or name.endswith("_token") or not name.isidentifier():
                raise ValueError(f"{name!r} is not free for an argument of the template; remove it")
        return value

    @field_validator("template")
    @classmethod
    def _has_prompt(cls, value: str) -> str:
        if "{prompt}" not in value:
            raise ValueError(f"{value!r} has no {{prompt}}; put it where the example's prompt belongs")
        return value

    def prompt(self, example: Example) -> Prompt:
        return build_prompt(example, self.chat, self.template)

    def check(self, example: Example) -> None:
        """Refuses chats without `chat: true`, and answers and templates that need choices which are missing."""
        if not isinstance(example.prompt, str) and not self.chat:
            raise self.refusal(example, "prompt is a chat; set chat: true")
        if example.choices is not None and example.answer not in example.choices:
            raise self.refusal(example, f"answer {example.answer!r} is not a key of its choices; correct it")
        if "{choices}" in self.template and not example.choices:
            raise self.refusal(example, "template has {choices} but the example has none; add them or change it")

    def refusal(self, example: Example, problem: str) -> DataError:
        """The error that refuses an example."""
        return DataError(f"objectives.{self.name}: example {example.named}: {problem}")
