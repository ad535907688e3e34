"""Which optimizer finds the best weighting: optimizers x problems x seeds at equal example evaluations, by true score.

    python tests/benchmarks/discovery.py --folder DIR --write

runs the trials that DIR does not hold yet and writes the tables of docs/results/discovery.md; it can be stopped and
started at will. DIR holds one JSON line per trial and does not notice changes of the code: use a new one after a change
of an optimizer or of the test bed.

The settings of every compared method, ours too, are chosen on the development half of the problems
(tests/benchmarks/bed) with seeds of their own; then every method runs on both halves. A trial is the program's own
search, selection and prediction: see bed/trial.py.
"""

import argparse
import json
import multiprocessing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bed import DEVELOPMENT, PROBLEMS
from bed.contenders import BUDGET, CHOICES, EVERY, optimizer, racing
from bed.live import Live
from bed.pages import metrics, write
from bed.reference import reference
from bed.standings import HARD, OURS, PLAIN, Table
from bed.trial import run_trial
from common import Metric, Skip, keep_line, kept_lines, main, options, say

TUNED_ON = [problem.name for problem in DEVELOPMENT if not isinstance(problem, Live)]  # the cheap ones
TUNING_SEEDS = range(100, 105)
SHORTER = {OURS: (100, 67, 40), HARD: (67, 40), PLAIN: (100, 67, 40)}  # smaller budgets; HARD: without margins


@dataclass(frozen=True)
class Entry:
    """One trial to run.

    problem, contender: names in PROBLEMS and EVERY.
    settings: of the method, as JSON, so that trials can be compared.
    seed: of samples and search.
    evaluations: the budget.
    """

    problem: str
    contender: str
    settings: str
    seed: int
    evaluations: int

    @property
    def key(self) -> tuple[object, ...]:
        return astuple(self)


class Kept:
    """The finished trials and references of a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._trials, self._references = folder / "trials.jsonl", folder / "references.jsonl"
        self.trials: list[dict[str, Any]] = kept_lines(self._trials)
        self.references: dict[str, dict[str, float]] = {r["problem"]: r for r in kept_lines(self._references)}

    def known(self) -> set[tuple[object, ...]]:
        return {key_of(trial) for trial in self.trials}

    def add(self, trial: dict[str, Any]) -> None:
        self.trials.append(trial)
        keep_line(self._trials, trial)

    def add_reference(self, content: dict[str, Any]) -> None:
        self.references[content["problem"]] = content
        keep_line(self._references, content)


def key_of(trial: Mapping[str, Any]) -> tuple[object, ...]:
    """The key of the entry that a finished trial belongs to."""
    return tuple(trial[field.name] for field in fields(Entry))


def trial(entry: Entry) -> dict[str, Any]:
    torch.set_num_threads(1)
    problem = PROBLEMS[entry.problem]
    settings = json.loads(entry.settings)
    chosen = optimizer(entry.contender, settings, entry.evaluations, problem.space.dimensions)
    margins = settings.get("soft", True)
    return asdict(entry) | asdict(run_trial(problem, chosen, entry.seed, racing(settings), margins))


def referred(name: str) -> dict[str, Any]:
    torch.set_num_threads(1)
    return {"problem": name} | asdict(reference(PROBLEMS[name]))


def tuning(names: Sequence[str]) -> Iterator[Entry]:
    """The trials that settings of these methods are chosen by."""
    for seed in TUNING_SEEDS:
        for problem in TUNED_ON:
            for contender in names:
                if len(choices := EVERY[contender]) > 1:
                    yield from (Entry(problem, contender, json.dumps(s), seed, BUDGET) for s in choices)


def tuned(kept: Kept, names: Sequence[str]) -> dict[str, str]:
    """Compared method -> its settings with the least mean regret on the development half."""

    def regret(contender: str, settings: Mapping[str, Any]) -> float:
        found = [
            kept.references[t["problem"]]["best"] - t["delivered"]
            for t in kept.trials
            if t["contender"] == contender and t["settings"] == json.dumps(settings) and t["seed"] in TUNING_SEEDS
        ]
        return sum(found) / len(found)

    return {
        name: json.dumps(min(choices, key=partial(regret, name)) if len(choices) > 1 else choices[0])
        for name, choices in ((name, EVERY[name]) for name in names)
    }


def comparison(
    settings: Mapping[str, str], problems: Sequence[str], names: Sequence[str], seeds: int
) -> Iterator[Entry]:
    """The trials of the comparison, seed by seed, so that an unfinished one is balanced."""
    for seed in range(seeds):
        for problem in problems:
            for name in names:
                yield Entry(problem, name, settings[name], seed, BUDGET)
                yield from (Entry(problem, name, settings[name], seed, shorter) for shorter in SHORTER.get(name, ()))


def run_missing(entries: Iterable[Entry], kept: Kept, processes: int) -> None:
    """Run the trials that the folder does not hold yet."""
    known = kept.known()
    left = [entry for entry in dict.fromkeys(entries) if entry.key not in known]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, found in enumerate(pool.imap_unordered(trial, left), 1):
            kept.add(found)
            if done % 50 == 0 or done == len(left):
                say(f"{done} of {len(left)} trials")


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    if arguments.folder is None:
        raise Skip("it takes an hour: name a --folder for its trials")
    kept = Kept(arguments.folder)
    problems, names = [name for name in PROBLEMS if name not in arguments.without], arguments.contenders
    if not arguments.kept:
        with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
            missing = [name for name in problems if name not in kept.references]
            for found in pool.imap_unordered(referred, missing):
                kept.add_reference(found)
                say(f"{found}")
        run_missing((entry for entry in tuning(names) if entry.problem in problems), kept, arguments.jobs)
        run_missing(comparison(tuned(kept, names), problems, names, arguments.seeds), kept, arguments.jobs)
    settings = tuned(kept, names)
    keys = {entry.key for entry in comparison(settings, problems, names, arguments.seeds)}
    table = Table([trial for trial in kept.trials if key_of(trial) in keys], kept.references)
    if arguments.write:
        write(table, settings)
    yield from metrics(table)


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="folder of the finished trials")
    parser.add_argument("--kept", action="store_true", help="run nothing; use the finished trials")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/results/discovery.md")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2, help="trials run in parallel, one core each")
    parser.add_argument("--contenders", nargs="+", default=list(CHOICES), help="the compared methods")
    parser.add_argument("--without", nargs="+", default=[], metavar="PROBLEM", help="problems to leave out")
    main(run, parser)
