"""Weights and logits in one search against either alone, on two objectives that conflict, at equal evaluations.

    python tests/benchmarks/mixed.py --folder runs --seeds 8 --threads 1 --write

The experts of the bed's interfering zoo, each trained hard on one letter task so that it spoils others, and two that
have learnt something wrong. Two objectives: the accuracy on the tasks of two experts and one that none was trained on,
and on those of the other two. Each search is a whole run of Swarm with `goal: front`; what counts is the hypervolume on
the test split, from 0 for both. A finished run is one line of mixed.jsonl and is not run again.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bed.zoos import INTERFERING, builders
from common import ROOT, Metric, keep_line, kept_lines, main, options, say
from scipy import stats

import swarm
from swarm.zoo.store import build_at, cache_directory

BENCHMARK = "mixed"
PAGE = ROOT / "docs" / "results" / "studies" / "mixed.md"
OBJECTIVES = {"first": ["upper", "kind", "vowel"], "second": ["mirror", "digit"]}
EVALUATIONS = (30, 60)
SPLITS = {"search": 80, "select": 80, "test": 200}  # of each objective
EXPERTS = [expert.name for expert in INTERFERING.experts]
VARIANTS: Mapping[str, Mapping[str, object]] = {
    "weights": {"type": "weights"},
    "logits": {"type": "logits"},
    "mixed": {"type": "mixed", "logits": EXPERTS},
    "mixed, raw units": {"type": "mixed", "logits": EXPERTS, "units": "raw"},
}
MARK = ("<!-- table -->", "<!-- end of table -->")


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Mean hypervolumes, and the differences from weights alone over the same seeds."""
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "mixed.jsonl"
    for seed in range(arguments.seeds):
        for evaluations in EVALUATIONS:
            for name in VARIANTS:
                if not any(_is(each, name, evaluations, seed) for each in kept_lines(file)):
                    found = searched(name, evaluations, seed)
                    keep_line(file, found)
                    say(f"seed {seed}, {evaluations} evaluations, {name}: {found['hypervolume']:.4f}")
    records = kept_lines(file)
    if arguments.write:
        write(records, arguments.seeds)
    for evaluations in EVALUATIONS:
        for name in VARIANTS:
            values = series(records, name, evaluations, arguments.seeds)
            yield Metric(BENCHMARK, f"{name}, {evaluations} evaluations: hypervolume", float(values.mean()), "")
            if name.startswith("mixed"):
                better = max(
                    ("weights", "logits"), key=lambda n: series(records, n, evaluations, arguments.seeds).mean()
                )
                low, high = interval(values - series(records, better, evaluations, arguments.seeds))
                yield Metric(BENCHMARK, f"{name} - {better}, {evaluations} evaluations: at least", low, "")
                yield Metric(BENCHMARK, f"{name} - {better}, {evaluations} evaluations: at most", high, "", ">= 0")


def searched(name: str, evaluations: int, seed: int) -> dict[str, Any]:
    """One whole run."""
    with tempfile.TemporaryDirectory() as folder:
        zoo = built("interfering")
        objective = {"type": "exact_match", "max_new_tokens": 8, "reference": 0}
        objective |= {"data": str(zoo / "data" / "examples.jsonl")}
        config = {
            "base": str(zoo / "base"),
            "experts": [str(zoo / "experts" / expert) for expert in EXPERTS],
            "composition": dict(VARIANTS[name]),
            "objectives": [{"name": key, "only_tasks": tasks, **objective} for key, tasks in OBJECTIVES.items()],
            "splits": SPLITS,
            "optimizer": {"goal": "front", "evaluations": evaluations},
            "engine": {"dtype": "float32"},
            "cluster": {"type": "local"},
            "seed": seed,
        }
        done = swarm.search(config, run_dir=Path(folder) / "run")
        front = done.summary.front
        assert front is not None, "two objectives are held apart"
        test = front.hypervolume["test"]
        return {
            "name": name,
            "evaluations": evaluations,
            "seed": seed,
            "hypervolume": test.mean,
            "coefficients": {key: dict(value) for key, value in done.summary.best.coefficients.items()},
        }


def built(name: str) -> Path:
    """The folder of one of the bed's zoos."""
    return build_at(builders()[name], name, cache_directory() / f"discovery-{name}", lambda text, share: None)


def series(records: Sequence[Mapping[str, Any]], name: str, evaluations: int, seeds: int) -> np.ndarray[Any, Any]:
    """Hypervolumes by seed."""
    return np.array(
        [next(r["hypervolume"] for r in records if _is(r, name, evaluations, seed)) for seed in range(seeds)]
    )


def interval(differences: np.ndarray[Any, Any]) -> tuple[float, float]:
    """95 % interval of the mean, by Student's t over seeds."""
    low, high = stats.t.interval(0.95, len(differences) - 1, differences.mean(), stats.sem(differences))
    return float(low), float(high)


def write(records: Sequence[Mapping[str, Any]], seeds: int) -> None:
    """The table of the page."""
    rows = ["| composition | evaluations | hypervolume on test | minus weights alone | minus logits alone |"]
    rows.append("|---|---|---|---|---|")
    for evaluations in EVALUATIONS:
        for name in VARIANTS:
            own = series(records, name, evaluations, seeds)
            cells = [name, str(evaluations), f"{own.mean():.3f}"]
            for other in ("weights", "logits"):
                apart = own - series(records, other, evaluations, seeds)
                low, high = (0.0, 0.0) if name == other else interval(apart)
                cells.append("" if name == other else f"{apart.mean():+.3f} ({low:+.3f} to {high:+.3f})")
            rows.append("| " + " | ".join(cells) + " |")
    before, _, rest = PAGE.read_text().partition(MARK[0])
    _, _, after = rest.partition(MARK[1])
    PAGE.write_text(before + MARK[0] + "\n" + "\n".join(rows) + f"\n\nMeans over {seeds} seeds.\n" + MARK[1] + after)


def _is(record: Mapping[str, Any], name: str, evaluations: int, seed: int) -> bool:
    return (record["name"], record["evaluations"], record["seed"]) == (name, evaluations, seed)


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--folder", default="runs", help="where finished searches are kept (default runs)")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--write", action="store_true", help="write the table into docs/results/studies/mixed.md")
    main(run, parser)
