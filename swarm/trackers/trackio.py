"""Trackio: a database in the run directory or the folder of TRACKIO_DIR; a Space or a server where the config says so.

The package takes its folder from the environment when it is imported, has one current run a process and prints what it
does. So it runs in a process of its own (trackio_client.py), and several runs of one program keep apart.
"""

import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from swarm.core.files import write_text
from swarm.core.secrets import without_passwords
from swarm.journal.summary import Summary
from swarm.search.status import Status
from swarm.trackers.base import TrackedRun, TrackerSettings, numbers, results
from swarm.trackers.thread import SECONDS_TO_FINISH

PROGRAM = Path(__file__).with_name("trackio_client.py")
NAME = "run_name"
FOLDER = "TRACKIO_DIR"
SENDING = ("SPACE_ID", "SERVER_URL", "WEBHOOK_URL", "DATASET_ID", "BUCKET_ID")  # TRACKIO_...: what would send data away
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
LOCAL = {"HF_HUB_OFFLINE": "1"}  # else it asks the hub for the name of the user
SECONDS_TO_END = SECONDS_TO_FINISH - 5  # so that a process that hangs is killed before nobody waits any more


class Trackio(TrackerSettings):
    """A run of Trackio. A resumed run continues it, by the name that the run directory holds."""

    modules: ClassVar[tuple[str, ...]] = ("trackio",)

    type: Literal["trackio"] = "trackio"
    project: str = Field("swarm", description="the project that the run belongs to")
    space_id: str | None = Field(
        None, description="a Hugging Face Space that the run is sent to; none: nothing is sent"
    )
    private: bool = Field(
        True, description="a Space that does not exist yet is made private; false: anybody can read it"
    )
    server_url: str | None = Field(
        None, description="a Trackio server that the run is sent to; TRACKIO_WRITE_TOKEN is its key"
    )

    @field_validator("server_url")
    @classmethod
    def _without_secrets(cls, server_url: str | None) -> str | None:
        if not server_url:
            return server_url
        if "@" in server_url or "write_token" in server_url or without_passwords(server_url) != server_url:
            raise ValueError(
                "config.yaml keeps no passwords and no tokens; leave user, password and write_token out, and set "
                "TRACKIO_WRITE_TOKEN"
            )
        return server_url

    def start(self, run: TrackedRun) -> "TrackioRun":
        run.folder.mkdir(parents=True, exist_ok=True)
        name_file = run.folder / NAME
        if not name_file.exists():
            write_text(name_file, f"{run.name}-{uuid.uuid4().hex[:6]}" if self._shared else run.name)
        opened = {
            "project": self.project,
            "name": name_file.read_text(encoding="utf-8"),
            "config": dict(run.config),
            "space_id": self.space_id,
            "private": self.private,
            "server_url": self.server_url,
        }
        return TrackioRun(opened, self._environment(run.folder))

    @property
    def _shared(self) -> bool:
        """Whether other runs may lie beside this one, so that its name alone does not tell it."""
        return self._sends or bool(os.environ.get(FOLDER))

    @property
    def _sends(self) -> bool:
        return bool(self.space_id or self.server_url)

    def _environment(self, folder: Path) -> dict[str, str]:
        unwanted = {f"TRACKIO_{name}" for name in SENDING}
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        paths = {FOLDER: str(Path(os.environ.get(FOLDER) or folder).resolve())}
        paths["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        return kept | QUIET | paths | ({} if self._sends else LOCAL)


class TrackioRun:
    """The open run: a process that reads a JSON object a line. The end of its input, also by our death, ends it."""

    def __init__(self, opened: Mapping[str, object], environment: Mapping[str, str]) -> None:
        self._step = 0
        self._ended = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end; an unread pipe could fill up
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process
        )
        self._send(opened)

    def log(self, status: Status) -> None:
        self._step = status.evaluations
        self._send({"metrics": numbers(status), "step": self._step})

    def finish(self, summary: Summary | None) -> None:
        if summary is not None:
            self._send({"metrics": results(summary), "step": self._step})
        self._end()

    def _send(self, message: Mapping[str, object]) -> None:
        """Raises OSError where the process has ended, the first time."""
        if self._ended:
            return
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._end()
            raise OSError("its process has ended before the run") from None

    def _end(self) -> None:
        """Let the process write what it has. Raises OSError where it says that something went wrong, or hangs."""
        if self._ended:
            return
        self._ended = True
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with self._errors:
            try:
                code = self._process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise OSError(f"it has not finished within {SECONDS_TO_END:g} s") from None
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
        if code:
            raise OSError(said[-1] if said else f"its process has ended with code {code}")
