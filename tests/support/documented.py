"""What the commands of the documentation are typed beside: a base, experts, data, configs and runs under the names that
the pages use. Everything is tiny.
"""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from support.harness_tasks import make_tasks
from support.models import make_adapter, make_base, make_checkpoint
from support.playground import examples, run_cli, write_lines
from swarm.core.examples import LEVELS

DOMAINS = ("medicine", "law")
ADAPTERS = ("medical", "legal", "chat", "maths", "safety")
MADE = ("out", "composed", "small", "mine")  # folders that several commands of a page name as their result
SEARCH = {
    "splits": {"search": 24, "select": 24, "test": "rest"},
    "engine": {"dtype": "float32"},
    "cluster": {"type": "local"},
    "export": {"check_examples": 4},
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every command in a page's shell blocks; comments and redirections are left out."""
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s(?:\||&&|;)\s", re.sub(r"\s>\s\S+", "", line)):
                if words := shlex.split(part, comments=True):
                    yield words


def prepare(folder: Path, front: bool = False) -> None:
    """front: whether swarm.yaml holds two objectives apart. Commands are typed in `folder`."""
    base = make_base(folder / "models" / "my-base")
    shutil.copytree(base, folder / "models" / "base")
    make_checkpoint(folder / "models" / "aligned", base, seed=9)
    for seed, name in enumerate(ADAPTERS, 1):
        make_adapter(folder / "adapters" / name, base, seed=seed, scale=0.3)
    make_tasks(folder / "tasks")
    (folder / "data").mkdir()
    for file in ("dev.jsonl", "raw.jsonl", "data/exams.jsonl"):
        write_lines(folder / file, examples(120))
    grouped = [{**row, "task": "ab"[i % 2], "group": "xyz"[i // 2 % 3]} for i, row in enumerate(examples(150))]
    write_lines(folder / "grouped.jsonl", grouped)
    for domain in DOMAINS:
        rows = [
            {"prompt": row["prompt"], **{level: f"{row['id']} {level}" for level in LEVELS}} for row in examples(90)
        ]
        write_lines(folder / "data" / f"{domain}.jsonl", rows)
    for name, content in (front_configs() if front else configs()).items():
        (folder / name).write_text(yaml.safe_dump(content))


def configs() -> dict[str, object]:
    """Name -> content of the config files that commands name."""
    words = {"type": "multiple_choice", "data": "data/exams.jsonl"}
    search = {
        "base": "models/my-base",
        "experts": ["adapters/medical", "adapters/legal", "adapters/maths"],
        "objectives": [{"name": "exams", **words}],
        "optimizer": {"type": "guided_pso", "evaluations": 40},
        **SEARCH,
    }
    build = {
        "base": "models/my-base",
        "out": "built",
        "chat": False,
        "experts": [{"name": "reverse", "type": "sft", "data": "raw.jsonl", "steps": 2, "batch_size": 2, "rank": 2}],
    }
    evolve = {
        "genome": {
            "models": [f"models/my-base+adapters/{name}" for name in ("medical", "legal")],
            "merge_method": "task_arithmetic",
            "base_model": "models/my-base",
        },
        "tasks": [{"name": "picked", "metric": "acc,none"}],
        "limit": 20,
    }
    curate = {"data": "raw.jsonl", "out": "curated", "curate": {"examples": 8}}
    levels = search | {
        "objectives": [
            {"name": f"{domain}-{level}", "type": "level", "level": level, "data": f"data/{domain}.jsonl"}
            for domain in DOMAINS
            for level in LEVELS
        ]
    }
    return {
        "swarm.yaml": search,
        "build.yaml": build,
        "evolve.yml": evolve,
        "curate.yaml": curate,
        "levels.yaml": levels,
    }


def front_configs() -> dict[str, object]:
    words = {"type": "multiple_choice", "data": "grouped.jsonl", "reference": 0}
    tasks = {"helpful": "a", "harmless": "b"}
    search = {
        "base": "models/my-base",
        "experts": ["adapters/maths", "adapters/safety"],
        "objectives": [{"name": name, "only_tasks": [task], **words} for name, task in tasks.items()],
        "optimizer": {"goal": "front", "evaluations": 20},
        "selection": {"members": 6},
        **SEARCH,
    }
    return {"swarm.yaml": search}


def first_run() -> None:
    """The run that most pages speak of, and one under the name of the built-in example."""
    done = run_cli("search", "swarm.yaml", "--run-dir", "runs/first")
    assert done.code == 0, done.err
    shutil.copytree("runs/first", "runs/quickstart")
