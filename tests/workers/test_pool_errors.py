"""Pools that cannot start, or whose workers cannot: the user's mistakes arrive as they are."""

from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest
import ray

from support.pools import CLUSTER, EXAMPLES, TASKS, mode, open_pool
from support.runs import spec, workload
from swarm.core.errors import ConfigError, ExpertError
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.experts.catalog import ExpertSpec
from swarm.objectives.function import UserFunction
from swarm.workers.ray.backend import RayBackend
from swarm.workers.scheduling.events import Event, Lost, Placed, Started
from swarm.workers.settings import RayCluster


@pytest.fixture(autouse=True)
def _no_faults(folder: Path) -> None:
    mode(folder)


def test_a_user_error_in_an_evaluation_arrives_as_it_is(joined_ray: None, folder: Path) -> None:
    mistaken = spec(folder, UserFunction(name="mine", function="nowhere:score"))
    one = open_pool(mistaken, workers=1)
    one.load("search", workload(mistaken, EXAMPLES))
    with pytest.raises(ConfigError, match="nowhere cannot be imported"):
        list(one.run(deque(TASKS)))
    one.close()


def test_a_user_error_at_the_start_arrives_as_it_is(joined_ray: None, what: EvaluatorSpec, folder: Path) -> None:
    missing = replace(what, experts=(ExpertSpec("gone", folder / "nowhere"),))
    with pytest.raises(ExpertError, match=r"expert gone: .*nowhere does not exist"):
        open_pool(missing, workers=1)
    assert ray.is_initialized()


def test_a_later_worker_that_cannot_start_does_not_end_the_run(
    joined_ray: None, what: EvaluatorSpec, folder: Path
) -> None:
    """As on a node that lacks an expert: the worker is lost, with the reason. A first worker would end the run."""
    backend = RayBackend(what, RayCluster(**CLUSTER))  # type: ignore[arg-type]
    backend.spawn("first")
    assert [type(event) for event in events_of(backend, 2)] == [Placed, Started]
    expert = what.experts[0].path
    expert.rename(folder / "away")
    try:
        backend.spawn("second")
        _, lost = events_of(backend, 2)
    finally:
        (folder / "away").rename(expert)
    assert isinstance(lost, Lost)
    assert (lost.worker, lost.cause) == ("second", "idle")
    assert "it cannot start: expert one: " in lost.reason
    backend.close()


def events_of(backend: RayBackend, count: int) -> list[Event]:
    events: list[Event] = []
    while len(events) < count:
        events.extend(backend.wait(1.0))
    return events


def test_workers_that_the_cluster_cannot_hold_are_refused_at_once(joined_ray: None, what: EvaluatorSpec) -> None:
    with pytest.raises(ConfigError, match=r"cluster.gpus_per_worker: 1 workers with 8 GPUs"):
        open_pool(what, workers="auto", gpus_per_worker=8)
    with pytest.raises(ConfigError, match=r"cluster.workers: 5 workers"):
        open_pool(what, workers=5)
