"""A finished search with two objectives held apart, whose examples name two groups, in a playground's folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from support.models import make_adapter
from support.playground import EXPERTS, Playground, examples, run_cli, write_lines

Line = dict[str, Any]
RULE_TEXTS = {
    "weighted_sum": "weighted_sum:a=0.7,b=0.3",
    "tchebycheff": "tchebycheff:a=0.5,b=0.5,rho=0.01",
    "knee": "knee",
    "lexicographic": "lexicographic:a=0.05,b=0",
    "egalitarian": "egalitarian",
    "leximin": "leximin",
    "nash": "nash",
    "p_mean": "p_mean:p=-inf",
    "cvar": "cvar:alpha=0.5",
    "borda": "borda:x=1,y=2",
    "copeland": "copeland",
    "pama": "pama",
}


def front_config(playground: Playground, **sections: object) -> dict[str, object]:
    """Adapters that move the base far enough for different members, and 120 examples of two tasks in two groups."""
    folder = _folder(playground)
    data = folder / "grouped.jsonl"
    if not data.exists():
        folder.mkdir(exist_ok=True)
        rows = [{**row, "task": "ab"[i % 2], "group": "xy"[i // 2 % 2]} for i, row in enumerate(examples(120))]
        write_lines(data, rows)
        for seed, name in enumerate(EXPERTS, 1):
            make_adapter(folder / f"far_{name}", playground.base, seed=seed, scale=0.3)
    objectives = [
        {"name": task, "type": "multiple_choice", "data": str(data), "only_tasks": [task], "reference": 0}
        for task in "ab"
    ]
    usual: dict[str, object] = {
        "experts": [str(folder / f"far_{name}") for name in EXPERTS],
        "objectives": objectives,
        "optimizer": {"goal": "front", "evaluations": 16},
        "splits": {"search": 40, "select": 48, "test": "rest"},
        "selection": {"members": 6, "select": "nash", "rule": "select"},
    }
    return playground.config(**(usual | sections))


def front_run(playground: Playground) -> Path:
    """Made once for a playground. Copy it before changing anything."""
    config, run = _folder(playground) / "front.yaml", _folder(playground) / "run"
    if not run.exists():
        content = yaml.safe_dump(front_config(playground))
        config.write_text(content)
        done = run_cli("search", config, "--run-dir", run)
        assert done.code == 0, done
    return run


def used_front_run(playground: Playground) -> Path:
    """A copy of it, for commands that add to its decisions."""
    used = _folder(playground) / "used"
    return used if used.exists() else shutil.copytree(front_run(playground), used)


def _folder(playground: Playground) -> Path:
    """Beside the playground, whose folder tests count the experts of."""
    return playground.folder.with_name(f"{playground.folder.name}_front")


def rescore(run: Path, score: Callable[[str, str, str, int], float]) -> None:
    """Other scores on the select split: score(candidate, objective, group, place of the example)."""
    lines: list[Line] = [json.loads(text) for text in (run / "journal.jsonl").read_text().splitlines()]
    items = lines[0]["items"]
    for line in lines:
        if line["kind"] == "select" and line["split"] == "select":
            for name, row in line["examples"].items():
                groups = [item["group"] for item in items[name]["select"]]
                row[:] = [score(line["id"], name, group, i) for i, group in enumerate(groups)]
                line["scores"][name] = sum(row) / len(row)
    (run / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def found_in(run: Path) -> list[str]:
    """The members of the front run that the search found: no baselines."""
    lines = [json.loads(text) for text in (run / "journal.jsonl").read_text().splitlines()]
    ids = (line["id"] for line in lines if line["kind"] == "select" and line["split"] == "select")
    return [id for id in dict.fromkeys(ids) if id[:1].isdigit()]


def trade_off(run: Path) -> list[str]:
    """Rescore so that three members found by the search trade a against b, and all others score low.

    Returns them: the best on a (9 of 10 examples, 2 of 10 on b), the one between (6 and 6), the best on b (2 and 9).
    """
    chosen = found_in(run)[:3]
    tenths = {
        name: dict(zip("ab", pair, strict=True)) for name, pair in zip(chosen, [(9, 2), (6, 6), (2, 9)], strict=True)
    }
    rescore(
        run,
        lambda id, objective, group, i: float(i % 10 < tenths[id][objective]) if id in tenths else float(i % 10 < 1),
    )
    return chosen
