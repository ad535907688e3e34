"""kill -9 anywhere, resume, same result."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.models import make_adapter, make_base

TIMES = ("elapsed", "seconds", "compose_seconds", "forward_seconds", "worker")
KILLS = 5


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    base = make_base(folder / "base")
    for seed in range(3):
        make_adapter(folder / f"expert{seed}", base, seed=seed)
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefgh", k=5)) for _ in range(90)]
    data = [
        {"id": str(i), "prompt": f"{w}=", "choices": [w[::-1], w, w.upper()], "answer": "A"}
        for i, w in enumerate(words)
    ]
    (folder / "data.jsonl").write_text("\n".join(json.dumps(example) for example in data))
    content = {
        "base": str(base),
        "experts": [str(folder / f"expert{seed}") for seed in range(3)],
        "objectives": [{"name": "words", "type": "multiple_choice", "data": str(folder / "data.jsonl")}],
        "optimizer": {"type": "pso", "particles": 8, "iterations": 12, "patience": None},
        "engine": {"dtype": "float32"},
        "cluster": {"type": "local"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return folder / "config.yaml"


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from swarm.cli.main import main; main()", *words]


def killed_after(words: list[str], journal: Path, lines: int) -> None:
    """Run until the journal has so many lines, then kill -9 the process and all its children."""
    process = subprocess.Popen(
        command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while process.poll() is None and line_count(journal) < lines:
            time.sleep(0.005)
        assert process.poll() is None, "the run ended before it could be killed"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def line_count(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def scored(journal: Path) -> dict[tuple[str, str, str], Any]:
    """Every evaluation line by kind, split and id; times and worker names aside."""
    lines = [json.loads(text) for text in journal.read_text().splitlines()]
    kept = [line for line in lines if line["kind"] in ("evaluation", "select", "test")]
    assert len({(line["kind"], line["split"], line["id"]) for line in kept}) == len(kept), "an evaluation came twice"
    return {(n["kind"], n["split"], n["id"]): {k: v for k, v in n.items() if k not in TIMES} for n in kept}


def summary(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return {key: value for key, value in content.items() if key != "seconds"}


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["local", "ray"])
def test_killed_five_times_and_resumed_ends_like_an_undisturbed_run(config: Path, tmp_path: Path, cluster: str) -> None:
    straight, torn = tmp_path / "straight", tmp_path / "torn"
    options = ["--set", f"cluster.type={cluster}"]
    subprocess.run(
        command("search", str(config), "--run-dir", str(straight), *options), check=True, capture_output=True
    )
    total = line_count(straight / "journal.jsonl")
    moments = sorted(random.Random(1).sample(range(2, total - 1), KILLS))
    killed_after(["search", str(config), "--run-dir", str(torn), *options], torn / "journal.jsonl", moments[0])
    for lines in moments[1:]:
        killed_after(["resume", str(torn)], torn / "journal.jsonl", lines)
    subprocess.run(command("resume", str(torn)), check=True, capture_output=True)
    assert scored(torn / "journal.jsonl") == scored(straight / "journal.jsonl")
    assert summary(torn) == summary(straight)
