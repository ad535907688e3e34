"""The process that renders chat templates, as long as this one lives: started when it is needed, ended with its limits.

It works in every thread and in Ray's workers: nothing depends on signals in this process.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

PROGRAM = Path(__file__).with_name("template_renderer.py")
SECONDS = 10  # of the processor, for one rendering, which takes milliseconds


@dataclass
class TemplateProcess:
    """Renders templates one after another. seconds: what one rendering may take of the processor."""

    seconds: int = SECONDS
    _process: subprocess.Popen[str] | None = field(default=None, init=False)
    _owner: int = field(default=0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def render(self, source: str, values: Mapping[str, object], characters: int, steps: int) -> dict[str, str]:
        """The answer that template_renderer.py describes."""
        request = {"source": source, "values": values, "characters": characters, "steps": steps}
        line = json.dumps(request | {"seconds": self.seconds}, default=str)
        with self._lock:
            answered = False
            try:
                answer = self._exchange(line)
                answered = bool(answer)
                return json.loads(answer) if answer else {"endless": self._end()}
            finally:
                if not answered:  # also after an interruption: its answer would be taken for the next one's
                    self.close()

    def close(self) -> None:
        """End the process. The next rendering starts another."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.communicate()

    def _exchange(self, line: str) -> str:
        """The line that answers a line; "" where the process has ended."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return ""
        return process.stdout.readline()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid():  # a fork has the pipes of another's process
            self._owner = os.getpid()
            self._process = self._started()
            atexit.register(self.close)
        return self._process

    def _started(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for this process
        )
        assert process.stdout, "it is a pipe"
        if not process.stdout.readline():
            raise RuntimeError(f"{PROGRAM} did not start: exit code {process.wait()}; run it with python to see why")
        return process

    def _end(self) -> str:
        """What the process did before it ended by itself."""
        assert self._process is not None
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            return f"takes more than {self.seconds} seconds"
        return f"ends the process that renders it (exit code {code})"
