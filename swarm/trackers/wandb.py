"""Weights & Biases. Offline unless the config says otherwise; `wandb sync` uploads the files later."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from swarm.core.errors import ConfigError
from swarm.core.files import write_text
from swarm.journal.summary import Summary
from swarm.search.status import Status
from swarm.trackers.base import TrackedRun, TrackerSettings, numbers, results
from swarm.trackers.thread import SECONDS_TO_FINISH

if TYPE_CHECKING:
    from wandb import Run

ID = "run_id"


class Wandb(TrackerSettings):
    """A run of Weights & Biases. A resumed run keeps its id: online, and offline once it is synced."""

    modules: ClassVar[tuple[str, ...]] = ("wandb",)

    type: Literal["wandb"] = "wandb"
    mode: Literal["offline", "online", "disabled"] = Field(
        "offline",
        description="offline: files in the run directory only; online: uploaded as it runs; disabled: nothing",
    )
    project: str = Field("swarm", description="the project that the run belongs to")
    entity: str | None = Field(None, description="the user or team; none: your own")

    @property
    def environment(self) -> Mapping[str, str]:
        return {} if self.mode == "online" else {"WANDB_ERROR_REPORTING": "false"}

    def start(self, run: TrackedRun) -> "WandbRun":
        import wandb

        if self.mode == "online" and not wandb.login(prompt=False, verify=False):
            raise ConfigError("there is no API key; run wandb login, or set mode: offline")
        run.folder.mkdir(parents=True, exist_ok=True)
        id_file = run.folder / ID
        if not id_file.exists():
            write_text(id_file, uuid.uuid4().hex[:8])
        quiet = wandb.Settings(silent=True, console="off", finish_timeout=SECONDS_TO_FINISH)
        opened = wandb.init(
            project=self.project,
            entity=self.entity,
            mode=self.mode,
            dir=str(run.folder),
            id=id_file.read_text(encoding="utf-8"),
            name=run.name,
            # Offline, no server can say whether the run is known: the id alone joins the parts.
            resume="allow" if self.mode == "online" else None,
            config=dict(run.config),
            settings=quiet,
        )
        return WandbRun(opened)


class WandbRun:
    """The open run."""

    def __init__(self, run: "Run") -> None:
        self._run = run

    def log(self, status: Status) -> None:
        self._run.log(numbers(status), step=status.evaluations)

    def finish(self, summary: Summary | None) -> None:
        self._run.summary.update(results(summary))
        self._run.finish(exit_code=0 if summary is not None else 1)
