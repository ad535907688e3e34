"""Proxy-tuning (Liu et al. 2024, arXiv 2401.08565) on `zoo:sizes`: what it gives of direct tuning, and what it costs.

    python tests/benchmarks/proxy_tuning.py --folder runs --write

A large model is steered by what tuning changed in a small one. Fixed coefficients and the searched one
(configs/studies/proxy_tuning.yaml) are scored on the test split, beside the large model as it is, the large model tuned
directly, whole and in part (c between it and the base), and both small ones. The probe of knowledge is made of facts
that the large model has by heart; all of them are scored, as nothing is chosen by them. A finished seed is one line of
proxy_tuning.jsonl in the folder and is not run again.
"""

import argparse
import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from common import ROOT, Metric, keep_line, kept_lines, main, options, say, zoo_path
from study.tables import filled, markdown
from transformers import AutoModelForCausalLM, AutoTokenizer

import swarm
from swarm.config.load import load_config
from swarm.config.references import resolve
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.journal.summary import SPLITS
from swarm.run.plan import Plan, make_plan
from swarm.statistics.lower_bounds import paired_lower_bound
from swarm.workers.pool import LocalPool

sys.path.append(str(ROOT / "tests"))
from support.naive_logits import Naive
from support.naive_logits import Path as Summand

CONFIG = ROOT / "configs" / "studies" / "proxy_tuning.yaml"
PAGE = ROOT / "docs" / "results" / "studies" / "proxy_tuning.md"
FIXED = (0.5, 1.0, 1.5, 2.0)
MODELS = ("large-tuned", "small", "small-tuned")  # scored alone: each minus the base, with coefficient 1
BASE, DIRECT = "large", "large-tuned"
PART_WAY = (0.5, 0.75)  # coefficients of direct tuning
DRAWS = 10_000  # of the bootstrap
CHECKED = 40  # texts that plain transformers write, too

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """What one way of answering scores, in shares of 1. Intervals are 95 %.

    c: the coefficient of proxy-tuning; None for a model alone.
    letters: on the test split. closed: how much of the gap between the large model and its direct tuning.
    facts: of all facts. change: of the facts, from the large model.
    """

    name: str
    c: float | None
    letters: float
    closed: tuple[float, float, float]
    facts: float
    change: tuple[float, float, float]


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    zoo_path("sizes")
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "proxy_tuning.jsonl"
    known = {line["seed"]: line for line in kept_lines(file)}
    for seed in range(arguments.seeds):
        if seed not in known:
            known[seed] = {"seed": seed, "rows": [asdict(row) for row in measured(seed, folder)]}
            keep_line(file, known[seed])
    seeds = [[Row(**row) for row in known[seed]["rows"]] for seed in range(arguments.seeds)]
    text = f"{table(seeds[0])}\n\n{by_seed(seeds)}"
    say(text)
    if arguments.write:
        PAGE.write_text(filled(PAGE.read_text(), text))
    yield from metrics(seeds[0])
    same = equal_texts()
    yield Metric("proxy_tuning", "texts as plain transformers writes them", same, f"of {CHECKED}", f">= {CHECKED}")


def measured(seed: int, folder: Path) -> Iterator[Row]:
    """All rows of a seed: its splits, its searches."""
    coefficients = {f"c = {c:g}": c for c in FIXED}
    coefficients["searched"] = searched(seed, folder)
    positions = {BASE: _position()}
    positions |= {name: _position(**{name: 1.0}) for name in MODELS}
    positions |= {f"{DIRECT}, {c:g} of it": _position(**{DIRECT: c}) for c in PART_WAY}
    positions |= {name: _position(proxy=c) for name, c in coefficients.items()}
    letters, facts = scored(scoring_plan(seed), positions)
    for name in positions:
        yield Row(
            name,
            0.0 if name == BASE else coefficients.get(name),
            float(letters[name].mean()),
            closed(letters[name], letters[BASE], letters[DIRECT]),
            float(facts[name].mean()),
            change(facts[name], facts[BASE]),
        )


def searched(seed: int, folder: Path) -> float:
    """The coefficient that a whole run of Swarm delivers."""
    place = folder / f"search-{seed}"
    done = swarm.Run.load(place) if (place / "summary.json").is_file() else None
    done = done or swarm.search(CONFIG, run_dir=place, overrides=[f"seed={seed}"])
    ((_, by_group),) = done.summary.best.coefficients.items()
    (c,) = by_group.values() if isinstance(by_group, Mapping) else (by_group,)
    say(f"seed {seed}: c = {c:.3f}")
    return float(c)


def scoring_plan(seed: int) -> Plan:
    """The study's config, with the models to compare with as further paths."""
    proxy = load_config(CONFIG).experts[0].model_dump(include={"path", "minus", "name"})
    others = [{"path": f"zoo:sizes/{name}", "minus": "base"} for name in MODELS]
    config = load_config(CONFIG, [f"seed={seed}", f"experts={json.dumps([proxy, *others])}"])
    return make_plan(resolve(config, CONFIG.parent))


def scored(plan: Plan, positions: Mapping[str, tuple[float, ...]]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Name -> one score per example: letters of the test split, facts of all splits."""
    pool = LocalPool(plan.spec)
    letters: dict[str, Array] = {}
    facts: dict[str, Array] = {name: np.empty(0) for name in positions}
    for split in SPLITS:
        pool.load(split, plan.workloads[split])
        for outcome in pool.run(_tasks(positions), split):
            assert isinstance(outcome, Evaluation), outcome
            name = outcome.candidate.id
            facts[name] = np.concatenate([facts[name], outcome.examples["facts"]])
            if split == "test":
                letters[name] = np.array(outcome.examples["letters"])
    return letters, facts


def closed(ours_P: Array, base_P: Array, direct_P: Array) -> tuple[float, float, float]:
    """(ours - base) / (direct - base), with the percentile bootstrap's interval over the P examples."""
    draws_DP = np.random.default_rng(0).integers(len(ours_P), size=(DRAWS, len(ours_P)))
    gains_D, gaps_D = (one_P[draws_DP].mean(axis=1) for one_P in (ours_P - base_P, direct_P - base_P))
    low, high = np.percentile(gains_D / gaps_D, [2.5, 97.5])
    return float((ours_P - base_P).mean() / (direct_P - base_P).mean()), float(low), float(high)


def change(ours_P: Array, base_P: Array) -> tuple[float, float, float]:
    """Ours minus the base's on the same examples, with Tango's score interval for right and wrong answers."""
    low = paired_lower_bound(ours_P, base_P, 0.975)
    return float((ours_P - base_P).mean()), low, -paired_lower_bound(base_P, ours_P, 0.975)


def equal_texts() -> int:
    """How many greedy texts of c = 1 are those of plain transformers, which reads the whole text at every token."""
    plan = scoring_plan(0)
    pool = LocalPool(plan.spec)
    pool.load("test", plan.workloads["test"])
    (outcome,) = pool.run(_tasks({"c = 1": _position(proxy=1.0)}), "test")
    assert isinstance(outcome, Evaluation), outcome
    proxy = plan.config.experts[0]
    base, tuned, small = (
        AutoModelForCausalLM.from_pretrained(path).eval() for path in (plan.config.base, proxy.path, proxy.minus)
    )
    naive = Naive(base, AutoTokenizer.from_pretrained(plan.config.base), [Summand(1.0, tuned, small)])
    examples = plan.examples("test")["letters"][:CHECKED]
    ours = outcome.outputs["letters"][:CHECKED]
    return sum(text == naive.greedy(str(e.prompt), 6) for text, e in zip(ours, examples, strict=True))


def table(rows: Sequence[Row]) -> str:
    """In per cent and percentage points."""
    head = ["", "c", "letters, test", "share of the gap closed", "facts", "change of the facts"]
    lines = [
        [
            row.name,
            "" if row.c is None else f"{row.c:.2f}",
            f"{100 * row.letters:.1f}",
            "" if row.name in (BASE, DIRECT) else _interval(row.closed, ""),
            f"{100 * row.facts:.1f}",
            "" if row.name == BASE else _interval(row.change, "+"),
        ]
        for row in rows
    ]
    return markdown(head, lines)


def by_seed(seeds: Sequence[Sequence[Row]]) -> str:
    """What the searches of all seeds delivered: the mean, and from the least to the most."""
    names = ("c = 1", "searched")
    found = {name: [row for rows in seeds for row in rows if row.name == name] for name in names}
    head = [f"{len(seeds)} seeds", "c", "share of the gap closed", "facts"]
    lines = [
        [
            name,
            _range([row.c or 0.0 for row in rows], 1, 2),
            _range([row.closed[0] for row in rows], 100, 1),
            _range([row.facts for row in rows], 100, 1),
        ]
        for name, rows in found.items()
    ]
    return markdown(head, lines)


def metrics(rows: Sequence[Row]) -> Iterator[Metric]:
    for row in rows:
        yield Metric("proxy_tuning", f"{row.name}: letters, test", 100 * row.letters, "%")
        yield Metric("proxy_tuning", f"{row.name}: facts", 100 * row.facts, "%")
        if row.name == "searched":
            yield Metric("proxy_tuning", "searched: share of the gap closed", 100 * row.closed[0], "%", ">= 50")


def _position(**coefficients: float) -> tuple[float, ...]:
    """Of the scoring plan's paths; those that are not named have coefficient 0."""
    return tuple(coefficients.get(name, 0.0) for name in ("proxy", *MODELS))


def _tasks(positions: Mapping[str, tuple[float, ...]]) -> deque[Task]:
    return deque(Task(Candidate(name, position, 0, i)) for i, (name, position) in enumerate(positions.items()))


def _interval(found: tuple[float, float, float], sign: str) -> str:
    value, low, high = (f"{100 * each:{sign}.1f}" for each in found)
    return f"{value} ({low} to {high})"


def _range(values: Sequence[float], scale: float, digits: int) -> str:
    mean, low, high = (f"{scale * v:.{digits}f}" for v in (np.mean(values), min(values), max(values)))
    return mean if low == high else f"{mean} ({low} to {high})"


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--folder", default="runs", help="where finished seeds are kept (default runs)")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write the tables into docs/results/studies")
    main(run, parser)
