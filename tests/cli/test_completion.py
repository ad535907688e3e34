"""Shells complete commands and options, and nothing heavy is loaded for that."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SWARM = [sys.executable, "-m", "swarm.cli"]


def swarm(*words: str, **environment: str) -> str:
    done = subprocess.run(
        [*SWARM, *words], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def completed(words: str, at: int) -> list[str]:
    """What bash is offered for the word at that place."""
    return swarm(_SWARM_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(at)).split()


def test_commands_and_options_are_completed() -> None:
    assert completed("swarm exp", 1) == ["export"]
    assert {"search", "resume", "check", "zoo"} <= set(completed("swarm ", 1))
    assert completed("swarm export --push", 2) == ["--push-to-hub"]
    assert completed("swarm zoo bu", 2) == ["build"]
    assert completed("swarm nothing-like-it", 1) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script_that_it_reads(shell: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(swarm(_SWARM_COMPLETE=f"source_{shell}"))
    assert f"complete_{shell}" in script.read_text()
    if found := shutil.which(shell):
        subprocess.run([found, "-n", script], check=True)


def test_show_completion_prints_it() -> None:
    named = swarm("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert named.strip() == swarm(_SWARM_COMPLETE="source_bash").strip()
    assert "complete -o default -F _swarm_completion swarm" in named


def test_completing_loads_nothing_heavy() -> None:
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(sorted({'torch', 'transformers', 'ray', 'numpy'} & set(sys.modules))))\n"
        "from swarm.cli.main import main\n"
        "main()\n"
    )
    environment = {"_SWARM_COMPLETE": "complete_bash", "COMP_WORDS": "swarm exp", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split("\n")[:2] == ["export", "[]"], done.stderr
