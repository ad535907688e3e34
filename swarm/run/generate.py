"""What a delivered weighting writes after prompts, with the engine that a search scores with."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swarm.core.errors import ConfigError, DataError, EvaluationError, RunError
from swarm.core.examples import Example
from swarm.core.recipe_places import turned
from swarm.core.requests import Generation, Text
from swarm.data.examples import read_examples, text_examples
from swarm.data.files import kind_of, read_text
from swarm.engines import Encoder
from swarm.engines.encoding import Requests
from swarm.engines.transformers.engine import TransformersSettings
from swarm.objectives.prompting import build_prompt
from swarm.run.delivered import Delivered

STDIN = "-"
AT_ONCE = 64  # prompts whose answers are waited for together


@dataclass(frozen=True)
class Written:
    """An answer. tokens: how many were written."""

    example: Example
    text: str
    tokens: int

    def content(self) -> dict[str, object]:
        prompt = self.example.prompt
        shown = prompt if isinstance(prompt, str) else [{"role": m.role, "content": m.content} for m in prompt]
        return {"id": self.example.id, "prompt": shown, "answer": self.text, "tokens": self.tokens}


@dataclass(frozen=True)
class Writing:
    """How texts are written.

    temperature: 0 is greedy. seed: the n-th prompt, counted from 0, is sampled with seed + n.
    chat: whether a prompt that is a text becomes one user message in the chat template.
    device: auto, or a name that torch knows.
    """

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    chat: bool = False
    device: str = "auto"


def read_prompts(place: str) -> list[Example]:
    """The prompts of a data file, or of a plain text with one per line; "-" is standard input. Raises DataError.

    Text whose first character is `{` is read as JSON lines.
    """
    if place == STDIN:
        return _of_text(_decoded(sys.stdin.buffer.read()), "standard input")
    path = Path(place).expanduser()
    if kind_of(path) == "lines":
        return _of_text(read_text(path), str(path))
    return read_examples(path, needs_answer=False)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        raise DataError(f"standard input: byte 0x{byte:02x} is not UTF-8; send the text as UTF-8") from None


def turned_by(delivered: Delivered, settings: Sequence[str]) -> Delivered:
    """With coefficients changed. settings: each "NAME=COEFFICIENT". Raises ConfigError."""
    coefficients: dict[str, float] = {}
    for text in settings:
        name, _, value = text.rpartition("=")
        try:
            coefficients[name] = float(value)
        except ValueError:
            name = ""
        if not name:
            raise ConfigError(f"--set: {text!r} is not NAME=COEFFICIENT; write it as maths=0.5")
    try:
        recipe = turned(delivered.recipe, coefficients)
    except ConfigError as error:
        raise ConfigError(f"--set: {error}") from None
    return Delivered(delivered.catalog, recipe, delivered.dtype)


def written(delivered: Delivered, examples: Sequence[Example], how: Writing) -> Iterator[Written]:
    """The answers in the order of the prompts. Raises UserError, and RunError where the model cannot be run."""
    encoder = Encoder.of(delivered.catalog.base.path)
    asked = [
        Generation(build_prompt(example, how.chat), how.max_new_tokens, (), how.temperature, how.top_p, how.seed + n)
        for n, example in enumerate(examples)
    ]
    requests = encoder.encode(asked).items
    known: Mapping[str, object] = {"dtype": delivered.dtype, "device": how.device}
    engine = TransformersSettings.model_validate(known).open(delivered.catalog)
    for start in range(0, len(asked), AT_ONCE):
        part = Requests(requests[start : start + AT_ONCE])
        try:
            (reply,) = engine.answer([delivered.recipe], part)
        except EvaluationError as error:
            raise RunError(f"generate: {error}") from error
        for example, answer in zip(examples[start:], reply.answers, strict=False):
            assert isinstance(answer, Text), "a generation is answered with a text"
            yield Written(example, answer.text, answer.n_tokens)


def _of_text(text: str, owner: str) -> list[Example]:
    if text.lstrip().startswith("{"):
        return text_examples(text, owner, needs_answer=False)
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise DataError(f"{owner}: holds no prompt; write one per line, or JSON lines with a prompt each")
    return [Example(str(n), line, "", where=f"{owner}:{n}") for n, line in lines]
