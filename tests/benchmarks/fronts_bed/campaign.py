"""Runs the trials that a folder does not hold yet, and makes the metrics and tables of those that it holds."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Metric, Skip, keep_line, kept_lines, say

from fronts_bed import PROBLEMS
from fronts_bed.best_known import best_known
from fronts_bed.contenders import CONTENDERS, COSTLY, UNCONSTRAINED
from fronts_bed.pages import metrics, write
from fronts_bed.problem import FrontProblem
from fronts_bed.standings import Standings
from fronts_bed.trial import run_trial

TRIALS, KNOWN = "trials.jsonl", "best_known.jsonl"
Line = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One trial to run.

    problem, contender: names in PROBLEMS and CONTENDERS.
    seed: of noise and search.
    evaluations: the budget.
    """

    problem: str
    contender: str
    seed: int
    evaluations: int


@dataclass(frozen=True)
class Campaign:
    """The trials of a folder.

    problems, contenders: those to run; none named: all, but only methods that are not costly.
    evaluations: the budget of each trial.
    known: every problem, by name.
    """

    folder: Path
    problems: Sequence[str] = ()
    contenders: Sequence[str] = ()
    evaluations: int = 100
    known: dict[str, FrontProblem] = field(default_factory=lambda: PROBLEMS)

    def run(self, seeds: int, jobs: int = 2, page: bool = False) -> Iterator[Metric]:
        """Run what is missing of so many seeds; then the metrics of all trials in the folder."""
        for key, given, allowed in (
            ("problems", self.problems, self.known),
            ("contenders", self.contenders, CONTENDERS),
        ):
            if unknown := [name for name in given if name not in allowed]:
                raise Skip(f"--{key} {' '.join(unknown)}: not among {', '.join(allowed)}")
        self.folder.mkdir(parents=True, exist_ok=True)
        if seeds:
            self._run_missing(seeds, jobs)
        standings = self.standings()
        if page:
            write(standings)
        yield from metrics(standings)

    def standings(self) -> Standings:
        trials = [line for line in kept_lines(self.folder / TRIALS) if line["evaluations"] == self.evaluations]
        known = {line["problem"]: line for line in kept_lines(self.folder / KNOWN)}
        return Standings([trial for trial in trials if trial["problem"] in known], known, list(self.known))

    def entries(self, seeds: int) -> Iterator[Entry]:
        """Seed by seed, so that an unfinished campaign is balanced."""
        contenders = self.contenders or [name for name in CONTENDERS if name not in COSTLY]
        for seed in range(seeds):
            for problem in self.problems or self.known:
                for contender in contenders:
                    if self.known[problem].noisy or contender not in UNCONSTRAINED:
                        yield Entry(problem, contender, seed, self.evaluations)

    def _run_missing(self, seeds: int, jobs: int) -> None:
        done = {Entry(**{key: line[key] for key in Entry.__annotations__}) for line in kept_lines(self.folder / TRIALS)}
        known = {line["problem"] for line in kept_lines(self.folder / KNOWN)}
        fronts = [self.known[name] for name in self.problems or self.known if name not in known]
        trials = [(self.known[entry.problem], entry) for entry in self.entries(seeds) if entry not in done]
        keep_all(reference, fronts, self.folder / KNOWN, jobs)
        keep_all(trial, trials, self.folder / TRIALS, jobs)


def keep_all(call: Callable[[Any], Line], arguments: Sequence[Any], file: Path, jobs: int) -> None:
    """Call for each argument, in so many processes (none for one), and keep every line once it is there."""
    if jobs == 1 or len(arguments) < 2:
        for done, argument in enumerate(arguments, 1):
            keep_line(file, call(argument))
            said(done, len(arguments), file)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for done, line in enumerate(pool.imap_unordered(call, arguments), 1):
            keep_line(file, line)
            said(done, len(arguments), file)


def said(done: int, count: int, file: Path) -> None:
    if done % 100 == 0 or done == count:
        say(f"{file.stem}: {done} of {count}")


@cache
def held(problem: FrontProblem) -> FrontProblem:
    """This process's own copy of a problem, which keeps what it has loaded."""
    return problem


def reference(problem: FrontProblem) -> Line:
    torch.set_num_threads(1)
    front_MK = best_known(held(problem))
    return {
        "problem": problem.name,
        "noisy": problem.noisy,
        "dimensions": problem.space.dimensions,
        "reference": problem.reference_K.tolist(),
        "front": np.round(front_MK, 6).tolist(),
    }


def trial(argument: tuple[FrontProblem, Entry]) -> Line:
    torch.set_num_threads(1)
    problem, entry = held(argument[0]), argument[1]
    contender = CONTENDERS[entry.contender](problem, entry.seed, entry.evaluations)
    return asdict(entry) | asdict(run_trial(problem, contender, entry.seed, entry.evaluations))
