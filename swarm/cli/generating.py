"""The command `swarm generate`: what a delivered weighting writes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.screen import announce, print_json_lines, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swarm.run.generate import Written

app = typer.Typer(cls=PlainFlags)


@app.command()
def generate(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="an export, a recipe.json, or the directory of a run")],
    prompts: Annotated[
        str,
        typer.Option(metavar="FILE", help="a data file, or plain text with a prompt per line; - for standard input"),
    ] = "-",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="tokens at most, per prompt")] = 128,
    temperature: Annotated[float, typer.Option(min=0, help="0: the likeliest token; above: sampled")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0.01, max=1, help="the share of probability that is sampled from")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="of the sampling; each prompt has draws of its own")] = 0,
    chat: Annotated[bool, typer.Option("--chat", help="put prompts that are texts into the chat template")] = False,
    coefficients: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=C", help="another coefficient; may be repeated")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16; default: that of the search")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object per prompt")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="write there instead of to the screen")
    ] = None,
) -> None:
    """Write answers to prompts with an export of any form, those of logits and of routing too.

    Without --json an answer is one line, its line breaks written as \\n.
    """
    announce()
    from swarm.run.delivered import open_delivered
    from swarm.run.generate import Writing, read_prompts, turned_by, written

    examples = read_prompts(prompts)
    delivered = turned_by(open_delivered(path, dtype), coefficients or ())
    how = Writing(max_new_tokens, temperature, top_p, seed, chat, device)
    _show(written(delivered, examples, how), as_json, out)


def _show(found: "Iterable[Written]", as_json: bool, out: Path | None) -> None:
    """Write the answers to a file, whole, or print each as it comes."""
    from swarm.core.files import write_text
    from swarm.core.terminal_text import one_line

    if out is not None:
        lines = [json.dumps(each.content(), ensure_ascii=False) if as_json else one_line(each.text) for each in found]
        write_text(out, "".join(f"{line}\n" for line in lines))
        return print_lines([str(out)])
    if as_json:
        return print_json_lines(each.content() for each in found)
    for each in found:
        print_lines([each.text])
