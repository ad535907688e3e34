"""The tutorial on clusters in use: its commands are one script of bash, with ports and a Ray of the test's own."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from support.tutorials import steps, written

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "cluster.md"
STOP = "ray stop\n"  # ends every Ray of this machine; here the test ends its own
PORTS = ("6379", "8265")


def script(ports: dict[str, str]) -> str:
    """The page's commands, with other ports; its files are written to the working directory.

    Ray's agent gets a free port, too: with its own, 52365, a second Ray on a machine has none, and refuses jobs.
    """
    blocks = [text for _, text in steps(PAGE) if not written(text)]
    assert STOP in blocks
    text = "".join(block for block in blocks if block != STOP)
    assert all(port in text for port in ports)
    text = re.sub("|".join(ports), lambda found: ports[found[0]], text)
    assert " --dashboard-port " in text
    return text.replace(" --dashboard-port ", " --dashboard-agent-listen-port 0 --dashboard-port ")


def of_folder(folder: str) -> list[psutil.Process]:
    """The processes of the Ray that lives in this folder."""
    found = psutil.process_iter(["cmdline"])
    return [each for each in found if folder in " ".join(each.info["cmdline"] or ()) and each.pid != os.getpid()]


@pytest.fixture
def place() -> Iterator[str]:
    """A folder with a short path for Ray's files; what still runs there is ended."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield folder
        for each in of_folder(folder):
            each.send_signal(signal.SIGKILL)


def free_ports() -> dict[str, str]:
    """For each port of the page another one, on which nothing listens."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in PORTS]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return {port: str(each.getsockname()[1]) for port, each in zip(PORTS, sockets, strict=True)}


def test_the_ports_of_the_script_are_free_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ports = free_ports()
    assert len({*PORTS, *ports.values()}) == 2 * len(PORTS)
    for port in ports.values():
        with socket.socket() as opened:
            opened.bind(("127.0.0.1", int(port)))
    text = script({"6379": "48265", "8265": "46379"})  # each holds a port of the page
    assert "--port 48265 --dashboard-agent-listen-port 0 --dashboard-port 46379" in text
    assert "http://127.0.0.1:46379" in text


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_tutorial_is_followed(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM"))}
    own = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RAY_TMPDIR": place,
        "TMPDIR": place,
        "RAY_AUTH_TOKEN": "0" * 32,
    }
    done = subprocess.run(
        ["bash", "-euc", script(free_ports())],
        env=kept | own | {"RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1700,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "the worker died" in done.stdout
    assert "Job 'first' succeeded" in done.stdout + done.stderr
    names = ("whole", "worker-killed", "search-killed", "joined", "job")
    results = [coefficients(tmp_path / "runs" / name / "report.md") for name in names]
    assert len(set(results)) == 1


def coefficients(report: Path) -> str:
    """The line of a report that names the coefficients of what was composed."""
    found = re.search(r"^Coefficients: .*$", report.read_text(), re.MULTILINE)
    assert found
    return found[0]
