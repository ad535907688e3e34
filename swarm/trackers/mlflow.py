"""MLflow: a database in the run directory, or the server that the config names."""

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar
from urllib.parse import quote

from pydantic import Field

from swarm.core.errors import ConfigError
from swarm.core.files import write_text
from swarm.core.secrets import HIDDEN
from swarm.journal.summary import Summary
from swarm.search.status import Status
from swarm.trackers.base import TrackedRun, TrackerSettings, numbers, results

if TYPE_CHECKING:
    from mlflow import MlflowClient

ID = "run_id"
BATCH = 100  # parameters and metrics: the most that one call may log
PARAMETER_CHARACTERS = 500  # the longest parameter that every version of the server accepts
FORBIDDEN = re.compile(r"[^\w\-. :/]")  # in the name of a parameter or metric
Item = TypeVar("Item")


class Mlflow(TrackerSettings):
    """A run of MLflow. A resumed run continues it, by the id that the run directory holds."""

    modules: ClassVar[tuple[str, ...]] = ("mlflow", "sqlalchemy", "alembic")

    type: Literal["mlflow"] = "mlflow"
    tracking_uri: str | None = Field(None, description="a server or database; none: mlflow.db in the run directory")
    experiment: str = Field("swarm", description="the experiment that the run belongs to")

    @property
    def environment(self) -> Mapping[str, str]:
        return {"MLFLOW_DISABLE_TELEMETRY": "true"}

    def start(self, run: TrackedRun) -> "MlflowRun":
        from mlflow import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        run.folder.mkdir(parents=True, exist_ok=True)
        client = MlflowClient(tracking_uri=self.address() or f"sqlite:///{run.folder / 'mlflow.db'}")
        id_file = run.folder / ID
        if id_file.exists():
            run_id = id_file.read_text(encoding="utf-8")
            client.update_run(run_id, status="RUNNING")
        else:
            run_id = client.create_run(self._experiment(client, run), run_name=run.name).info.run_id
            write_text(id_file, run_id)
            _log_config(client, run_id, run.config)
        return MlflowRun(client, run_id)

    def address(self) -> str | None:
        """The config's; where that of a run directory hides its password, with that of the environment."""
        if self.tracking_uri is None or f"://{HIDDEN}@" not in self.tracking_uri:
            return self.tracking_uri
        user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD"))
        if not user or not password:
            raise ConfigError(
                "tracking_uri: its user and password are not kept in config.yaml; set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or give it again with swarm resume --set trackers.0.tracking_uri=..."
            )
        return self.tracking_uri.replace(f"://{HIDDEN}@", f"://{quote(user, '')}:{quote(password, '')}@")

    def _experiment(self, client: "MlflowClient", run: TrackedRun) -> str:
        known = client.get_experiment_by_name(self.experiment)
        if known is not None:
            return str(known.experiment_id)
        # A local database would put artifacts into the current working directory.
        place = None if self.tracking_uri else (run.folder / "artifacts").as_uri()
        return str(client.create_experiment(self.experiment, artifact_location=place))


class MlflowRun:
    """The open run."""

    def __init__(self, client: "MlflowClient", run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._step = 0

    def log(self, status: Status) -> None:
        self._step = status.evaluations
        self._log(numbers(status))

    def finish(self, summary: Summary | None) -> None:
        self._log(results(summary))
        self._client.set_terminated(self._run_id, status="KILLED" if summary is None else "FINISHED")

    def _log(self, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(FORBIDDEN.sub("_", name), value, now, self._step) for name, value in values.items()]
        for batch in _batches(metrics):
            self._client.log_batch(self._run_id, metrics=batch)


def _log_config(client: "MlflowClient", run_id: str, config: Mapping[str, object]) -> None:
    from mlflow.entities import Param

    params = [Param(FORBIDDEN.sub("_", key), str(value)[:PARAMETER_CHARACTERS]) for key, value in _leaves(config)]
    for batch in _batches(params):
        client.log_batch(run_id, params=batch)


def _leaves(content: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Dotted keys as in --set, each with its value."""
    if isinstance(content, Mapping | list) and content:
        inner = content.items() if isinstance(content, Mapping) else enumerate(content)
        for key, value in inner:
            yield from _leaves(value, f"{place}.{key}" if place else str(key))
    else:
        yield place, content


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[i : i + BATCH] for i in range(0, len(items), BATCH))
