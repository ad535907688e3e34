"""TensorBoard: event files in the run directory. `tensorboard --logdir runs` shows all runs side by side."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import yaml

from swarm.journal.summary import Summary
from swarm.search.status import Status
from swarm.trackers.base import TrackedRun, TrackerSettings, numbers, results

FLUSH_SECONDS = 10


class TensorBoard(TrackerSettings):
    """Event files, by torch's writer. A resumed run adds a file to the same folder, and they show as one curve."""

    modules: ClassVar[tuple[str, ...]] = ("tensorboard", "torch.utils.tensorboard")

    type: Literal["tensorboard"] = "tensorboard"

    def start(self, run: TrackedRun) -> "EventFiles":
        return EventFiles(run.folder, run.config)


class EventFiles:
    """The open event file."""

    def __init__(self, folder: Path, config: Mapping[str, object]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), flush_secs=FLUSH_SECONDS)
        self._writer.add_text("config", f"```yaml\n{yaml.safe_dump(dict(config), sort_keys=False)}\n```")
        self._step = 0

    def log(self, status: Status) -> None:
        self._step = status.evaluations
        for name, value in numbers(status).items():
            self._writer.add_scalar(name, value, self._step)

    def finish(self, summary: Summary | None) -> None:
        for name, value in results(summary).items():
            self._writer.add_scalar(name, value, self._step)
        self._writer.close()
