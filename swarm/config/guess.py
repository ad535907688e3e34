"""The config that a base, experts and one data file suggest, as YAML with the reason beside each guess.

The objective is guessed from the data. What cannot be guessed is refused: no objective is better than a wrong one.
"""

import math
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from swarm.config.references import find
from swarm.core.errors import ConfigError
from swarm.core.examples import Example
from swarm.core.terminal_text import shortened
from swarm.data.examples import DevTest, read_data
from swarm.engines.encoding import Tokenizer
from swarm.experts.base_tokenizer import load_tokenizer

SHORT = 60  # characters of a short answer, on one line
NUMBER = re.compile(r"[-+]?[$€£]?\d[\d,. ]*%?")
SPARE = 4  # tokens beyond the longest short answer: its end, and a space before it
STEPS = 64  # tokens, at least, where a chat model writes steps before a number
MOST_TOKENS = 1024


@dataclass(frozen=True)
class Line:
    """A key of the objective, its value, and why it has it; "" where that needs no words."""

    key: str
    value: object
    reason: str = ""


def guessed_yaml(base: str, experts: Sequence[str], data: str, folder: Path) -> str:
    """A config, as a user would write it. References count from `folder`.

    Raises UserError where base or data cannot be read, and ConfigError where the data suggest no objective.
    """
    tokenizer: Tokenizer = load_tokenizer(find(base, folder, "--base"))
    examples = _examples(find(data, folder, "--data"))
    chat = bool(tokenizer.chat_template)
    asked_as_chat = not isinstance(examples[0].prompt, str)
    name = re.sub(r"\W+", "_", Path(data).stem).strip("_") or "score"
    lines = [Line("name", name), *_objective(examples, data, tokenizer, chat), Line("data", data)]
    if chat and not asked_as_chat:
        lines.append(Line("chat", True, "the base has a chat template"))
    written = [_written("base", base), _written("experts", list(experts)), "objectives:"]
    indented = [
        f"  {'-' if i == 0 else ' '} {_written(line.key, line.value)}{_comment(line)}" for i, line in enumerate(lines)
    ]
    return "\n".join([*written, *indented, ""])


def _written(key: str, value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=math.inf)
    return f"{key}: {text.removesuffix('...' + chr(10)).rstrip()}"


def _comment(line: Line) -> str:
    return f"  # {line.reason}" if line.reason else ""


def _examples(path: Path) -> list[Example]:
    found = read_data(path)
    return [*found.dev, *found.test] if isinstance(found, DevTest) else found


def _objective(examples: Sequence[Example], data: str, tokenizer: Tokenizer, chat: bool) -> Iterator[Line]:
    """Type and settings of the objective. chat: whether the model answers in a chat, and so in sentences."""
    with_choices = sum(bool(example.choices) for example in examples)
    if 0 < with_choices < len(examples):
        raise ConfigError(
            f"--data: {shortened(data)} has choices in {with_choices} of {len(examples)} examples, so no single "
            "objective fits; give it one kind of examples, or write a config with an objective for each kind"
        )
    answers = [answer for example in examples for answer in (example.answer, *example.aliases)]
    if with_choices:
        yield Line("type", "multiple_choice", "every example has choices")
    elif marker := next((name for name, is_solution in SOLUTIONS.items() if all(map(is_solution, answers))), ""):
        yield Line("type", "exact_match", "answers are worked solutions")
        yield from _solution(marker, answers, tokenizer)
    elif all(len(answer) <= SHORT and "\n" not in answer.strip() for answer in answers):
        yield Line("type", "exact_match", "every answer is short")
        yield from _short(answers, tokenizer, chat)
    else:
        words = statistics.median(len(answer.split()) for answer in answers)
        yield Line("type", "likelihood", f"answers are texts, of {words:.0f} words in the median")


SOLUTIONS: dict[str, Callable[[str], bool]] = {
    "after_hash": lambda answer: "####" in answer,
    "boxed": lambda answer: "\\boxed" in answer,
}


def _solution(marker: str, answers: Sequence[str], tokenizer: Tokenizer) -> Iterator[Line]:
    yield Line("extract", marker, "they mark their result")
    yield Line("stop", [], "a solution has several lines")
    longest = _longest(answers, tokenizer)
    yield Line("max_new_tokens", min(MOST_TOKENS, longest + longest // 2), f"the longest has {longest} tokens")


def _short(answers: Sequence[str], tokenizer: Tokenizer, chat: bool) -> Iterator[Line]:
    longest = _longest(answers, tokenizer)
    if chat and all(NUMBER.fullmatch(answer.strip()) for answer in answers):
        yield Line("extract", "last_number", "they are numbers, and a chat model writes steps before them")
        yield Line("stop", [])
        yield Line("max_new_tokens", max(STEPS, longest + SPARE))
        return
    yield Line("max_new_tokens", longest + SPARE, f"the longest has {longest} tokens")


def _longest(answers: Sequence[str], tokenizer: Tokenizer) -> int:
    return max(len(tokenizer.encode(answer, add_special_tokens=False)) for answer in answers)
