"""How many of 27 targets each method hits, with equal budgets: grids, random, and searches that share one archive.

The zoo of levels: three domains, three vectors, a target is a level for each domain. Every method gives candidates that
are scored on the search split. For each target the best are scored on the select split, the best of both splits is
measured on the test split; a target is hit where in every domain the wanted level has the highest rate there. The full
grid is the paper's: 21 coefficients from -1 to 1 for each vector, all 9,261 combinations (arXiv 2410.19206). All other
methods have the same, much smaller budget. What was scored is kept in a file, from which a stopped benchmark goes on;
it is of one number of examples.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from common import ROOT, Metric, keep_line, kept_lines, main, options, say, zoo_path

from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.examples import Split
from swarm.evaluation.evaluator import Evaluator
from swarm.optimizers import OPTIMIZERS
from swarm.run.plan import Plan, make_plan
from swarm.run.target_search import TargetSearch
from swarm.run.targets import domains_of
from swarm.statistics.targets import Domains, pooled

sys.path.append(str(ROOT / "tests"))
from support.levels import levels_config

Position = tuple[float, ...]
FINALISTS = 5
LOW, HIGH = -1.0, 1.0
HIERARCHY = (0.5, 0.25, 0.1)  # steps of the hierarchical grid: all combinations of the first, then neighbours


@dataclass
class Bench:
    """Scores positions, each once, and keeps what it scored.

    known: split -> position -> its evaluation without single examples.
    """

    plan: Plan
    domains: Domains
    kept: Path
    evaluator: Evaluator = field(init=False)
    known: dict[Split, dict[Position, Evaluation]] = field(init=False)

    def __post_init__(self) -> None:
        self.evaluator = self.plan.spec.open("bench")
        self.known = {"search": {}, "select": {}, "test": {}}
        for split in self.known:
            self.evaluator.load(split, self.plan.workloads[split])
        for line in kept_lines(self.kept):
            if "split" not in line:  # the outcome of a method
                continue
            position = tuple(line["position"])
            found = Evaluation(Candidate("kept", position), "ok", scores=line["scores"], soft=line["soft"])
            self.known[line["split"]][position] = found

    def score(self, position: Position, split: Split = "search") -> Evaluation:
        known = self.known[split]
        if position not in known:
            (found,) = self.evaluator.evaluate([Task(Candidate("x", position), split=split)])
            assert found.status == "ok", found.error
            scores, soft = dict(found.scores), dict(found.soft)
            known[position] = Evaluation(found.candidate, "ok", scores=scores, soft=soft)
            keep_line(self.kept, {"split": split, "position": position, "scores": scores, "soft": soft})
        return known[position]

    def sizes(self, split: Split) -> Mapping[str, int]:
        return self.plan.workloads[split].sizes

    def hits(self, positions: Sequence[Position]) -> dict[str, int]:
        """Targets hit on search (by the best there) and on test (by the one that was chosen)."""
        found = {p: self.score(p) for p in positions}
        hits = {"search": 0, "test": 0}
        for target in self.domains.targets():
            ranked = sorted(found, key=lambda p: self.domains.better(target, found[p].scores), reverse=True)[:FINALISTS]
            chosen = max(ranked, key=lambda p: self.domains.better(target, self.both(p)))
            hits["search"] += self.domains.lead(target, found[ranked[0]].scores) > 0
            hits["test"] += self.domains.lead(target, self.score(chosen, "test").scores) > 0
        return hits

    def both(self, position: Position) -> Mapping[str, float]:
        """Rates on search and select together."""
        return pooled([(self.score(position, split).scores, self.sizes(split)) for split in ("search", "select")])


def rounded(x: Iterable[float]) -> Position:
    return tuple(round(float(each), 6) + 0.0 for each in x)


def full_grid(points: int) -> list[Position]:
    return [rounded(x) for x in product(np.linspace(LOW, HIGH, points), repeat=3)]


def hierarchical(bench: Bench, budget: int) -> list[Position]:
    """The coarse grid; then, step by step finer, the neighbours of each target's best along each axis."""
    positions = [rounded(x) for x in product(np.arange(LOW, HIGH + 1e-9, HIERARCHY[0]), repeat=3)][:budget]
    for step in HIERARCHY[1:]:
        found = {p: bench.score(p) for p in positions}
        for target in bench.domains.targets():
            best = max(found, key=lambda p: bench.domains.better(target, found[p].scores))
            for axis, sign in product(range(3), (-1, 1)):
                moved = rounded(np.clip(x + sign * step * (i == axis), LOW, HIGH) for i, x in enumerate(best))
                if moved not in positions and len(positions) < budget:
                    positions.append(moved)
    return positions


def at_random(budget: int, seed: int) -> list[Position]:
    return [rounded(x) for x in np.random.default_rng(seed).uniform(LOW, HIGH, (budget, 3))]


def searched(bench: Bench, kind: str, budget: int, seed: int) -> list[Position]:
    """As `swarm targets` searches: the optimizer is asked for the target that is furthest from being hit."""
    optimizer = OPTIMIZERS[kind].model_validate({"type": kind, "particles": 10, "evaluations": budget})
    search = TargetSearch(optimizer, bench.plan.space, bench.domains, 1000 * seed)
    rounds: list[list[Evaluation]] = []
    scored: dict[Position, None] = {}
    while len(scored) < budget:
        fresh = [c for c in search.next_candidates(rounds) if c.position not in scored][: budget - len(scored)]
        if not fresh:
            break
        scored |= dict.fromkeys(c.position for c in fresh)
        found = [(c, bench.score(c.position)) for c in fresh]
        rounds.append([Evaluation(c, "ok", scores=each.scores, soft=each.soft) for c, each in found])
    return list(scored)


def make_bench(arguments: argparse.Namespace) -> Bench:
    zoo = zoo_path("levels")
    sizes = {"search": arguments.examples, "select": 2 * arguments.examples, "test": "rest"}
    content: dict[str, Any] = levels_config(
        zoo, splits=sizes, composition={"type": "weights", "low": LOW, "high": HIGH}
    )
    plan = make_plan(resolve(parse_config(content, "bench"), zoo))
    return Bench(plan, domains_of(plan.config), arguments.kept)


def methods(bench: Bench, arguments: argparse.Namespace) -> Iterator[tuple[str, int, Callable[[], list[Position]]]]:
    """Name, seed, and what gives its candidates."""
    budget = arguments.budget
    yield "hierarchical grid", 0, lambda: hierarchical(bench, budget)
    for seed in range(arguments.seeds):
        yield "random", seed, partial(at_random, budget, seed)
        for kind in ("guided_pso", "bayesian"):
            yield kind, seed, partial(searched, bench, kind, budget, seed)
    if arguments.points:
        yield f"full grid of {arguments.points}^3", 0, lambda: full_grid(arguments.points)


def run(arguments: argparse.Namespace) -> list[Metric]:
    bench = make_bench(arguments)
    found: dict[str, list[dict[str, int]]] = {}
    metrics = []
    kept = {line["of"]: line["hits"] for line in kept_lines(arguments.kept) if "hits" in line}
    for name, seed, candidates in methods(bench, arguments):
        if not name.startswith(arguments.only):
            continue
        key = f"{name}, seed {seed}, budget {arguments.budget}"
        if key not in kept:
            began = time.perf_counter()
            kept[key] = bench.hits(candidates())
            keep_line(arguments.kept, {"of": key, "hits": kept[key]})
            say(f"{key}: {json.dumps(kept[key])}, {time.perf_counter() - began:.0f} s")
        hits = kept[key]
        found.setdefault(name, []).append(hits)
        metrics.append(Metric("targets", f"{name}, seed {seed}: hit on test", hits["test"], "of 27"))
    grid = next((hits[0]["test"] for name, hits in found.items() if name.startswith("full")), None)
    for name, hits in found.items():
        target = f">= {grid}" if grid is not None and name == "guided_pso" else None
        metrics.append(Metric("targets", f"{name}: hit on test, mean", mean(h["test"] for h in hits), "of 27", target))
        metrics.append(Metric("targets", f"{name}: hit on search, mean", mean(h["search"] for h in hits), "of 27"))
    return metrics


def _options() -> argparse.ArgumentParser:
    parser = options(__doc__)
    parser.add_argument("--budget", type=int, default=463, help="evaluations of every method but the full grid")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of every method that has any")
    parser.add_argument("--examples", type=int, default=30, help="search examples of each domain")
    parser.add_argument("--points", type=int, default=21, help="coefficients of the full grid; 0: no full grid")
    parser.add_argument("--only", default="", help="methods whose name begins so")
    parser.add_argument("--kept", type=Path, default=Path("targets.jsonl"), help="file of what was scored")
    return parser


if __name__ == "__main__":
    main(run, _options())
