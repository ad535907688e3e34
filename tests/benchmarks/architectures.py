"""Tiny models of many architectures through the whole engine, each against transformers and PEFT one by one.

Score: log-likelihoods of continuations, batched as in a search. Generate: greedy texts behind a shared prefix, with
tails of unequal length, beyond the model's window. Kept layers: candidates that change the last layer alone. Merged: a
one-hot recipe against PEFT's merge, bit for bit. Stacked: three candidates in one batch. Export: a checkpoint, loaded
again by transformers. The models are made on the fly, with random weights, in float32; embeddings are untied except in
encoder-decoders, as most of those are published with ties.

A cell is `ok`, `refused` with the reason, `WRONG` or `CRASH`. `ok, merged` under stacked: the model's layers cannot be
stacked, so candidates were merged one after another. `ok, computed again` under kept layers: they are not kept.
`not run`: no run has tried that part so far.
"""

import argparse
import importlib.metadata
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from common import ROOT, Metric, keep_line, kept_lines, main, options, say

sys.path.append(str(ROOT / "tests"))

import transformers

from support.architectures import ARCHITECTURES, CHECKS, Architecture, Bed, cell

BENCHMARK = "architectures"
PAGE = ROOT / "docs" / "architectures.md"
INTRODUCTION = """\
# Architectures

`python tests/benchmarks/architectures.py --write` wrote this page on {date} with transformers {version} and PEFT
{peft}.

{doc}
When an engine opens, it reads a few short sequences of random tokens one by one, as the model alone reads them, and
then as it would batch them. What does not agree is switched off, and a note says so: on the screen when workers have
started, in `summary.json` and in the report. Models whose own passes depend on later tokens are refused.

- **Sliding windows and chunks** count columns. Behind a shared prefix, padding is moved in front of the prefix, so that
  no token is hidden; rows that are longer than the window are scored under the model's own mask.
- **Recurrent and hybrid models** are scored in rows with padding on the right or none, one continuation per row. Texts
  are generated in batches of prompts of one length, with the state that the model returns. Where it returns none that
  can be used, every token takes a pass over the whole text.
- **Long rope** (`longrope`, `dynamic`): the longest sequence of a batch decides about the frequencies of all. Sequences
  beyond the original length have batches of their own; a text that passes that length is read again for every token.
- **Keys and values that layers share**: the frozen layers are not kept, as upper layers read more than their output.
- **Encoder-decoders** (T5, BART and their kin): the prompt is the encoder's input, and the decoder writes or scores the
  rest. Prompts are padded on the right, and each is encoded once for all of its continuations in a batch. Candidates
  are merged one after another; there are no shared prefixes, no kept layers and no stacking. `generate` follows what
  `generation_config.json` forces and forbids, without beams; where it has such rules, texts have no margins. Mixtures
  that drop tokens when an expert is full (Switch Transformers, NLLB-MoE) are refused.

{table}
{skipped}"""


def table(rows: Mapping[Architecture, Mapping[str, str]]) -> str:
    """Markdown, one line an architecture."""
    lines = [f"| architecture | kind | {' | '.join(CHECKS)} |", "|---|---|" + "---|" * len(CHECKS)]
    lines += [f"| {each.name} | {each.kind} | {' | '.join(cells.values())} |" for each, cells in rows.items()]
    return "\n".join(lines) + "\n"


def rows_of(chosen: Sequence[Architecture], kept: Path | None) -> Iterator[tuple[Architecture, dict[str, str]]]:
    """The cells of every architecture, from the file where it has them; a build that fails gives the reason alone."""
    known = {str(line["name"]): line["cells"] for line in kept_lines(kept)} if kept else {}
    for each in chosen:
        if each.name in known:
            yield each, known[each.name]
            continue
        cells = cells_of(each)
        if kept:
            keep_line(kept, {"name": each.name, "cells": cells})
        yield each, cells


def cells_of(each: Architecture) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        bed = Bed(Path(folder))
        try:
            each.build(bed.base)
        except Exception as error:
            return {"skipped": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:120]}"}
        return {name: cell(check, bed) for name, check in CHECKS.items()}


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    names = [each.name for each in ARCHITECTURES]
    if unknown := sorted({*arguments.names}.difference(names)):
        sys.exit(f"unknown architecture {unknown[0]}; known are {', '.join(names)}")
    chosen = [each for each in ARCHITECTURES if each.name in (arguments.names or names)]
    found: dict[Architecture, dict[str, str]] = {}
    skipped: dict[str, str] = {}
    for each, cells in rows_of(chosen, arguments.kept):
        say(f"{each.name}: {cells}")
        if "skipped" in cells:
            skipped[each.name] = cells["skipped"]
        else:
            found[each] = cells
    if arguments.write:
        write(found, skipped)
    yield Metric(BENCHMARK, "architectures", len(found), "")
    yield Metric(BENCHMARK, "architectures skipped: this version cannot build them", len(skipped), "")
    for name in CHECKS:
        outcomes = [cells[name] for cells in found.values()]
        for outcome, target in (("ok", None), ("refused", None), ("WRONG", "<= 0"), ("CRASH", "<= 0")):
            count = sum(each.startswith(outcome) for each in outcomes)
            yield Metric(BENCHMARK, f"{name}: {outcome}", count, "", target)


def write(found: Mapping[Architecture, Mapping[str, str]], skipped: Mapping[str, str]) -> None:
    reasons = "".join(f"- {name}: {reason}\n" for name, reason in skipped.items())
    text = INTRODUCTION.format(
        date=time.strftime("%Y-%m-%d"),
        version=transformers.__version__,
        peft=importlib.metadata.version("peft"),
        doc=(__doc__ or "").strip() + "\n",
        table=table(found),
        skipped=f"\nSkipped, as this version of transformers cannot build them at this size:\n\n{reasons}"
        if reasons
        else "",
    )
    PAGE.write_text(text)


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("names", nargs="*", help="architectures (default: all)")
    parser.add_argument("--write", action="store_true", help="write docs/architectures.md")
    parser.add_argument("--kept", type=Path, help="file of cells: an architecture that has some is not tried again")
    main(run, parser)
