"""Does a longer search deliver more? Regret after 400, 1,000 and 2,000 evaluations, by search examples and by the cap.

    python tests/benchmarks/long_searches.py --folder DIR --write

Synthetic problems of the bed, two with 10 or 14 coordinates and two with 120, searched by the default. Examples: of the
search and of the select split, each. Cap: how many observations the process is fitted to at most. DIR keeps the
finished trials and does not notice changes of the code; the table is written into docs/results/discovery.md.
"""

import argparse
import multiprocessing
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from bed import PROBLEMS, grouped, synthetic
from bed.contenders import optimizer
from bed.grouped import GROUPED, grouped_reference
from bed.pages import PAGE
from bed.reference import reference
from bed.standings import OURS, resampled
from bed.trial import run_trial
from common import Metric, Skip, keep_line, kept_lines, main, options, say

from swarm.optimizers import surrogate

BUDGETS = (400, 1000, 2000)
CAP = surrogate.MAX_OBSERVATIONS
FORMS = ((200, CAP), (1000, CAP), (1000, 2 * CAP))  # search examples, and the cap
WITH_GROUPS = ("every-120", "few-120")
LONG = ("valley", "wide", *WITH_GROUPS)
BEGIN, END = "<!-- long searches: written by tests/benchmarks/long_searches.py -->", "<!-- end of long searches -->"
Row = Mapping[str, Any]
Entry = tuple[str, int, int, int, int]  # problem, examples, cap, evaluations, seed


def key_of(row: Row) -> Entry:
    return row["problem"], row["examples"], row["cap"], row["evaluations"], row["seed"]


def trial(entry: Entry) -> Row:
    name, examples, cap, evaluations, seed = entry
    grouped.SIZE = synthetic.SIZE = examples
    surrogate.MAX_OBSERVATIONS = cap
    problem = GROUPED[name] if name in WITH_GROUPS else PROBLEMS[name]
    began = time.process_time()
    found = run_trial(problem, optimizer(OURS, {}, evaluations, problem.space.dimensions), seed)
    row = dict(zip(("problem", "examples", "cap", "evaluations", "seed"), entry, strict=True))
    return row | {"delivered": found.delivered, "seconds": time.process_time() - began}


def best_known(name: str) -> float:
    return grouped_reference(GROUPED[name]).grouped if name in WITH_GROUPS else reference(PROBLEMS[name]).best


def regrets(
    rows: Iterable[Row], best: Mapping[str, float], name: str, form: tuple[int, int], budget: int
) -> list[float]:
    """In points, seed by seed."""
    top = max(best[name], *(row["delivered"] for row in rows if row["problem"] == name))
    return [100 * (top - row["delivered"]) for row in rows if key_of(row)[:4] == (name, *form, budget)]


def table(rows: Sequence[Row], best: Mapping[str, float]) -> Iterator[str]:
    heads = (*(f"{budget:,} evaluations" for budget in BUDGETS), f"seconds for {BUDGETS[-1]:,}")
    yield f"| | examples | cap | {' | '.join(heads)} |"
    yield "|---|" + "---:|" * (3 + len(BUDGETS))
    for name, form in product(LONG, FORMS):
        cells = [shown(regrets(rows, best, name, form, budget)) for budget in BUDGETS]
        longest = [row["seconds"] for row in rows if key_of(row)[:4] == (name, *form, BUDGETS[-1])]
        if any(cells):
            taken = f"{np.median(longest):.0f}" if longest else ""
            yield f"| {name} | {form[0]:,} | {form[1]} | {' | '.join(cells)} | {taken} |"


def shown(values: Sequence[float]) -> str:
    if not values:
        return ""
    mean = resampled([values], np.mean)
    return f"{mean.value:.2f}" + (f" ({mean.low:.2f} to {mean.high:.2f})" if len(values) > 1 else "")


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    if arguments.folder is None:
        raise Skip("it takes half an hour: name a --folder for its trials")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    file, references = arguments.folder / "long.jsonl", arguments.folder / "references.jsonl"
    for name in {*LONG} - {row["problem"] for row in kept_lines(references)}:
        keep_line(references, {"problem": name, "best": best_known(name)})
    known = {key_of(row) for row in kept_lines(file)}
    entries = [
        (name, *form, budget, seed)
        for seed, budget, form, name in product(range(arguments.seeds), BUDGETS, FORMS, LONG)
        if (name, *form, budget, seed) not in known
    ]
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        for row in pool.imap_unordered(trial, entries):
            keep_line(file, row)
            say(f"{key_of(row)}: {row['delivered']:.4f}, {row['seconds']:.0f} s")
    rows, best = kept_lines(file), {row["problem"]: row["best"] for row in kept_lines(references)}
    if arguments.write:
        head, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(head + "\n".join([BEGIN, "", *table(rows, best), "", END]) + rest.split(END)[1])
    for name, form, budget in product(LONG, FORMS, BUDGETS):
        if values := regrets(rows, best, name, form, budget):
            said = f"{name}, {form[0]} examples, cap {form[1]}, {budget} evaluations: regret"
            yield Metric("long_searches", said, float(np.mean(values)), "points")


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="folder of the finished trials")
    parser.add_argument("--write", action="store_true", help="write the table into docs/results/discovery.md")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="trials run in parallel, one core each")
    main(run, parser)
