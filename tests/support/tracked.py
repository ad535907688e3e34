"""What trackers left on disk, read back by the tools themselves: name -> its points, a step and a value each."""

import json
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

Points = dict[str, list[tuple[int, float]]]


def of_tensorboard(folder: Path) -> Points:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def of_mlflow(folder: Path) -> Points:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("swarm").experiment_id])
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    return {name: [(m.step, m.value) for m in history] for name, history in histories.items()}


def of_wandb(folder: Path) -> Points:
    """Every session's file; they must be of one run. What is in the summary alone has no step: it is given 0."""
    points: Points = {}
    summary: Points = {}
    ids = set()
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for record in _ended(file):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                ids.add(record.run.run_id)
            if kind == "history":
                for item in record.history.item:
                    _add(points, item, record.history.step.num)
            if kind == "summary":
                for item in record.summary.update:
                    _add(summary, item, 0)
    assert len(ids) == 1, ids
    return summary | points


def _add(points: Points, item, step: int) -> None:
    name, value = item.key or "/".join(item.nested_key), json.loads(item.value_json)
    if isinstance(value, int | float):
        points.setdefault(name, []).append((step, value))


def _ended(file: Path) -> list:
    """The records of a session that has ended. wandb's own process may still be writing them after `finish`."""
    for _ in range(200):
        records = list(_records(file))
        if any(record.WhichOneof("record_type") == "exit" for record in records):
            break
        time.sleep(0.1)
    return records


def _records(file: Path) -> Iterator:
    """A transaction log: seven bytes, then LevelDB's log format around wandb's records."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, parts = file.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


def of_trackio(folder: Path) -> Points:
    """The rows of its database, which must be of one run."""
    points: Points = {}
    with closing(sqlite3.connect(folder / "swarm.db")) as database:
        rows = database.execute("select run_id, step, metrics from metrics order by id").fetchall()
    assert len({run for run, _, _ in rows}) == 1, rows
    for _, step, metrics in rows:
        for name, value in json.loads(metrics).items():
            points.setdefault(name, []).append((step, value))
    return points


READERS: dict[str, Callable[[Path], Points]] = {
    "tensorboard": of_tensorboard, "wandb": of_wandb, "mlflow": of_mlflow, "trackio": of_trackio,
}  # fmt: skip
