"""Runs without anything to find: how many of them report that they found nothing.

Identical experts: copies of one expert of the tiny zoo under different names, one run per seed. The search can only
scale that expert. It is `upper`: on all 1600 examples no scale from -1 to 6 is more accurate than the expert itself
(0.243; the next best 0.242), so there is nothing to gain. This does not hold for every expert: three quarters of
`scrambled` score two points more than `scrambled`, and no uniform average has that scale, so finding it would be right.
Shuffled labels: different experts and four answers to choose from; the right answers are permuted among the examples of
the file. All weightings score a quarter, up to chance.
A run counts where its verdict is that nothing was found. Uncorrected: by the intervals that are not corrected for the
number of comparisons. Control: runs with ten experts and the right labels, in which there is something to find; without
them, a program that never reports a gain would pass.
"""

import argparse
import json
import math
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import ROOT, Metric, main, options, say, zoo_path
from racing import with_choices

from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.run.pipeline import start_run

sys.path.append(str(ROOT / "tests"))
from support.runs import Silent

COPIES = 4
ONE, DIFFERENT = "upper", ("upper", "next", "prev", "mirror")
ALL = ("upper", "next", "prev", "mirror", "rot", "digit", "vowel", "kind", "scrambled", "echo")
CONTROLS = 3
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Condition:
    """What a run is given besides its seed: the config's experts and its objective."""

    experts: Sequence[Mapping[str, str]]
    objective: Mapping[str, object]


def identical(zoo: Path, folder: Path) -> Condition:
    """Copies of one expert."""
    names = [f"copy{i}" for i in range(COPIES)]
    experts = [
        {"name": name, "path": str(shutil.copytree(zoo / "experts" / ONE, folder / name, dirs_exist_ok=True))}
        for name in names
    ]
    return Condition(experts, writing(zoo))


def shuffled(zoo: Path, folder: Path, seed: int) -> Condition:
    """The right answers, permuted among the examples with the same number of choices."""
    source = with_choices(zoo / "data" / "examples.jsonl", folder / "choices.jsonl")
    lines = [json.loads(line) for line in source.read_text().splitlines()]
    for size in {len(line["choices"]) for line in lines}:
        alike = [line for line in lines if len(line["choices"]) == size]
        answers = [line["answer"] for line in alike]
        random.Random(seed).shuffle(answers)
        for line, answer in zip(alike, answers, strict=True):
            line["answer"] = answer
    data = folder / f"shuffled{seed}.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Condition(originals(DIFFERENT), {"name": "letters", "type": "multiple_choice", "data": str(data)})


def writing(zoo: Path) -> Mapping[str, object]:
    data = str(zoo / "data" / "examples.jsonl")
    return {"name": "letters", "type": "exact_match", "data": data, "max_new_tokens": 8}


def originals(names: Sequence[str]) -> Sequence[Mapping[str, str]]:
    return [{"name": name, "path": f"zoo:tiny/{name}"} for name in names]


def searched(condition: Condition, seed: int, folder: Path, arguments: argparse.Namespace) -> Json:
    """Run a search from start to end: its summary."""
    raw = {
        "base": "zoo:tiny",
        "experts": list(condition.experts),
        "objectives": [condition.objective],
        "splits": {"search": 200, "select": 200, "test": "rest"},
        "optimizer": {
            "type": arguments.optimizer,
            "particles": arguments.particles,
            "evaluations": arguments.particles * arguments.iterations,
        },
        "engine": {"type": "transformers", "dtype": "float32"},
        "cluster": {"type": "local"},
        "export": {"check_examples": 1},
        "seed": seed,
    }
    run_dir = folder / "run"
    summary = start_run(resolve(parse_config(raw, "benchmark"), ROOT), run_dir, Silent()).content()
    shutil.rmtree(run_dir)
    return summary


def reported(what: str, seed: int, summary: Json) -> Json:
    say(f"{what} {seed}: {summary['best']['source']}; {summary['verdict']['text']}")
    return summary


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    torch.set_num_threads(arguments.threads or 1)
    zoo, seeds = zoo_path("tiny"), range(arguments.runs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def made(what: str, condition: Condition, seed: int) -> Json:
            return reported(what, seed, searched(condition, seed, folder, arguments))

        same = [made("identical", identical(zoo, folder), seed) for seed in seeds]
        chance = [made("shuffled", shuffled(zoo, folder, seed), seed) for seed in seeds]
        real = [made("control", Condition(originals(ALL), writing(zoo)), seed) for seed in range(CONTROLS)]
    yield metric("identical experts: runs that found nothing", silent(same), f"of {len(same)}")
    yield metric("shuffled labels: runs that found nothing", silent(chance), f"of {len(chance)}")
    both = [*same, *chance]
    yield metric("runs that found nothing", silent(both), f"of {len(both)}", f">= {math.ceil(0.95 * len(both))}")
    yield metric("runs in which a searched weighting won on select", sum(map(is_composed, both)), f"of {len(both)}")
    what = "shuffled labels: runs with an interval that excludes zero"
    yield metric(f"{what}, uncorrected", sum(map(differs_uncorrected, chance)), f"of {len(chance)}")
    yield metric(what, sum(map(differs, chance)), f"of {len(chance)}")
    gains = [gain_over_best_baseline(summary) for summary in both]
    yield metric("mean gain on test over the best baseline there", 100 * statistics.fmean(gains), "points")
    yield metric("control: runs that found something", len(real) - silent(real), f"of {len(real)}", f">= {len(real)}")


def silent(summaries: Sequence[Json]) -> int:
    return sum(not summary["verdict"]["found"] for summary in summaries)


def is_composed(summary: Json) -> bool:
    return bool(summary["best"]["source"] == "search")


def differs_uncorrected(summary: Json) -> bool:
    return any(found["low"] > 0 or found["high"] < 0 for found in summary["paired"].values())


def differs(summary: Json) -> bool:
    corrected = [found["corrected"] for found in summary["paired"].values()]
    return any(found["low"] > 0 or found["high"] < 0 for found in corrected)


def gain_over_best_baseline(summary: Json) -> float:
    return float(min(found["difference"] for found in summary["paired"].values()))


def metric(what: str, value: float, unit: str, target: str | None = None) -> Metric:
    return Metric("nothing", what, value, unit, target)


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--runs", type=int, default=20, help="runs of each condition")
    parser.add_argument("--optimizer", default="guided_pso")
    parser.add_argument("--particles", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=12)
    main(run, parser)
