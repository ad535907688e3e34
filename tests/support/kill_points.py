"""Runs of the real command line, each in a process of its own that is killed at an exact point, or has a full disk.

A point is an event of the file system inside the run directory: a file opened for writing, a folder made, a rename, a
removal (audit events of Python), and each fsync, before and after it. The run counts its events and kills itself
(SIGKILL) at the one that it is told. Processes are forks of the tests', which has imported all that a run needs.
"""

import json
import os
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from swarm.cli.main import main

NEVER = -1
SECONDS = 120  # a process that hangs is ended
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass
class Ended:
    """How it ended: the exit code (-9: killed), what it said on stderr, and its events where it was not killed."""

    code: int
    err: str = ""
    events: list[str] = field(default_factory=list)


class Counter:
    """Counts events of one run directory, and kills the process at one of them."""

    def __init__(self, run: str, point: int) -> None:
        self._run, self._point = os.path.abspath(run), point
        self._hidden = os.path.join(os.path.dirname(self._run), f".{os.path.basename(self._run)}.")
        self.events: list[str] = []

    @property
    def counts(self) -> bool:
        """Whether anybody wants the events: counting them costs time."""
        return self._point != NEVER

    def watch(self, fsyncs: bool) -> None:
        sys.addaudithook(self._audit)
        if fsyncs:
            sys.setprofile(self._profile)

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event not in EVENTS or (event == "open" and not self._writes(arguments)):
            return
        name = arguments[0]
        if isinstance(name, (str, bytes, os.PathLike)):
            path = os.path.abspath(os.fsdecode(name))
            if path.startswith((self._run, self._hidden)):
                self._happened(f"{event} {os.path.relpath(path, self._run)}")

    def _writes(self, arguments: tuple[object, ...]) -> bool:
        return isinstance(arguments[2], int) and bool(arguments[2] & WRITING)

    def _profile(self, _frame: FrameType, event: str, called: object) -> None:
        if event in ("c_call", "c_return") and called is os.fsync:
            self._happened(f"{'before' if event == 'c_call' else 'after'} fsync")

    def _happened(self, event: str) -> None:
        self.events.append(event)
        if len(self.events) == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


def run_cli_forked(*words: object, at: Path, point: int = NEVER, file_size: int = 0, fsyncs: bool = True) -> Ended:
    """`swarm WORDS...` in a process of its own.

    at: the run directory whose events are counted. point: the event at which the process is killed; 0:
    at none, but events are counted; NEVER: nor are they.
    file_size: no file may become larger, as on a full disk; 0: no limit.
    fsyncs: count these, too, which doubles the time.
    """
    (result, out), (said, err) = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of the tests' process do not exist in the fork
        pid = os.fork()
    if not pid:
        try:
            signal.alarm(SECONDS)
            _redirect(err)
            if file_size:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
            os.write(out, json.dumps(_run(words, Counter(str(at), point), fsyncs)).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(out)
    os.close(err)
    text, message = _read(said), _read(result)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return Ended(-os.WTERMSIG(status), text.decode())
    code, events = json.loads(message or b"[1, []]")
    return Ended(code, text.decode(), events)


def _redirect(err: int) -> None:
    """New streams: those of the tests' process may be captured."""
    os.dup2(err, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)


def _run(words: Sequence[object], counter: Counter, fsyncs: bool) -> tuple[int, list[str]]:
    sys.argv = ["swarm", *map(str, words)]
    if counter.counts:
        counter.watch(fsyncs)
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0), counter.events
    finally:
        sys.setprofile(None)
    raise AssertionError("main ends by SystemExit")


def _read(pipe: int) -> bytes:
    with os.fdopen(pipe, "rb") as stream:
        return stream.read()


def content_of(run: Path) -> dict[str, bytes]:
    """Every file of a run below its directory, but for the files that hold times; those as they are named."""
    found = {str(path.relative_to(run)): path for path in run.rglob("*") if path.is_file()}
    return {name: b"" if _timed(name) else path.read_bytes() for name, path in found.items()}


def _timed(name: str) -> bool:
    return name in ("journal.jsonl", "summary.json", "report.html", "report.md", "best/README.md")


def spread(events: Sequence[str], count: int) -> list[int]:
    """`count` points, numbered from 1, evenly over the events of a run."""
    return sorted({1 + i * (len(events) - 1) // max(count - 1, 1) for i in range(count)})
