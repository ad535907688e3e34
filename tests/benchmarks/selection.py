"""What choosing the winner loses: by the select split alone, by both splits, and with a process without margins.

    python tests/benchmarks/selection.py --folder DIR --write

The ten problems of the bed without live models, searched by the default with 80 and 200 evaluations on 200 examples,
with margins and without. All that was searched is kept, and each rule chooses on many fresh select samples of each
size. DIR keeps the finished searches and does not notice changes of the code; the table is written into
docs/results/discovery.md. The rule was chosen on the development half.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from bed import PROBLEMS
from bed.choices import POOLED, SELECT, SIZES, SMOOTHED, replayed
from bed.live import Live
from bed.pages import PAGE
from bed.standings import HALVES, Estimate, resampled
from common import Metric, Skip, keep_line, kept_lines, main, options, say

from swarm.optimizers.thread_limits import one_blas_thread

BUDGETS = (80, 200)
BEGIN, END = "<!-- choices: written by tests/benchmarks/selection.py -->", "<!-- end of choices -->"
NAMES = {half: [name for name in names if not isinstance(PROBLEMS[name], Live)] for half, names in HALVES.items()}
Row = Mapping[str, Any]
Entry = tuple[str, bool, int, int]  # problem, margins, evaluations, seed


def key_of(row: Row) -> Entry:
    return row["problem"], row["margins"], row["evaluations"], row["seed"]


def rows_of(entry: Entry) -> list[Row]:
    """One for each size of the select split."""
    name, margins, evaluations, seed = entry
    with one_blas_thread():
        found = replayed(PROBLEMS[name], evaluations, seed, margins)
    searched = dict(zip(("problem", "margins", "evaluations", "seed"), entry, strict=True))
    return [searched | {"size": size} | asdict(choices) for size, choices in found.items()]


@dataclass(frozen=True)
class Cell:
    """The searches of a half with or without margins and of one budget.

    rows: of all problems, seeds and sizes.
    """

    half: str
    margins: bool
    evaluations: int
    rows: Sequence[Row]

    @property
    def name(self) -> str:
        return f"{self.half}, {'with' if self.margins else 'without'} margins, {self.evaluations} evaluations"

    def mean(self, what: str, rule: str, size: int) -> float:
        return float(np.mean([row[what][rule] for row in self.rows if row["size"] == size]))

    def saved(self, rule: str, size: int) -> float:
        """The share of what the select split alone loses that the rule does not."""
        return 1 - self.mean("lost", rule, size) / self.mean("lost", SELECT, size)

    def less_than(self, other: str, size: int) -> Estimate:
        """Points that the process loses less than another rule, by resampling seeds within problems."""
        values: dict[str, list[float]] = {}
        for row in self.rows:
            if row["size"] == size:
                values.setdefault(row["problem"], []).append(row["lost"][other] - row["lost"][SMOOTHED])
        return resampled(list(values.values()), np.mean)


def cells(rows: Sequence[Row]) -> Iterator[Cell]:
    for margins, half, budget in product((False, True), NAMES, BUDGETS):
        own = [r for r in rows if r["problem"] in NAMES[half] and (r["margins"], r["evaluations"]) == (margins, budget)]
        if own:
            yield Cell(half, margins, budget, own)


def table(rows: Sequence[Row]) -> Iterator[str]:
    heads = (f"n = {size}: select, pooled, process | less" for size in SIZES)
    yield f"| | evaluations | searches | {' | '.join(heads)} | coverage |"
    yield "|---|---:|---:|" + "---:|---:|" * len(SIZES) + "---:|"
    for cell in cells(rows):
        first = f"{cell.half}, {'with' if cell.margins else 'without'} margins | {cell.evaluations}"
        covered = [round(100 * cell.mean("covered", SMOOTHED, size)) for size in SIZES]
        yield (
            f"| {first} | {len(cell.rows) // len(SIZES)} | {' | '.join(shown(cell, size) for size in SIZES)}"
            f" | {' to '.join(map(str, sorted({min(covered), max(covered)})))} % |"
        )


def shown(cell: Cell, size: int) -> str:
    """What the three rules lose, and the share that the process saves of what the select split alone loses."""
    lost = (f"{cell.mean('lost', rule, size):.2f}" for rule in (SELECT, POOLED, SMOOTHED))
    return f"{', '.join(lost)} | {100 * cell.saved(SMOOTHED, size):.0f} %"


def metrics(rows: Sequence[Row]) -> Iterator[Metric]:
    for cell, size in product(cells(rows), SIZES):
        said = f"{cell.name}, n = {size}"
        target = ">= 0.333" if size <= 100 else None
        yield Metric("selection", f"{said}: share of the loss saved", cell.saved(SMOOTHED, size), "share", target)
        if not cell.margins:
            less = cell.less_than(POOLED, size)
            gain = f"{said}: less lost than by pooling plain scores ({less.low:.3f} to {less.high:.3f})"
            yield Metric("selection", gain, less.value, "points")
        covered = cell.mean("covered", SMOOTHED, size)
        yield Metric("selection", f"{said}: coverage", covered, "share", ">= 0.9")
        yield Metric("selection", f"{said}: predicted less true", cell.mean("gap", SMOOTHED, size), "points")


def write(rows: Sequence[Row]) -> None:
    head, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(head + "\n".join([BEGIN, "", *table(rows), "", END]) + rest.split(END)[1])


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    if arguments.folder is None:
        raise Skip("it takes a quarter of an hour: name a --folder for its searches")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    file = arguments.folder / "choices.jsonl"
    counts: dict[Entry, int] = {}
    for row in kept_lines(file):
        counts[key_of(row)] = counts.get(key_of(row), 0) + 1
    names = [name for half in arguments.halves for name in NAMES[half]]
    for seed, name, budget, margins in product(range(arguments.seeds), names, BUDGETS, (False, True)):
        if counts.get((name, margins, budget, seed), 0) == len(SIZES):
            continue
        for found in rows_of((name, margins, budget, seed)):
            keep_line(file, dict(found))
        say(f"{name}, {'with' if margins else 'without'} margins, {budget} evaluations, seed {seed}")
    rows = list({(key_of(row), row["size"]): row for row in kept_lines(file)}.values())
    if arguments.write:
        write(rows)
    return list(metrics(rows))


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="folder of the finished searches")
    parser.add_argument("--write", action="store_true", help="write the table into docs/results/discovery.md")
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--halves", nargs="+", default=list(NAMES), choices=list(NAMES))
    main(run, parser)
