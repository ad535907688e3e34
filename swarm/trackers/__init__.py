"""The trackers: where else a run is shown while it goes on. To add one, write one file and one line.

1. Write `swarm/trackers/NAME.py` with a frozen settings class that derives from `TrackerSettings` (base.py): its `type`
   a Literal of NAME, `modules` what it imports (before the run starts: what is missing is the user's mistake), and
   `start`, which opens a run of the tool and returns a `Tracker`: `log` and `finish`, as `base.py` promises.
   Import the tool inside `start` alone. Keep whatever lies on disk, and the id that a resumed run goes on by, in the
   folder that `start` is given. `numbers` and `results` give what is logged its names: use them.
2. Import the class here and add its line to TRACKERS. The configuration, its schema and the tests that all trackers
   must pass (tests/trackers/test_trackers.py) take it from there.
3. Name what it needs in an extra of the same name in pyproject.toml.

`courier.py` calls a tracker from a thread of its own, so it may be slow, hang or raise. `ray_metrics.py` is no kind of
the registry: every run on Ray has it.
"""

from swarm.trackers.base import TrackedRun, Tracker, TrackerSettings
from swarm.trackers.mlflow import Mlflow
from swarm.trackers.tensorboard import TensorBoard
from swarm.trackers.thread import Start, Tracking
from swarm.trackers.wandb import Wandb

TRACKERS: dict[str, type[TrackerSettings]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "mlflow": Mlflow,
}

__all__ = ["TRACKERS", "Start", "TrackedRun", "Tracker", "TrackerSettings", "Tracking"]
