"""Interruptions: the first ends a run in order, the second at once, and a run goes on from its journal after either."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from support.playground import Playground, command, run_cli, summary_of

ENDLESS = {"particles": 4, "iterations": 400, "patience": None}
NESTED = """
import os, signal, time
from swarm.core.interrupts import heed_interrupts, uninterrupted
heed_interrupts()
try:
    with uninterrupted():
        with uninterrupted():
            os.kill(os.getpid(), signal.{name})
        print("whole", flush=True)
    print("never", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    os.kill(os.getpid(), signal.{name})
    print("the same one", flush=True)
    time.sleep(0.6)
    os.kill(os.getpid(), signal.{name})
    print("never", flush=True)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_must_be_whole_is_and_a_second_signal_ends_the_process_at_once(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NESTED.format(name=name)], capture_output=True, text=True, check=False,
        preexec_fn=heeding,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (130, "whole\ninterrupted\nthe same one\n")


def test_who_was_started_to_ignore_a_signal_goes_on() -> None:
    code = NESTED.format(name="SIGINT").replace(
        "heed_interrupts()\ntry", "heed_interrupts()\nos.environ['X'] = '1'\ntry"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    assert done.stdout == "whole\nnever\n"


@pytest.mark.parametrize(
    ("cluster", "signals"),
    [
        ("local", [signal.SIGTERM]),
        pytest.param("local", [signal.SIGINT, signal.SIGTERM], marks=pytest.mark.slow),
        ("ray", [signal.SIGTERM]),
        pytest.param("ray", [signal.SIGINT, signal.SIGTERM], marks=pytest.mark.slow),
    ],
    ids=["local-once", "local-twice", "ray-once", "ray-twice"],
)
def test_an_interrupted_search_is_resumed(
    playground: Playground, tmp_path: Path, cluster: str, signals: list[signal.Signals]
) -> None:
    """Also with Ray, which takes SIGTERM for itself when it starts. Workers and budget change on the way."""
    kind = {"type": "ray", "workers": 1, "cpus_per_worker": 1} if cluster == "ray" else {"type": "local"}
    content = playground.config(optimizer=ENDLESS, cluster=kind)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    journal = tmp_path / "run" / "journal.jsonl"
    process = subprocess.Popen(
        command("search", tmp_path / "config.yaml", "--run-dir", tmp_path / "run"),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=heeding,
    )  # fmt: skip
    try:
        while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.01)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.6)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    # Ray gives SIGTERM back to the system while it shuts down: that ends the process at once too.
    assert process.returncode in (130, -signal.SIGTERM) if len(signals) > 1 else process.returncode == 130, err
    assert len(signals) > 1 or "interrupted; resume with: swarm resume" in err
    before = journal.read_bytes()
    assert before.endswith(b"\n") or len(signals) > 1
    scored = before.count(b'"kind": "evaluation"')
    budget = f"optimizer.evaluations={scored + 6}"
    resumed = run_cli("resume", tmp_path / "run", "--set", budget, "--set", "cluster={type: local}")
    assert resumed.code == 0, resumed.err
    assert summary_of(tmp_path / "run")["counts"]["evaluations"] == scored + 6  # type: ignore[index]
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["optimizer"]["evaluations"] == scored + 6
    assert journal.read_bytes().startswith(before[: before.rindex(b"\n") + 1])


def test_an_ended_search_takes_no_larger_budget(finished_run: Path) -> None:
    done = run_cli("resume", finished_run, "--set", "optimizer.evaluations=1000")
    assert done.code == 2
    assert "--set optimizer.evaluations=1000: the search of" in done.err
    assert "has ended (iterations)" in done.err
    assert json.loads((finished_run / "summary.json").read_text())["counts"]["evaluations"] < 1000


def test_settings_that_decide_the_result_are_not_changed_on_the_way(finished_run: Path) -> None:
    done = run_cli("resume", finished_run, "--set", "seed=5")
    assert done.code == 2
    assert "another seed than the run began with" in done.err


def heeding() -> None:
    """A shell's background jobs are started to ignore them, and what nohup starts the last one."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.setpgrp()
