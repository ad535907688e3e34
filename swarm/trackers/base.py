"""What a tracker is: settings that open a run in an experiment tracking tool, and the two calls that follow.

Guarantees, tested for every kind in the registry:
- Nothing of the tool is imported until a config names it, and no network is used that the config did not ask for.
- Files are written only to the folder that `start` is given. Started there again, a tracker continues the same run.
- `log` gets the status of the search in order, at step `evaluations`. It may miss some, never the last one.
- `finish` is called once: with the summary, or with None where the run was interrupted and may be resumed.
- All three are called from one thread. An exception from them ends the tracker, never the run.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Protocol

from swarm.core.errors import ConfigError, SwarmError
from swarm.core.settings import Settings
from swarm.journal.summary import Summary
from swarm.search.status import Status

UNLOGGED = ("best_id", "most", "seconds_left")
KEPT = ("best", "optimism", "counts", "seconds")


@dataclass(frozen=True)
class TrackedRun:
    """What is tracked.

    name: of the run.
    folder: the tracker's own.
    config: the resolved one, as plain data.
    """

    name: str
    folder: Path
    config: Mapping[str, object]

    @classmethod
    def of(cls, run_folder: Path, kind: str, config: Mapping[str, object]) -> "TrackedRun":
        return cls(run_folder.resolve().name, run_folder.resolve() / "trackers" / kind, config)


class Tracker(Protocol):
    """An open run of a tool."""

    def log(self, status: Status) -> None:
        """The status of the search at step `status.evaluations`."""

    def finish(self, summary: Summary | None) -> None:
        """The end; None: interrupted."""


class TrackerSettings(Settings, ABC):
    """Settings shared by all trackers. modules: the packages that a kind imports."""

    type: str
    modules: ClassVar[tuple[str, ...]]

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that have to be set before the tool is imported, unless the user has set them."""
        return {}

    def load(self) -> None:
        """Import the tool. Raises ConfigError where it is not installed."""
        for name, value in self.environment.items():
            os.environ.setdefault(name, value)
        for module in self.modules:
            try:
                import_module(module)
            except Exception as error:  # a broken installation may raise anything
                raise ConfigError(
                    f"trackers: type {self.type!r} needs the package {module}, which cannot be imported "
                    f'({first_line(error)}); pip install "swarm-experts[{self.type}]", or leave it out'
                ) from None

    @abstractmethod
    def start(self, run: TrackedRun) -> Tracker:
        """Open a run of the tool, or continue the one whose id its folder holds."""


def numbers(status: Status) -> dict[str, float]:
    """The status by the names that trackers show: search/best, search/mean, ...; unknown values are left out."""
    known = {name: value for name, value in asdict(status).items() if name not in UNLOGGED and value is not None}
    return {f"search/{name}": float(value) for name, value in known.items()}


def results(summary: Summary | None) -> dict[str, float]:
    """The summary's main numbers by their path in it: result/best/test/mean, result/optimism, ..."""
    return dict(_leaves(summary.content(KEPT), "result")) if summary else {}


def first_line(error: BaseException) -> str:
    """An error in one line; one that is not Swarm's with its class."""
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, SwarmError) else f"{type(error).__name__}: {lines[0]}"


def _leaves(content: Mapping[str, object], place: str) -> Iterator[tuple[str, float]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{place}/{key}")
        elif isinstance(value, int | float):
            yield f"{place}/{key}", float(value)
