"""What `swarm check --show` prints: special characters visible, long texts cut in the middle."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from swarm.core.terminal_text import one_line
from swarm.run.base_answers import ShownExample

HEAD, TAIL = 800, 400  # characters of a long text that are shown
SHORT = 60  # characters of a choice or an answer, at either end
WIDEST = 100  # columns: longer lines read badly
LABEL = 10  # columns
PLAIN_SPACES = {" ", "\N{IDEOGRAPHIC SPACE}"}


def shown_prompts(examples: Sequence[ShownExample], console: Console) -> list[str]:
    """The examples one below the other, in lines that fit the console."""
    width = min(console.width, WIDEST) - LABEL
    lines = []
    for example in examples:
        place = f" ({example.where})" if example.where else ""
        lines += ["", f"{example.objective}, example {example.id}{place}"]
        for label, text in _rows(example):
            wrapped = list(Text(text).wrap(console, width, overflow="fold")) or [Text()]
            lines += [f"  {name:<{LABEL - 2}}{line.plain}" for name, line in _labelled(label, wrapped)]
    return [line.rstrip() for line in lines]


def _labelled(label: str, lines: Sequence[Text]) -> Iterator[tuple[str, Text]]:
    return ((label if i == 0 else "", line) for i, line in enumerate(lines))


def _rows(example: ShownExample) -> Iterator[tuple[str, str]]:
    """Label and text of every step from prompt to score."""
    yield "prompt", f"({_count(example.prompt_tokens)})"
    yield "", visible(example.prompt)
    if example.written is not None:
        cut = f", cut by max_new_tokens: {example.limit}" if example.is_cut else ""
        yield "writes", f"({_count(example.written_tokens)}{cut})"
        yield "", visible(example.written) or "(nothing)"
    yield from _choices(example)
    if example.written is not None or example.choices[0].key:
        label = "picks" if example.written is None else "finds"
        yield label, visible(example.found, SHORT, SHORT) or "(nothing)"
    yield "right", " or ".join(visible(right, SHORT, SHORT) for right in example.right)
    yield "score", one_line(f"none: {example.problem}") if example.score is None else f"{example.score:.4g}"


def _count(tokens: int) -> str:
    return f"{tokens:,} token" + ("" if tokens == 1 else "s")


def _choices(example: ShownExample) -> Iterator[tuple[str, str]]:
    """Log-likelihoods in nats, and what they are compared by where that is something else."""
    compared = any(each.compared not in (None, each.log_likelihood) for each in example.choices)
    keys = max((len(one_line(each.key)) for each in example.choices), default=0)
    if example.choices:
        yield "likely", f"{'':<{keys}}{'nats':>11}" + (f"{'compared':>11}" if compared else "") + f"{'tokens':>8}"
    for each in example.choices:
        values = f"{each.log_likelihood:>11.3f}" + (f"{each.compared:>11.4f}" if compared else "")
        yield "", f"{one_line(each.key):<{keys}}{values}{each.tokens:>8}  {visible(each.text.lstrip(), SHORT, 0)}"


def visible(text: str, head: int = HEAD, tail: int = TAIL) -> str:
    """The text with its line breaks marked, other special characters written out, and its middle left out if long."""
    if len(text) > head + tail + SHORT:
        left_out = f" [... {len(text) - head - tail:,} of {len(text):,} characters ...] "
        return _marked(text[:head]) + left_out + _marked(text[len(text) - tail :])
    marked = _marked(text)
    stripped = marked.rstrip(" ")
    return stripped + "\N{OPEN BOX}" * (len(marked) - len(stripped))


def _marked(text: str) -> str:
    lines = ["".join(map(_character, line)) for line in text.split("\n")]
    return "\N{RETURN SYMBOL}\n".join(lines)


def _character(char: str) -> str:
    return one_line(char) if not char.isspace() or char in PLAIN_SPACES else char.encode("unicode_escape").decode()
