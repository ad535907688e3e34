"""kill -9 of a search and its two workers, in the middle, for every composition: resumed, it ends as one worker alone.

The zoos' models, by the real command line: `zoo:tiny` generates texts in float32, SmolLM2 scores answers in bfloat16.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.compare_journals import differences, journal
from support.composed_runs import KINDS, SCALES, make_config
from support.playground import command, run_cli

KILLED_AT = 5  # evaluations in the journal
WORKERS = {"type": "ray", "workers": 2, "cpus_per_worker": 1}
MARKS = {"tiny": pytest.mark.slow, "smollm2": pytest.mark.real}
CASES = [pytest.param(name, kind, id=f"{name}-{kind}", marks=MARKS[name]) for name in SCALES for kind in KINDS]


def searched(config: Path, run: Path, cluster: Mapping[str, object]) -> list[object]:
    setting = ", ".join(f"{key}: {value}" for key, value in cluster.items())
    return ["search", config, "--run-dir", run, "--set", f"cluster={{{setting}}}"]


def killed(words: list[object], run: Path) -> int:
    """Run until KILLED_AT candidates are in the journal, then kill -9 the process with its workers. Returns them."""
    said = run.with_name("said.txt")
    with said.open("w") as file:
        process = subprocess.Popen(command(*words), start_new_session=True, stdout=file, stderr=file)
    try:
        while process.poll() is None and evaluations(run) < KILLED_AT:
            time.sleep(0.005)
        assert process.poll() is None, said.read_text()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return evaluations(run)


def evaluations(run: Path) -> int:
    file = run / "journal.jsonl"
    return file.read_bytes().count(b'"kind": "evaluation"') if file.exists() else 0


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_two_workers_killed_and_resumed_write_the_journal_of_one(name: str, kind: str, tmp_path: Path) -> None:
    config, alone, torn = make_config(name, kind, tmp_path), tmp_path / "alone", tmp_path / "torn"
    done = run_cli(*searched(config, alone, {"type": "local"}))
    assert done.code == 0, done.err
    before = killed(searched(config, torn, WORKERS), torn)
    assert KILLED_AT <= before < evaluations(alone), "killed in the search"
    assert not (torn / "summary.json").exists()
    done = run_cli("resume", torn)
    assert done.code == 0, done.err
    assert differences(alone, torn) == []
    assert len(journal(torn)) > evaluations(alone), "select and test lines are compared as well"
