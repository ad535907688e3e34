"""Routing as a study: are calibrated probabilities more accurate, and does a search with a router beat one weighting?

    python tests/benchmarks/routing.py --folder runs --bed tiny --seeds 3 --threads 1 --write

Base and every expert alone are scored once, at many examples, which are kept in DIR/ZOO.npz. From them routers are
fitted to many splits and measured on other examples: a line each of DIR/ZOO-splits.jsonl. Then one weighting for all
prompts and the use of a router are searched with the same splits and as many evaluations, in whole runs of Swarm or,
where logits are kept, with one engine for all searches: a line each of DIR/BED-searches.jsonl. What is kept is not run
again; --write puts the tables of all beds into docs/results/studies/routing.md.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, Metric, keep_line, kept_lines, main, options, say, zoo_path
from numpy.typing import NDArray
from study import routing_splits, routing_tables
from study.kept_search import Pool, delivered, uniform
from study.routing_splits import Kept
from study.tables import filled

from swarm.api import search
from swarm.config.load import load_config
from swarm.experts.router import FRACTAL, NATURAL, Router
from swarm.experts.router_files import write_router
from swarm.journal.archive import Archive
from swarm.run.fit_router import config_of_routing, router_of
from swarm.run.plan import Plan, make_plan
from swarm.zoo.examples import write_examples

BENCHMARK = "routing"
CONFIG = ROOT / "configs" / "studies" / "routing.yaml"
PAGE = ROOT / "docs" / "results" / "studies" / "routing.md"
LIKELIHOOD = "objectives=[{name: answers, type: likelihood, data: 'zoo:%s/data/examples.jsonl'}]"
# family_relationships is the best at 2 % of the examples and letter_counting at none: too few for most fits.
EXPERTS = "experts=[zoo:smollm2/chain_sum, zoo:smollm2/products, zoo:smollm2/gcd, zoo:smollm2/syllogism]"


@dataclass(frozen=True)
class Bed:
    """What is measured on.

    zoo: whose models; beds of one zoo share their scores.
    sets: overrides of the config.
    kept: examples that are scored once, and those to search, select and test on, which are drawn from them by seed.
    one, routed: the compositions of one weighting and of a router's.
    evaluations: of each search.
    shared: whether searches are no whole runs but share one engine's kept logits.
    """

    zoo: str
    sets: tuple[str, ...]
    kept: int
    splits: tuple[int, int, int]
    one: Mapping[str, object]
    routed: Mapping[str, object]
    evaluations: int = 60
    shared: bool = False


BEDS: Mapping[str, Bed] = {
    "tiny": Bed("tiny", (), 1500, (200, 200, 600), {"type": "weights"}, {"by": "clusters", "clusters": 8}),
    "tiny-logits": Bed("tiny", (), 1500, (100, 40, 150), {"type": "logits"}, {"by": "logits"}, evaluations=30),
    "smollm2": Bed(
        "smollm2",
        ("base=zoo:smollm2", EXPERTS, LIKELIHOOD % "smollm2", "engine.dtype=bfloat16"),
        1200,
        (100, 60, 200),
        {"type": "logits"},
        {"by": "logits"},
        shared=True,
    ),
}


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Changes of the errors over splits, and what routing gains over one weighting."""
    bed, folder = BEDS[arguments.bed], Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    zoo_path(bed.zoo)
    kept = scored(bed, folder, arguments.examples or bed.kept)
    over_splits, searches = folder / f"{bed.zoo}-splits.jsonl", folder / f"{arguments.bed}-searches.jsonl"
    evaluations = arguments.evaluations or bed.evaluations
    if not over_splits.exists():
        for kind, fit, held in routing_splits.splits_of(len(kept.ids_N)):
            keep_line(
                over_splits,
                {"kind": kind, "fit": len(fit), "held": len(held), **routing_splits.measured(kept, fit, held)},
            )
    pool: Pool | None = None
    data = f"objectives.0.data={(folder / f'{bed.zoo}.jsonl').resolve()}"
    for seed in range(arguments.seeds):
        for name in ("one", "routed"):
            key = name, seed, evaluations
            if not any((each["name"], each["seed"], each["evaluations"]) == key for each in kept_lines(searches)):
                task = Search(bed, name, seed, kept, (*bed.sets, data, f"optimizer.evaluations={evaluations}"))
                if bed.shared and pool is None:
                    pool = Pool.open(CONFIG, task.sets, sum(bed.splits))
                test = task.of_pool(pool) if pool else task.whole_run()
                keep_line(searches, {"name": name, "seed": seed, "evaluations": evaluations, "test": test})
                say(f"seed {seed}, {name}: {np.mean(test['delivered']):.4f}")
    if arguments.write:
        PAGE.write_text(
            filled(
                PAGE.read_text(),
                routing_tables.tables(folder, sorted({each.zoo for each in BEDS.values()}, reverse=True), list(BEDS)),
            )
        )
    yield from metrics(arguments.bed, kept_lines(over_splits), kept_lines(searches))


def scored(bed: Bed, folder: Path, number: int) -> Kept:
    """Scores of base and experts at `number` examples, which are written beside them."""
    sets = [f"splits.search={number - number // 2}", f"splits.select={number // 2}", "splits.test=rest"]
    kept, examples = routing_splits.scored(CONFIG, [*bed.sets, *sets], folder / f"{bed.zoo}.npz")
    write_examples(folder / f"{bed.zoo}.jsonl", examples)
    return kept


@dataclass(frozen=True, eq=False)
class Search:
    """One search. Both ways give the score of every test example: of what is delivered, baselines and plain choices."""

    bed: Bed
    name: str
    seed: int
    kept: Kept
    sets: tuple[str, ...]

    def whole_run(self) -> dict[str, list[float]]:
        """As a run of Swarm."""
        with tempfile.TemporaryDirectory() as folder:
            sizes = dict(zip(("search", "select", "test"), self.bed.splits, strict=True))
            sets = [*self.sets, f"splits={sizes}", f"seed={self.seed}", "export.check_examples=0"]
            plan = make_plan(config_of_routing(CONFIG, sets), lambda step: None)
            rows = {
                split: self.kept.rows([each.example.id for each in workload.examples["answers"]])
                for split, workload in plan.workloads.items()
            }
            router = self.router(plan, rows["search"], Path(folder) / "router")
            sets.append(f"composition={self.composition(Path(folder) / 'router')}")
            done = search(CONFIG, run_dir=Path(folder) / "run", overrides=sets)
            best, uniform = done.summary.best, done.summary.baselines["uniform"].coefficient
            ids = {"delivered": best.id, "base": "base", "best expert": f"expert:{self.single(rows['search'])}"}
            ids["uniform"] = f"uniform:{uniform:.4g}"
            test = {key: tested(done.archive, each) for key, each in ids.items()}
            return _plain({**test, **plain_choices(router, self.kept, rows["test"])})

    def of_pool(self, pool: Pool) -> dict[str, list[float]]:
        """With the pool's engine; the splits are drawn from its examples by the seed."""
        order = np.random.default_rng(self.seed).permutation(len(pool.ids))
        fit, select, test = np.split(order, np.cumsum(self.bed.splits)[:2])
        rows_P = self.kept.rows(pool.ids)
        with tempfile.TemporaryDirectory() as folder:
            router = self.router(pool.plan, rows_P[fit], Path(folder) / "router")
            config = load_config(CONFIG, [*self.sets, f"composition={self.composition(Path(folder) / 'router')}"])
            best_P = delivered(pool, config.composition, config.optimizer, self.seed, fit, select)
            uniform_P = uniform(pool, config.composition, fit)
        found = {"delivered": best_P[test], "uniform": uniform_P[test], "base": self.kept.base_N[rows_P[test]]}
        single_N = self.kept.scores_NE[:, self.kept.names_E.tolist().index(self.single(rows_P[fit]))]
        found["best expert"] = single_N[rows_P[test]]
        return _plain({**found, **plain_choices(router, self.kept, rows_P[test])})

    def router(self, plan: Plan, fit: NDArray[np.intp], folder: Path) -> Router:
        """Fitted to the search split's examples, and written."""
        own = self.kept.features_NH[fit], self.kept.scores_NE[fit]
        router = router_of(plan.catalog, *own, self.kept.layer, "platt", self.seed)
        folder.mkdir()
        write_router(router, folder)
        return router

    def composition(self, router: Path) -> Mapping[str, object]:
        if self.name == "one":
            return self.bed.one
        return {"type": "routed", "router": str(router), **self.bed.routed}

    def single(self, fit: NDArray[np.intp]) -> str:
        """The expert with the highest mean on the search split."""
        return str(self.kept.names_E[self.kept.scores_NE[fit].mean(axis=0).argmax()])


def tested(archive: Archive, candidate_id: str) -> Sequence[float]:
    """A candidate's scores on the test split, example by example."""
    found = archive.of(candidate_id, "test")
    assert found is not None, f"{candidate_id} has no scores on test"
    return found.examples["answers"]


def _plain(test: Mapping[str, Sequence[float] | NDArray[np.float64]]) -> dict[str, list[float]]:
    return {key: list(map(float, each)) for key, each in test.items()}


def plain_choices(router: Router, kept: Kept, rows: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """One expert a prompt: the likeliest by the router as it was fitted, and the best one."""
    p_NE = router.probabilities(*router.scores(kept.features_NH[rows]), FRACTAL, NATURAL)
    scores_NE = kept.scores_NE[rows]
    return {"hard": scores_NE[np.arange(len(rows)), p_NE.argmax(axis=1)], "oracle": scores_NE.max(axis=1)}


def metrics(bed: str, splits: Sequence[Mapping[str, Any]], searches: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    for kind in ("small", "half"):
        for measure in routing_splits.MEASURES:
            change = routing_tables.change(splits, kind, "both", measure)
            for what, value, target in zip(("mean", "at most"), (change[0], change[2]), (None, "<= 0"), strict=True):
                yield Metric(BENCHMARK, f"{bed}, {kind} splits, both: change of {measure}, {what}", value, "", target)
    if gains := routing_tables.gains(searches):
        yield Metric(BENCHMARK, f"{bed}: routed - one weighting on test", float(np.mean(gains)), "")
        yield Metric(BENCHMARK, f"{bed}: seeds in which routed is better", sum(each > 0 for each in gains), "")


def _options() -> argparse.ArgumentParser:
    parser = options(__doc__ or "")
    parser.add_argument("--folder", default="runs", help="where scores, splits and searches are kept (default runs)")
    parser.add_argument("--bed", choices=list(BEDS), default="tiny")
    parser.add_argument("--seeds", type=int, default=3, help="searches of each kind (default 3); 0 for none")
    parser.add_argument("--evaluations", type=int, default=0, help="of each search (default: the bed's)")
    parser.add_argument("--examples", type=int, default=0, help="that are scored once (default: the bed's)")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/results/studies/routing.md")
    return parser


if __name__ == "__main__":
    main(run, _options())
