"""The trackers: experiment tracking tools that show a run while it goes on, and its result at the end.

May import: the core, the journal's summary, the search's status. Never in here: anything that decides a result, or
delays a run. `thread.py` calls each tracker from a background thread, so a tracker may be slow, hang or raise.

To add a tracker, write one file and one line:

1. Write `swarm/trackers/NAME.py` with a frozen settings class that derives from `TrackerSettings` (base.py): its `type`
   a Literal of NAME, `modules` the packages it imports (they are checked before the run starts), and `start`, which
   opens a run of the tool and returns a `Tracker`: `log` and `finish`, with the guarantees of `base.py`. Import the
   tool only inside `start`. Keep all files, and the id by which a resumed run continues, in the folder that `start` is
   given. Name what is logged with `numbers` and `results`.
2. Import the class here and add its line to TRACKERS. The configuration, its schema and the tests that all trackers
   must pass (tests/trackers/test_trackers.py) include it from then on.
3. Name the packages it needs in an extra of the same name in pyproject.toml.

`ray_metrics.py` is not in the registry: every run on Ray has it.
"""

from swarm.trackers.base import TrackedRun, Tracker, TrackerSettings
from swarm.trackers.mlflow import Mlflow
from swarm.trackers.tensorboard import TensorBoard
from swarm.trackers.thread import Start, Tracking
from swarm.trackers.trackio import Trackio
from swarm.trackers.wandb import Wandb

TRACKERS: dict[str, type[TrackerSettings]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "mlflow": Mlflow,
    "trackio": Trackio,
}

__all__ = ["TRACKERS", "Start", "TrackedRun", "Tracker", "TrackerSettings", "Tracking"]
