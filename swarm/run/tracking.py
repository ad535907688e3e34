"""Who follows a run: the counter of its search's status, and the trackers."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from swarm.config.load import public_content
from swarm.config.schema import Config
from swarm.journal.archive import Archive
from swarm.run.plan import Plan
from swarm.search.status import StatusCounter
from swarm.trackers import Start, TrackedRun, Tracking
from swarm.trackers.ray_metrics import RayMetrics


def load_trackers(config: Config) -> None:
    """Import the tools that the config names. Raises ConfigError where one is missing."""
    for tracker in config.trackers:
        tracker.load()


def open_tracking(config: Config, folder: Path, note: Callable[[str], None]) -> Tracking:
    """The trackers that the config names and, where Ray is used, Ray's metrics."""
    starts: dict[str, Start] = {}
    if config.cluster.on_ray is not None:
        starts["ray"] = partial(RayMetrics, folder.resolve().name)
    for tracker in config.trackers:
        run = TrackedRun.of(folder, tracker.type, public_content(config))
        starts[tracker.type] = partial(tracker.start, run)
    return Tracking(starts, note)


def open_counter(plan: Plan, archive: Archive) -> StatusCounter:
    """The counter of a search, with what earlier sessions scored. This session's clock starts now."""
    began = archive.search_began
    worked = 0.0 if began is None else archive.elapsed - began
    budget = plan.budget(worked)
    return StatusCounter(plan.weights, budget, archive.history(), archive.evaluations, archive.prior_results())
