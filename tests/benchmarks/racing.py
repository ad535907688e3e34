"""Racing: the same search in full, with the exact bound, and with the sequential test, seed by seed.

On landscapes (tests/support/landscapes.py: 200 examples with margins, with a known optimum per task) and on the tiny
zoo, where the model generates. With `--objective multiple_choice` it chooses among four answers there (the wrong ones
are other tasks' answers to the same word).

The exact bound must leave every position, every new best and the winner unchanged; under `bayesian` it stops nothing.
The sequential test may lose a little for a share of the example evaluations: on landscapes the winner's test score must
lie within the interval of the full search's. On the zoo any two searches that diverge end some points apart, whatever
made them diverge, so there the differences are averaged over seeds. The cost is counted in examples; seconds are given
as well.
"""

import argparse
import json
import math
import multiprocessing
import random
import statistics
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean as mean
from typing import Any

import torch
from common import ROOT, Metric, main, options, say, zoo_path

from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.examples import Split
from swarm.core.outcomes import Feed, Outcome
from swarm.evaluation.racing import Racing
from swarm.journal.archive import Archive
from swarm.optimizers import Optimizer
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.model_swarms import ModelSwarms
from swarm.optimizers.pso import PSO
from swarm.preferences.weighted_sum import utility
from swarm.run.plan import Plan, make_plan
from swarm.run.provenance import start_record
from swarm.search.generational import GenerationalSearch
from swarm.search.loop import Loop
from swarm.statistics.intervals import mean_interval
from swarm.workers.pool import LocalPool

sys.path.append(str(ROOT / "tests"))  # the landscapes that the tests race on
from support.landscapes import Landscape
from support.landscapes import run as landscape_run

VARIANTS = {"full": Racing(rungs=()), "exact": Racing(), "sequential": Racing(sequential=True)}
LANDSCAPES: dict[str, Optimizer[Any]] = {
    "bayesian": Bayesian(evaluations=180, patience=None),
    "pso": PSO(particles=15, iterations=12),
    "model_swarms": ModelSwarms(particles=15, iterations=12),
}
FINALISTS = 8
CHECKED = 8  # stopped candidates per seed that are scored in full afterwards, to see what was lost


@dataclass(frozen=True)
class Raced:
    """One search.

    positions: (id, position) of each evaluation, in order.
    bests: (id, utility) of each new best, in order.
    winner: the finalist that is best on select.
    tested: its scores on the test split, one per example.
    examples, seconds: example evaluations and worker seconds of the search.
    stopped: candidates that were stopped.
    checked: of these, how many were scored in full afterwards.
    lost: of these, how many would have been new bests.
    """

    positions: Sequence[tuple[str, tuple[float, ...]]]
    bests: Sequence[tuple[str, float]]
    winner: Candidate
    tested: tuple[float, ...]
    examples: int
    seconds: float
    stopped: int
    checked: int
    lost: int


def bests(made: Sequence[Evaluation], weights: Mapping[str, float]) -> list[tuple[str, float]]:
    """Every new best, in order: its id and utility."""
    top, records = -math.inf, []
    for evaluation in made:
        value = utility(evaluation.scores, weights)
        if evaluation.status == "ok" and value > top:
            top = value
            records.append((evaluation.candidate.id, value))
    return records


class Scorer:
    """Scores candidates in full, with a cache by split and position: the variants share finalists."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.unbounded = plan.config.optimizer.takes_estimates  # then the exact bound stops nothing
        self._known: dict[tuple[Split, tuple[float, ...]], Evaluation] = {}
        self._pool = self.pool(VARIANTS["full"], "search", "select", "test")

    def pool(self, racing: Racing, *splits: Split) -> LocalPool:
        pool = LocalPool(replace(self._plan.spec, racing=racing))
        for split in splits:
            pool.load(split, self._plan.workloads[split])
        return pool

    def full(self, candidate: Candidate, split: Split) -> Evaluation:
        key = (split, candidate.position)
        if key not in self._known:
            (outcome,) = self._pool.run(deque([Task(candidate, split=split)]))
            assert isinstance(outcome, Evaluation)
            self._known[key] = outcome
        return self._known[key]


def search(plan: Plan, racing: Racing, scorer: Scorer, folder: Path) -> Raced:
    pool, tasks = scorer.pool(racing, "search"), list[Task]()

    def evaluate(asked: Feed) -> Iterator[Outcome]:
        tasks.extend(asked)
        return pool.run(asked)

    archive = Archive(folder / "journal.jsonl")
    archive.append(start_record(plan))
    loop = Loop(
        optimizer=plan.config.optimizer,
        space=plan.space,
        seed=plan.config.seed,
        weights=plan.weights,
        archive=archive,
        evaluate=evaluate,
        on_evaluation=lambda evaluation: None,
        finalists=FINALISTS,
        sequential=racing.sequential,
    )
    GenerationalSearch(loop).run()
    made = archive.searched()
    ranked = archive.ranked(plan.weights, soft=plan.config.optimizer.climbs_soft)
    finalists = [evaluation.candidate for evaluation in ranked[:FINALISTS]]
    winner = max(finalists, key=lambda c: utility(scorer.full(c, "select").scores, plan.weights))
    stopped = {e.candidate.id for e in made if e.status == "stopped"}
    checked = [task for task in tasks if task.candidate.id in stopped][:: max(1, len(stopped) // CHECKED)]
    return Raced(
        positions=[(e.candidate.id, e.candidate.position) for e in made],
        bests=bests(made, plan.weights),
        winner=winner,
        tested=next(iter(scorer.full(winner, "test").examples.values())),
        examples=sum(e.n_examples for e in made),
        seconds=sum(e.seconds for e in made),
        stopped=len(stopped),
        checked=len(checked) if racing.sequential else 0,
        lost=sum(is_best(task, scorer, plan.weights) for task in checked) if racing.sequential else 0,
    )


def is_best(task: Task, scorer: Scorer, weights: Mapping[str, float]) -> bool:
    """Whether the full score would have been a new personal best, or without one, a new best of all."""
    incumbent = task.pruning.personal or task.pruning.best
    if incumbent is None:
        return False
    theirs = {name: mean(values) for name, values in incumbent.scores.items()}
    return utility(scorer.full(task.candidate, "search").scores, weights) > utility(theirs, weights)


def with_choices(source: Path, target: Path) -> Path:
    """The zoo's examples with four choices each: the right answer and other tasks' answers to the same word."""
    lines = [json.loads(line) for line in source.read_text().splitlines()]
    answers: dict[str, list[str]] = {}
    for line in lines:
        answers.setdefault(line["prompt"].split()[1], []).append(line["answer"])
    with target.open("w") as file:
        for line in lines:
            others = sorted(set(answers[line["prompt"].split()[1]]) - {line["answer"]})
            draw = random.Random(line["id"])
            chosen = [line["answer"], *draw.sample(others, min(3, len(others)))]
            draw.shuffle(chosen)
            choices = dict(zip("ABCD", chosen, strict=False))
            right = next(key for key, text in choices.items() if text == line["answer"])
            file.write(json.dumps(line | {"choices": choices, "answer": right}) + "\n")
    return target


def raced(seed: int, optimizer: str, data: Path, arguments: argparse.Namespace) -> dict[str, Raced]:
    """All variants with one seed."""
    torch.set_num_threads(1)
    raw = {
        "base": "zoo:tiny",
        "experts": [f"zoo:tiny/{name}" for name in arguments.experts],
        "objectives": [
            {"name": "letters", "type": arguments.objective, "data": str(data)}
            | ({"max_new_tokens": 8} if arguments.objective == "exact_match" else {})
        ],
        "splits": {"search": 200, "select": 200, "test": 600},
        "optimizer": {
            "type": optimizer,
            "particles": arguments.particles,
            "iterations": arguments.iterations,
            "patience": None,
        },
        "engine": {"type": "transformers", "dtype": "float32"},
        "cluster": {"type": "local"},
        "seed": seed,
    }
    plan = make_plan(resolve(parse_config(raw, "benchmark"), ROOT))
    scorer = Scorer(plan)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, racing in VARIANTS.items():
            if name == "exact" and scorer.unbounded:
                continue
            (Path(folder) / name).mkdir()
            found[name] = search(plan, racing, scorer, Path(folder) / name)
            one = found[name]
            say(
                f"{optimizer}, seed {seed} {name}: {len(one.positions)} candidates, {one.stopped} stopped, "
                f"{one.examples} examples, {one.seconds:.1f} s, test {mean(one.tested):.3f}"
            )
    return found


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    for name in LANDSCAPES:
        yield from landscapes(name, arguments.seeds)
    source = zoo_path("tiny") / "data" / "examples.jsonl"
    with tempfile.TemporaryDirectory() as folder:
        chosen = arguments.objective == "multiple_choice"
        data = with_choices(source, Path(folder) / "choices.jsonl") if chosen else source
        with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
            for name in arguments.optimizers:
                seeds = [(seed, name, data, arguments) for seed in range(arguments.seeds)]
                yield from on_the_zoo(f"zoo:tiny, {name}", pool.starmap(raced, seeds, chunksize=1))


def on_the_zoo(where: str, found: Sequence[Mapping[str, Raced]]) -> Iterable[Metric]:
    full, sequential = ([each[name] for each in found] for name in ("full", "sequential"))
    exact = [each["exact"] for each in found if "exact" in each]
    n = len(found)
    if exact:
        same_bests = sum(a.bests == b.bests for a, b in zip(full, exact, strict=True))
        same = sum((a.positions, a.winner) == (b.positions, b.winner) for a, b in zip(full, exact, strict=True))
        yield metric(
            f"{where}, exact: seeds with the full search's sequence of new bests", same_bests, "seeds", f">= {n}"
        )
        yield metric(f"{where}, exact: seeds with the full search's positions and winner", same, "seeds", f">= {n}")
        yield metric(f"{where}, exact: example evaluations, share of full", share(exact, full), "share")
        yield metric(f"{where}, exact: worker seconds per candidate, share of full", seconds(exact, full), "share")
    shares = [one.examples / (200 * len(one.positions)) for one in sequential]
    yield metric(f"{where}, sequential: example evaluations, share of full", mean(shares), "share")
    yield metric(f"{where}, sequential: example evaluations, share of full, worst seed", max(shares), "share")
    yield metric(
        f"{where}, sequential: worker seconds per candidate, share of full", seconds(sequential, full), "share"
    )
    gains = [100 * (mean(b.tested) - mean(a.tested)) for a, b in zip(full, sequential, strict=True)]
    half = 1.96 * statistics.stdev(gains) / math.sqrt(n) if n > 1 else math.nan
    yield metric(f"{where}, sequential: test score minus full's", mean(gains), "points")
    yield metric(f"{where}, sequential: test score minus full's, half-width of its 95 % interval", half, "points")
    inside = sum(within(a, b) for a, b in zip(full, sequential, strict=True))
    yield metric(f"{where}, sequential: seeds with the test score in full's interval", inside, "seeds")
    checked = sum(one.checked for one in sequential)
    yield metric(f"{where}, sequential: stopped candidates scored again in full", checked, "candidates")
    lost = sum(one.lost for one in sequential)
    yield metric(f"{where}, sequential: of these, would have been new bests", lost, "candidates")


def landscapes(name: str, seeds: int) -> Iterable[Metric]:
    """The same search on synthetic landscapes of 200 examples with surrogates: see tests/support/landscapes.py."""
    optimizer, shares, inside = LANDSCAPES[name], [], 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            full, sequential = (
                landscape_run(Path(folder) / f"{seed}-{name}", optimizer, Landscape.drawn(seed), VARIANTS[name], seed)
                for name in ("full", "sequential")
            )
            shares.append(sequential.scorer.examples / (200 * len(sequential.archive.searched())))
            interval = mean_interval(full.tested())
            inside += interval.low <= mean(sequential.tested()) <= interval.high
    what, target = f"landscapes, {name}, sequential", "<= 0.65" if name != "model_swarms" else None
    yield metric(f"{what}: example evaluations, share of full", mean(shares), "share", target)
    enough = f">= {math.ceil(0.9 * seeds)}"
    yield metric(f"{what}: seeds with the test score in full's interval", inside, "seeds", enough)


def metric(what: str, value: float, unit: str, target: str | None = None) -> Metric:
    return Metric("racing", what, value, unit, target)


def within(full: Raced, raced: Raced) -> bool:
    interval = mean_interval(full.tested)
    return interval.low <= mean(raced.tested) <= interval.high


def share(ours: Sequence[Raced], theirs: Sequence[Raced]) -> float:
    return sum(one.examples for one in ours) / sum(one.examples for one in theirs)


def seconds(ours: Sequence[Raced], theirs: Sequence[Raced]) -> float:
    """Worker seconds per candidate, ours over theirs."""
    a, b = (sum(one.seconds for one in each) / sum(len(one.positions) for one in each) for each in (ours, theirs))
    return a / b


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--optimizers", nargs="*", default=["bayesian", "pso"], help="optimizers on the zoo")
    parser.add_argument("--objective", default="exact_match", choices=["exact_match", "multiple_choice"])
    parser.add_argument("--jobs", type=int, default=2, help="seeds run in parallel, one core each")
    parser.add_argument("--particles", type=int, default=12)
    parser.add_argument("--iterations", type=int, default=10)
    experts = ["upper", "next", "prev", "mirror", "rot", "digit", "vowel", "kind", "scrambled", "echo"]
    parser.add_argument("--experts", nargs="+", default=experts)
    main(run, parser)
