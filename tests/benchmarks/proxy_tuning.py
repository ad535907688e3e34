"""Proxy-tuning (Liu et al. 2024, arXiv 2401.08565): what it gives of direct tuning, and what it costs.

    python tests/benchmarks/proxy_tuning.py --folder runs --write
    python tests/benchmarks/proxy_tuning.py --folder runs --zoo smollm2 --seeds 1 --write

A large model is steered by what tuning changed in a small one. Fixed coefficients and the searched one are scored on
the test split, beside the large model as it is, the large model tuned directly, whole and in part (c between it and the
base), and both small ones. On `zoo:sizes` (configs/studies/proxy_tuning.yaml) the task is letters and the probe of
knowledge made-up facts; on SmolLM2, whose pair study/pair.py makes first, the task is a form of answering questions on
the world, and the probe facts of the world. All facts are scored, as nothing is chosen by them. A finished seed is one
line of a file in the folder and is not run again.
"""

import argparse
import json
import shutil
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from common import ROOT, Metric, keep_line, kept_lines, main, options, say, zoo_path
from loading import load_model, load_tokenizer
from study import pair
from study.proxy_table import BASE, DIRECT, Array, Row, by_seed, change, closed, table
from study.tables import BEGIN, filled

import swarm.api
from swarm.config.load import load_config
from swarm.config.references import resolve
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.examples import Split
from swarm.evaluation.workload import Workload
from swarm.journal.summary import SPLITS
from swarm.run.plan import Plan, make_plan
from swarm.workers.pool import LocalPool

sys.path.append(str(ROOT / "tests"))
from support.naive_logits import Naive
from support.naive_logits import Path as Summand

PAGE = ROOT / "docs" / "results" / "studies" / "proxy_tuning.md"
FIXED = (0.5, 1.0, 1.5, 2.0)
MODELS = ("large-tuned", "small", "small-tuned")  # scored alone: each minus the base, with coefficient 1
PART_WAY = (0.5, 0.75)  # coefficients of direct tuning


@dataclass(frozen=True)
class Setting:
    """A zoo's part of the study.

    config: what `swarm search` runs.
    models: where those lie that are scored alone, as the config would name it.
    task: the objective that is tuned for; the other one is `facts`.
    new_tokens: the most of an answer.
    checked: how many answers are written by plain transformers, too.
    target: the least share of the gap that the searched coefficient is to close, in per cent.
    begin: the line of the page before its tables.
    """

    config: Path
    models: str
    task: str
    new_tokens: int
    checked: int
    target: int
    begin: str


def sizes(_folder: Path) -> Setting:
    config = ROOT / "configs" / "studies" / "proxy_tuning.yaml"
    return Setting(config, "zoo:sizes/", "letters", new_tokens=6, checked=40, target=50, begin=BEGIN)


def smollm2(folder: Path) -> Setting:
    """The pair is made first, and the config is put beside it."""
    base = zoo_path("smollm2") / "base"
    home = folder / "smollm2"
    home.mkdir(parents=True, exist_ok=True)
    pair.make(home, base, say)
    config = Path(shutil.copy(Path(pair.__file__).with_suffix(".yaml"), home / "study.yaml"))
    begin = "<!-- figures of SmolLM2 -->"
    return Setting(config, "", "questions", new_tokens=13, checked=10, target=20, begin=begin)


ZOOS = {"sizes": sizes, "smollm2": smollm2}


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    zoo_path(arguments.zoo)
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    setting = ZOOS[arguments.zoo](folder)
    file = folder / f"proxy_tuning-{arguments.zoo}.jsonl"
    known = {line["seed"]: line for line in kept_lines(file)}
    for seed in range(arguments.seeds):
        if seed not in known:
            place = folder / f"search-{arguments.zoo}-{seed}"
            known[seed] = {"seed": seed, "rows": [asdict(row) for row in measured(setting, seed, place)]}
            keep_line(file, known[seed])
    seeds = [[Row(**row) for row in known[seed]["rows"]] for seed in range(arguments.seeds)]
    text = table(seeds[0], setting.task) + (f"\n\n{by_seed(seeds)}" if len(seeds) > 1 else "")
    say(text)
    if arguments.write:
        PAGE.write_text(filled(PAGE.read_text(), text, setting.begin))
    yield from metrics(seeds[0], setting)
    same, checked = equal_texts(setting), setting.checked
    yield Metric("proxy_tuning", "texts as plain transformers writes them", same, f"of {checked}", f">= {checked}")


def measured(setting: Setting, seed: int, place: Path) -> Iterator[Row]:
    """All rows of a seed: its splits, its search, whose run is kept in `place`."""
    coefficients = {f"c = {c:g}": c for c in FIXED}
    coefficients["searched"] = searched(setting, seed, place)
    positions = {BASE: _position()}
    positions |= {name: _position(**{name: 1.0}) for name in MODELS}
    positions |= {f"{DIRECT}, {c:g} of it": _position(**{DIRECT: c}) for c in PART_WAY}
    positions |= {name: _position(proxy=c) for name, c in coefficients.items()}
    task, facts = scored(setting, scoring_plan(setting, seed), positions)
    for name in positions:
        yield Row(
            name,
            0.0 if name == BASE else coefficients.get(name),
            float(task[name].mean()),
            closed(task[name], task[BASE], task[DIRECT]),
            float(facts[name].mean()),
            change(facts[name], facts[BASE]),
            int((facts[name] < facts[BASE]).sum()),
        )


def searched(setting: Setting, seed: int, place: Path) -> float:
    """The coefficient that a whole run of Swarm delivers."""
    done = swarm.Run.load(place) if (place / "summary.json").is_file() else None
    done = done or swarm.api.search(setting.config, run_dir=place, overrides=[f"seed={seed}"])
    ((_, by_group),) = done.summary.best.coefficients.items()
    (c,) = by_group.values() if isinstance(by_group, Mapping) else (by_group,)
    say(f"seed {seed}: c = {c:.3f}")
    return float(c)


def scoring_plan(setting: Setting, seed: int) -> Plan:
    """The study's config, with the models to compare with as further paths."""
    proxy = load_config(setting.config).experts[0].model_dump(include={"path", "minus", "name"})
    others = [{"path": f"{setting.models}{name}", "minus": "base"} for name in MODELS]
    config = load_config(setting.config, [f"seed={seed}", f"experts={json.dumps([proxy, *others])}"])
    return make_plan(resolve(config, setting.config.parent))


def scored(
    setting: Setting, plan: Plan, positions: Mapping[str, tuple[float, ...]]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Name -> one score per example: the task's on the test split, the facts' on all splits."""
    pool = LocalPool(plan.spec)
    task: dict[str, Array] = {}
    facts: dict[str, Array] = {name: np.empty(0) for name in positions}
    for split in SPLITS:
        workload = plan.workloads[split]
        pool.load(split, workload if split == "test" else Workload({"facts": workload.examples["facts"]}))
        for outcome in pool.run(_tasks(positions, split)):
            assert isinstance(outcome, Evaluation), outcome
            name = outcome.candidate.id
            say(f"{name}, {split}: {outcome.scores}")
            facts[name] = np.concatenate([facts[name], outcome.examples["facts"]])
            if split == "test":
                task[name] = np.array(outcome.examples[setting.task])
    return task, facts


def equal_texts(setting: Setting) -> int:
    """How many greedy texts of c = 1 are those of plain transformers, which reads the whole text at every token."""
    plan = scoring_plan(setting, 0)
    pool = LocalPool(plan.spec)
    pool.load("test", plan.workloads["test"])
    (outcome,) = pool.run(_tasks({"c = 1": _position(proxy=1.0)}, "test"))
    assert isinstance(outcome, Evaluation), outcome
    proxy = plan.config.experts[0]
    base, tuned, small = (load_model(Path(str(path))).eval() for path in (plan.config.base, proxy.path, proxy.minus))
    naive = Naive(base, load_tokenizer(Path(plan.config.base)), [Summand(1.0, tuned, small)])
    examples = plan.examples("test")[setting.task][: setting.checked]
    ours = outcome.outputs[setting.task][: setting.checked]
    return sum(text == naive.greedy(str(e.prompt), setting.new_tokens) for text, e in zip(ours, examples, strict=True))


def metrics(rows: Iterable[Row], setting: Setting) -> Iterator[Metric]:
    for row in rows:
        yield Metric("proxy_tuning", f"{row.name}: {setting.task}, test", 100 * row.task, "%")
        yield Metric("proxy_tuning", f"{row.name}: facts", 100 * row.facts, "%")
        if row.name == "searched":
            share = 100 * row.closed[0]
            yield Metric("proxy_tuning", "searched: share of the gap closed", share, "%", f">= {setting.target}")


def _position(**coefficients: float) -> tuple[float, ...]:
    """Of the scoring plan's paths; those that are not named have coefficient 0."""
    return tuple(coefficients.get(name, 0.0) for name in ("proxy", *MODELS))


def _tasks(positions: Mapping[str, tuple[float, ...]], split: Split) -> deque[Task]:
    named = enumerate(positions.items())
    return deque(Task(Candidate(name, position, 0, i), split=split) for i, (name, position) in named)


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--folder", default="runs", help="where finished seeds are kept (default runs)")
    parser.add_argument("--zoo", choices=list(ZOOS), default="sizes", help="whose models (default sizes)")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write the tables into docs/results/studies")
    main(run, parser)
