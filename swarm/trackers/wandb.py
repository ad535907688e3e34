"""Weights & Biases. Offline unless the config says otherwise: `wandb sync` sends what was kept, when you like."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from swarm.core.errors import ConfigError
from swarm.core.files import write_text
from swarm.search.status import Status
from swarm.trackers.base import TrackedRun, TrackerSettings, numbers, results
from swarm.trackers.thread import SECONDS_TO_FINISH

if TYPE_CHECKING:
    from wandb import Run

ID = "run_id"


class Wandb(TrackerSettings):
    """A run of Weights & Biases. A resumed one keeps its id, online and, once it is synced, offline too."""

    modules: ClassVar[tuple[str, ...]] = ("wandb",)

    type: Literal["wandb"] = "wandb"
    mode: Literal["offline", "online", "disabled"] = Field(
        "offline", description="offline: files in the run directory alone; online: sent as it goes; disabled: nothing"
    )
    project: str = Field("swarm", description="the project that the run belongs to")
    entity: str | None = Field(None, description="the user or team; none: your own")

    @property
    def environment(self) -> Mapping[str, str]:
        return {} if self.mode == "online" else {"WANDB_ERROR_REPORTING": "false"}

    def start(self, run: TrackedRun) -> "WandbRun":
        import wandb

        if self.mode == "online" and not wandb.login(prompt=False, verify=False):
            raise ConfigError("there is no API key; run wandb login, or take mode: offline")
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
            # Offline there is nobody to ask whether the run is known: the id alone holds its parts together.
            resume="allow" if self.mode == "online" else None,
            config=dict(run.config),
            settings=quiet,
        )
        return WandbRun(opened)


class WandbRun:
    """The open run."""

    def __init__(self, run: "Run") -> None:
        self._run = run

    def log(self, standing: Status) -> None:
        self._run.log(numbers(standing), step=standing.evaluations)

    def finish(self, summary: Mapping[str, object] | None) -> None:
        self._run.summary.update(results(summary or {}))
        self._run.finish(exit_code=0 if summary is not None else 1)
