"""A search that the user interrupts: what a terminal and a pipe are told, and what is left behind."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import yaml

from support.playground import Playground, command, run_cli, summary_of


def test_an_interrupted_run_says_how_to_resume_and_ends_like_an_uninterrupted_one(
    playground: Playground, tmp_path: Path
) -> None:
    optimizer = {"particles": 4, "iterations": 24, "patience": None}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(playground.config(optimizer=optimizer)))
    search = ("search", tmp_path / "config.yaml", "--run-dir", tmp_path / "run")
    process = subprocess.Popen(
        command(*search), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    try:
        wait_for_lines(process, tmp_path / "run" / "journal.jsonl", 5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err == f"interrupted; resume with: swarm resume {tmp_path / 'run'}\n"
    assert_plain(out)
    resumed = run_cli("resume", tmp_path / "run")
    assert resumed.code == 0
    assert re.search(r"(?m)^note: resuming: \d+ of at most 96 evaluations are known already$", resumed.out)
    assert re.search(r"(?m)^finished in \d+ s, all sessions together$", resumed.out)
    assert run_cli(*search[:-1], tmp_path / "straight").code == 0
    assert summary_of(tmp_path / "run") == summary_of(tmp_path / "straight")


def test_a_terminal_hears_at_once_that_a_search_starts_and_what_an_interruption_leaves(
    playground: Playground, tmp_path: Path
) -> None:
    """Before the libraries are loaded, which takes seconds."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        command("search", playground.config_file, "--run-dir", tmp_path / "run"),
        stdout=subprocess.PIPE, stderr=theirs, preexec_fn=heed_interrupts,
    )  # fmt: skip
    try:
        with os.fdopen(os.dup(ours), "rb", buffering=0) as screen:
            assert screen.readline() == b"starting: loading libraries\r\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        with os.fdopen(os.dup(ours), "rb", buffering=0) as screen:
            assert screen.readline() == b"interrupted before the run began; no run was created\r\n"
    finally:
        process.kill()
        for end in (ours, theirs):
            os.close(end)
    assert (process.returncode, out) == (130, b"")
    assert not (tmp_path / "run").exists()


def heed_interrupts() -> None:
    """A shell's background jobs are started to ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_lines(process: "subprocess.Popen[str]", journal: Path, lines: int) -> None:
    while not journal.exists() or journal.read_bytes().count(b"\n") < lines:
        assert process.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.005)


def assert_plain(out: str) -> None:
    """Lines for a pipe: the phases, how far the last one was, and nothing that moves a cursor."""
    lines = [line for line in out.splitlines() if not re.search("^[a-z ]+, done in", line)]
    steps = ["reading data", "checking base and experts", "encoding examples", "starting workers", "searching"]
    assert lines[:5] == steps
    assert re.match(r"searching \d+ of 96 evaluations, stopped after \d+ s; best on search \d", lines[5])
    assert "\x1b" not in out
    assert "\r" not in out
