"""Many coordinates: does a coefficient for each expert and group of parameters pay, and never harm, in 400 evaluations?

    python tests/benchmarks/coordinates.py --folder DIR --write

runs the trials that DIR does not hold yet and writes the table of "Many coordinates" in docs/results/discovery.md. Each
problem (bed/grouped.py) is searched with groups and, as its twin, with one coefficient an expert; pairs share the seed.
DIR does not notice changes of the code: use a new one after a change of an optimizer or of the test bed.
"""

import argparse
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bed.contenders import optimizer
from bed.grouped import GROUPED, GROUPED_CONFIRMATION, GROUPED_DEVELOPMENT, LiveGrouped, grouped_reference
from bed.pages import PAGE
from bed.standings import Estimate, resampled
from bed.trial import run_trial
from common import Metric, Skip, keep_line, kept_lines, main, options, say

EVALUATIONS = 400
FORMS = ("grouped", "ungrouped")
BEGIN, END = "<!-- coordinates: written by tests/benchmarks/coordinates.py -->", "<!-- end of coordinates -->"
Row = dict[str, Any]
Entry = tuple[str, str, str, int]  # problem, form, contender, seed


def key_of(row: Row) -> Entry:
    return row["problem"], row["form"], row["contender"], row["seed"]


def trial(entry: Entry) -> Row:
    torch.set_num_threads(1)
    name, form, contender, seed = entry
    problem = GROUPED[name] if form == "grouped" else GROUPED[name].twin
    chosen = optimizer(contender, {}, EVALUATIONS, problem.space.dimensions)
    found = asdict(run_trial(problem, chosen, seed))
    return {"problem": name, "form": form, "contender": contender, "seed": seed} | found


def referred(name: str) -> Row:
    torch.set_num_threads(1)
    return {"problem": name} | asdict(grouped_reference(GROUPED[name]))


class Results:
    """The finished trials of one optimizer, and the references."""

    def __init__(self, rows: Sequence[Row], references: Sequence[Row], contender: str) -> None:
        self._rows = {key_of(row): row for row in rows if row["contender"] == contender}
        self._references = {each["problem"]: each for each in references}
        self._contender = contender

    def seeds(self, name: str) -> list[int]:
        """Of the pairs."""
        keys = [{seed for problem, form, _, seed in self._rows if (problem, form) == (name, each)} for each in FORMS]
        return sorted(keys[0] & keys[1])

    def delivered(self, name: str, form: str) -> list[float]:
        return [self._rows[name, form, self._contender, seed]["delivered"] for seed in self.seeds(name)]

    def gains(self, name: str) -> list[float]:
        """What groups gain, pair by pair."""
        return [a - b for a, b in zip(*(self.delivered(name, form) for form in FORMS), strict=True)]

    def best(self, name: str, form: str) -> float:
        return float(np.nanmax([self._references[name][form], *self.delivered(name, form)]))

    def headroom(self, name: str) -> list[float]:
        """The share that a trial reaches of what the best known with groups is above the best known without."""
        low, high = self.best(name, "ungrouped"), self.best(name, "grouped")
        return [(value - low) / (high - low) for value in self.delivered(name, "grouped")]

    def covered(self, names: Sequence[str]) -> float:
        rows = [self._rows[name, "grouped", self._contender, s] for name in names for s in self.seeds(name)]
        return float(np.mean([row["low"] <= row["delivered"] <= row["high"] for row in rows]))

    def problems(self) -> list[str]:
        return [name for name in GROUPED if self.seeds(name)]


def mean(values: Sequence[Sequence[float]]) -> Estimate:
    return resampled(values, np.mean)


def matters(name: str) -> bool:
    return not name.startswith("no")


def is_live(name: str) -> bool:
    return isinstance(GROUPED[name], LiveGrouped)


def table(results: Results) -> Iterator[str]:
    heads = ("coordinates", "seeds", "best known, without groups", "with", "delivered, without groups", "with")
    yield f"| | {' | '.join((*heads, 'groups gain', 'share of headroom'))} |"
    yield "|---|" + "---:|" * 8
    for name in results.problems():
        best = [f"{100 * results.best(name, form):.1f}" for form in reversed(FORMS)]
        found = [f"{100 * np.mean(results.delivered(name, form)):.1f}" for form in reversed(FORMS)]
        gain = mean([results.gains(name)])
        share = f"{100 * np.mean(results.headroom(name)):.0f} %" if matters(name) and not is_live(name) else ""
        cells = [f"{GROUPED[name].space.dimensions}", f"{len(results.seeds(name))}", *best, *found, signed(gain), share]
        yield f"| {name} | {' | '.join(cells)} |"


def signed(gain: Estimate) -> str:
    return f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"


def metrics(results: Results) -> Iterator[Metric]:
    for half, problems in (("development", GROUPED_DEVELOPMENT), ("confirmation", GROUPED_CONFIRMATION)):
        names = [problem.name for problem in problems if problem.name in results.problems()]
        for what, chosen in (("matter", True), ("do not matter", False)):
            some = [name for name in names if matters(name) == chosen and not is_live(name)]
            if some:
                gain = mean([results.gains(name) for name in some])
                said = f"{half}: gain where groups {what} ({100 * gain.low:.2f} to {100 * gain.high:.2f})"
                yield Metric("coordinates", said, 100 * gain.value, "points", None if chosen else ">= -0.5")
        least = [float(np.mean(results.headroom(name))) for name in names if matters(name) and not is_live(name)]
        if least:
            yield Metric("coordinates", f"{half}: least share of headroom of a problem", min(least), "share", ">= 0.5")
            yield Metric("coordinates", f"{half}: coverage of predicted intervals", results.covered(names), "share")


def write(results: Results) -> None:
    head, rest = PAGE.read_text().split(BEGIN)
    _, tail = rest.split(END)
    PAGE.write_text(head + "\n".join([BEGIN, "", *table(results), "", END]) + tail)


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    if arguments.folder is None:
        raise Skip("it takes half an hour: name a --folder for its trials")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    trials, references = arguments.folder / "trials.jsonl", arguments.folder / "references.jsonl"
    missing = [name for name in arguments.problems if name not in {row["problem"] for row in kept_lines(references)}]
    for name in missing:
        keep_line(references, referred(name))
    if not arguments.kept:
        entries = [
            (name, form, arguments.contender, seed)
            for seed in range(arguments.seeds)
            for name in arguments.problems
            for form in FORMS
        ]
        known = {key_of(row) for row in kept_lines(trials)}
        with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
            for row in pool.imap_unordered(trial, [entry for entry in entries if entry not in known]):
                keep_line(trials, row)
                say(f"{key_of(row)}: {row['delivered']:.4f}")
    results = Results(kept_lines(trials), kept_lines(references), arguments.contender)
    if arguments.write:
        write(results)
    yield from metrics(results)


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="folder of the finished trials")
    parser.add_argument("--kept", action="store_true", help="run no trial; use the finished ones")
    parser.add_argument("--write", action="store_true", help="write the table into docs/results/discovery.md")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="trials run in parallel, one core each")
    parser.add_argument("--contender", default="guided_pso", help="the optimizer")
    parser.add_argument("--problems", nargs="+", default=[p.name for p in GROUPED_CONFIRMATION], choices=GROUPED)
    main(run, parser)
