"""Weights and logits in one search against either alone, on two objectives that conflict, at equal evaluations.

    python tests/benchmarks/mixed.py --folder runs --seeds 8 --threads 1 --write
    python tests/benchmarks/mixed.py --zoo smollm2 --folder runs --seeds 3 --threads 1 --write

- interfering: the experts of the bed's zoo of that name, each trained hard on one letter task so that it spoils others,
  and two that have learnt something wrong. Two objectives: the accuracy on the tasks of two experts and one that none
  was trained on, and on those of the other two. The hypervolume counts from 0 for both.
- smollm2: configs/studies/mixed.yaml. Two objectives: the probability of the right one of three near numbers, in
  products and in counting letters. The hypervolume counts from chance. `--data` writes the questions anew.

Each search is a whole run of Swarm with `goal: front`; what counts is the hypervolume of its front on the test split. A
finished run is one line of mixed.jsonl or mixed-smollm2.jsonl and is not run again.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bed.zoos import INTERFERING, builders
from common import ROOT, Metric, keep_line, kept_lines, main, options, say, zoo_path
from study.tables import BEGIN, filled

import swarm.api
from swarm.config.load import load_config
from swarm.core.space import Array
from swarm.journal.archive import Archive
from swarm.preferences.front import hypervolume
from swarm.search.front import stacked
from swarm.statistics.intervals import t_interval
from swarm.zoo.store import build_at, cache_directory

BENCHMARK = "mixed"
PAGE = ROOT / "docs" / "results" / "studies" / "mixed.md"
CONFIG = ROOT / "configs" / "studies" / "mixed.yaml"
DATA = CONFIG.with_suffix(".jsonl")
OBJECTIVES = {"first": ["upper", "kind", "vowel"], "second": ["mirror", "digit"]}
SPLITS = {"search": 80, "select": 80, "test": 200}  # of each objective
EXPERTS = [expert.name for expert in INTERFERING.experts]
TASKS = ("products", "letter_counting")
DRAWS = 1_000  # of the bootstrap
QUESTIONS, NEAR, WRONG = 150, 6, 2  # of each task; the nearest other answers, and how many of them are drawn


@dataclass(frozen=True)
class Bench:
    """One table of the page.

    file: where finished searches are kept. begin: the mark above the table's place on the page.
    """

    file: str
    begin: str
    evaluations: tuple[int, ...]
    variants: Mapping[str, Mapping[str, object]]


ALONE: Mapping[str, Mapping[str, object]] = {"weights": {"type": "weights"}, "logits": {"type": "logits"}}
PAIRS = (("mixed", "weights"), ("mixed", "logits"), ("logits", "weights"))
BENCHES = {
    "interfering": Bench(
        "mixed.jsonl",
        "<!-- table -->",
        (30, 60),
        {
            **ALONE,
            "mixed": {"type": "mixed", "logits": EXPERTS},
            "mixed, raw units": {"type": "mixed", "logits": EXPERTS, "units": "raw"},
        },
    ),
    "smollm2": Bench(
        "mixed-smollm2.jsonl",
        BEGIN,
        (30,),
        {**ALONE, "mixed": load_config(CONFIG).composition.model_dump(mode="json", exclude_unset=True)},
    ),
}


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    """Mean hypervolumes, and the differences from the better of weights alone and logits alone over the same seeds."""
    if arguments.data:
        DATA.write_text("".join(f"{json.dumps(row)}\n" for row in questions(zoo_path("smollm2"))))
    bench, folder = BENCHES[arguments.zoo], Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / bench.file
    for seed in range(arguments.seeds):
        for evaluations in bench.evaluations:
            for name in bench.variants:
                if not any(_is(each, name, evaluations, seed) for each in kept_lines(file)):
                    found = searched(arguments.zoo, name, evaluations, seed)
                    keep_line(file, found)
                    say(f"seed {seed}, {evaluations} evaluations, {name}: {found['hypervolume']:.4f}")
    records = kept_lines(file)
    if arguments.write:
        write(bench, records, arguments.seeds)
    yield from metrics(bench, records, arguments.seeds)


def metrics(bench: Bench, records: Sequence[Mapping[str, Any]], seeds: int) -> Iterator[Metric]:
    for evaluations in bench.evaluations:
        for name in bench.variants:
            values = series(records, name, evaluations, seeds)
            yield Metric(BENCHMARK, f"{name}, {evaluations} evaluations: hypervolume", float(values.mean()), "")
            if name.startswith("mixed"):
                better = max(ALONE, key=lambda n: series(records, n, evaluations, seeds).mean())
                gap = t_interval(values - series(records, better, evaluations, seeds))
                yield Metric(BENCHMARK, f"{name} - {better}, {evaluations} evaluations: at least", gap.low, "")
                yield Metric(BENCHMARK, f"{name} - {better}, {evaluations} evaluations: at most", gap.high, "", ">= 0")


def searched(zoo: str, name: str, evaluations: int, seed: int) -> dict[str, Any]:
    """One whole run."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        if zoo == "smollm2":
            swarm.api.search(CONFIG, run_dir=place, overrides=overrides(name, evaluations, seed))
        else:
            swarm.api.search(interfering(name, evaluations, seed), run_dir=place)
        found = recorded(place)
    return {"name": name, "evaluations": evaluations, "seed": seed, **found, "seconds": time.process_time() - started}


def recorded(run: Path) -> dict[str, Any]:
    """What is kept of a finished run.

    members: those of its front. scores: objective -> their scores, example by example.
    """
    front, archive = swarm.Run.load(run).front, Archive(run / "journal.jsonl")
    kept = [member for member in front.members if not member.dominated_by]
    tested = {member.id: found for member in kept if (found := archive.of(member.id, "test"))}
    return {
        "hypervolume": front.hypervolume["test"].mean,
        "members": {member.id: member.coefficients for member in kept},
        "scores": {name: np.round(rows_MP, 6).tolist() for name, rows_MP in stacked(list(tested.values())).items()},
        "reference": dict(front.reference),
    }


def overrides(name: str, evaluations: int, seed: int) -> list[str]:
    """What a search on SmolLM2 sets of CONFIG."""
    composition = BENCHES["smollm2"].variants[name]
    values = {"composition": composition, "optimizer.evaluations": evaluations, "seed": seed}
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]


def interfering(name: str, evaluations: int, seed: int) -> dict[str, object]:
    """The config of a search on the bed's zoo."""
    zoo = build_at(
        builders()["interfering"],
        "interfering",
        cache_directory() / "discovery-interfering",
        lambda text, share: None,
    )
    objective = {"type": "exact_match", "max_new_tokens": 8, "reference": 0}
    objective |= {"data": str(zoo / "data" / "examples.jsonl")}
    return {
        "base": str(zoo / "base"),
        "experts": [str(zoo / "experts" / expert) for expert in EXPERTS],
        "composition": dict(BENCHES["interfering"].variants[name]),
        "objectives": [{"name": key, "only_tasks": tasks, **objective} for key, tasks in OBJECTIVES.items()],
        "splits": SPLITS,
        "optimizer": {"goal": "front", "evaluations": evaluations},
        "engine": {"dtype": "float32"},
        "cluster": {"type": "local"},
        "seed": seed,
    }


def questions(zoo: Path) -> Iterator[dict[str, object]]:
    """The QUESTIONS shortest prompts of each task, each with its answer and WRONG of the NEAR nearest others."""
    rows = [json.loads(line) for line in (zoo / "data" / "examples.jsonl").read_text().splitlines()]
    for task in TASKS:
        own = sorted((row for row in rows if row["task"] == task), key=lambda row: (len(row["prompt"]), row["id"]))
        answers = {row["answer"] for row in own}
        for row in own[:QUESTIONS]:
            right, draw = row["answer"], random.Random(row["id"])
            near = sorted(answers - {right}, key=lambda other: (abs(int(other) - int(right)), other))[:NEAR]
            choices = [right, *draw.sample(near, WRONG)]
            draw.shuffle(choices)
            yield {**row, "choices": dict(zip("ABC", choices, strict=True)), "answer": "ABC"[choices.index(right)]}


def series(records: Sequence[Mapping[str, Any]], name: str, evaluations: int, seeds: int) -> Array:
    """Hypervolumes by seed."""
    return np.array([_of(records, name, evaluations, seed)["hypervolume"] for seed in range(seeds)])


def volumes(record: Mapping[str, Any]) -> Array:
    """The hypervolume on test: of all examples, then of DRAWS resamples, which are the same for searches of a seed."""
    rng = np.random.default_rng(record["seed"])
    reference_K, columns = np.array(list(record["reference"].values())), []
    for name in record["reference"]:
        scores_MP = np.array(record["scores"][name])
        n = scores_MP.shape[1]
        drawn_RP = np.vstack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), size=DRAWS)])
        columns.append(drawn_RP @ scores_MP.T / n)
    return np.array([hypervolume(means_MK, reference_K) for means_MK in np.stack(columns, axis=2)])


def apart(ours: Sequence[Array], theirs: Sequence[Array]) -> tuple[float, float, float]:
    """The mean difference over seeds, with the bootstrap's 95 % interval over the test examples.

    ours, theirs: what `volumes` gives, by seed. What noise adds to the resamples' mean is taken off. Seeds are
    resampled independently: where their test splits share examples, the interval of several is too narrow.
    """
    difference_R = np.mean([one_R - other_R for one_R, other_R in zip(ours, theirs, strict=True)], axis=0)
    low, high = np.percentile(difference_R[1:], [2.5, 97.5]) - (difference_R[1:].mean() - difference_R[0])
    return float(difference_R[0]), float(low), float(high)


def by_seed(bench: Bench, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows of a table: the hypervolumes of each seed, and how far apart they are; – for none.

    Row all: over the seeds that have every variant, where there are several.
    """
    rows = ["| evaluations | seed | " + " | ".join([*bench.variants, *map(" - ".join, PAIRS)]) + " |"]
    rows.append("|---" * (2 + len(bench.variants) + len(PAIRS)) + "|")
    for evaluations in bench.evaluations:
        own = [record for record in records if record["evaluations"] == evaluations]
        found = {(record["seed"], record["name"]): volumes(record) for record in own}
        seeds = sorted({seed for seed, _ in found})
        whole = tuple(seed for seed in seeds if all((seed, name) in found for name in bench.variants))
        for which in [*((seed,) for seed in seeds), *([whole] if len(whole) > 1 else [])]:
            label = str(which[0]) if len(which) == 1 else "all"
            cells = [
                _mean([found[seed, name][0] for seed in which if (seed, name) in found]) for name in bench.variants
            ]
            for pair in PAIRS:
                both = [seed for seed in which if all((seed, name) in found for name in pair)]
                ours, theirs = ([found[seed, name] for seed in both] for name in pair)
                cells.append(_shown(apart(ours, theirs)) if both else "–")
            rows.append("| " + " | ".join([str(evaluations), label, *cells]) + " |")
    return rows


def by_composition(bench: Bench, records: Sequence[Mapping[str, Any]], seeds: int) -> list[str]:
    """The rows of a table: means over seeds, and differences with Student's t over seeds."""
    rows = ["| composition | evaluations | hypervolume on test | minus weights alone | minus logits alone |"]
    rows.append("|---|---|---|---|---|")
    for evaluations in bench.evaluations:
        for name in bench.variants:
            own = series(records, name, evaluations, seeds)
            cells = [name, str(evaluations), f"{own.mean():.3f}"]
            for other in ALONE:
                gap = t_interval(own - series(records, other, evaluations, seeds))
                cells.append("" if name == other else _shown((gap.mean, gap.low, gap.high)))
            rows.append("| " + " | ".join(cells) + " |")
    return [*rows, "", f"Means over {seeds} seeds."]


def write(bench: Bench, records: Sequence[Mapping[str, Any]], seeds: int) -> None:
    """The table of the page: by seed, with intervals over the examples, where seeds are too few for others."""
    own = [record for record in records if record["seed"] < seeds]
    few = bench is BENCHES["smollm2"]
    rows = by_seed(bench, own) if few else by_composition(bench, own, seeds)
    PAGE.write_text(filled(PAGE.read_text(), "\n".join(rows), bench.begin))


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f}" if values else "–"


def _shown(gap: tuple[float, float, float]) -> str:
    mean, low, high = gap
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def _of(records: Sequence[Mapping[str, Any]], name: str, evaluations: int, seed: int) -> Mapping[str, Any]:
    return next(record for record in records if _is(record, name, evaluations, seed))


def _is(record: Mapping[str, Any], name: str, evaluations: int, seed: int) -> bool:
    return (record["name"], record["evaluations"], record["seed"]) == (name, evaluations, seed)


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--zoo", choices=BENCHES, default="interfering")
    parser.add_argument("--folder", default="runs", help="where finished searches are kept (default runs)")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--data", action="store_true", help="first write the questions of smollm2 into configs/studies")
    parser.add_argument("--write", action="store_true", help="write the table into docs/results/studies/mixed.md")
    main(run, parser)
