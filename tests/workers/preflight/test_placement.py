"""Workers and their size follow from the nodes' resources; what the nodes cannot hold is refused at once."""

import pytest
from pydantic import ValidationError

from swarm.core.errors import ConfigError
from swarm.workers.preflight.placement import Placement, capacity, place
from swarm.workers.settings import RayCluster


def node(cpu: float, gpu: float = 0) -> dict[str, float]:
    return {"CPU": cpu, "memory": 1e9} | ({"GPU": gpu} if gpu else {})


@pytest.mark.parametrize(
    ("settings", "nodes", "expected"),
    [
        ({}, [node(1)], Placement(1, 1, 0)),
        ({}, [node(2)], Placement(2, 1, 0)),
        ({}, [node(16)], Placement(4, 4, 0)),
        ({}, [node(3), node(3)], Placement(4, 1, 0)),
        ({}, [{"memory": 1.0}, node(8)], Placement(2, 4, 0)),  # a head node without cores
        ({}, [node(6)] * 5, Placement(10, 3, 0)),
        ({"workers": 1}, [node(16)], Placement(1, 16, 0)),
        ({"workers": 3}, [node(2)] * 3, Placement(3, 2, 0)),
        ({"workers": 4}, [node(2)] * 3, Placement(4, 1, 0)),
        ({"cpus_per_worker": 8}, [node(16)], Placement(2, 8, 0)),
        ({"cpus_per_worker": 8}, [node(12)] * 2, Placement(2, 8, 0)),
        ({"workers": 2, "cpus_per_worker": 1}, [node(16)], Placement(2, 1, 0)),
        ({}, [node(16, 4)], Placement(4, 4, 1.0)),
        ({}, [node(4, 8)], Placement(4, 1, 1.0)),
        ({}, [node(8, 2), node(8)], Placement(2, 4, 1.0)),
        ({"gpus_per_worker": 0.5}, [node(16, 2)], Placement(4, 4, 0.5)),
        ({"gpus_per_worker": 1 / 3}, [node(6, 1)], Placement(3, 2, 1 / 3)),
        ({"gpus_per_worker": 2}, [node(24, 3), node(24, 2)], Placement(2, 16, 2.0)),
        ({}, [node(64, 1)], Placement(1, 8, 1.0)),  # nodes with fewer cores may join
        ({"gpus_per_worker": 0}, [node(8, 4)], Placement(2, 4, 0.0)),
    ],
    ids=str,
)
def test_every_worker_fits_on_a_node(
    settings: dict[str, object], nodes: list[dict[str, float]], expected: Placement
) -> None:
    assert place(RayCluster(**settings), nodes) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "nodes", "reason"),
    [
        ({"gpus_per_worker": 1}, [node(8)], r"cluster.gpus_per_worker: 1 workers with 1 GPUs"),
        ({"workers": 3}, [node(8, 2)], r"cluster.gpus_per_worker: 3 workers with 1 GPUs each .* 2 GPUs"),
        ({"gpus_per_worker": 2}, [node(8, 1), node(8, 1)], r"cluster.gpus_per_worker: 1 workers with 2 GPUs"),
        ({"workers": 3}, [node(2)], r"cluster.workers: 3 workers with 1 cores each .* 2 cores"),
        ({"cpus_per_worker": 4}, [node(3), node(3)], r"cluster.workers: 1 workers with 4 cores .* \(2 nodes\)"),
        ({}, [{"memory": 1.0}], r"cluster.workers: 1 workers with 1 cores each .* 0 cores"),
    ],
    ids=str,
)
def test_workers_that_no_node_holds_are_refused(
    settings: dict[str, object], nodes: list[dict[str, float]], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        place(RayCluster(**settings), nodes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings", [{"workers": 0}, {"cpus_per_worker": 0}, {"gpus_per_worker": -1}, {"gpus_per_worker": 1.5}], ids=str
)
def test_impossible_sizes_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RayCluster(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "before", "after", "expected"),
    [
        ({}, [node(2)], [node(2)], 2),
        ({}, [node(3)], [node(3)], 2),  # as many as at the start, although a third would fit
        ({}, [node(16)], [node(16), node(16)], 8),
        ({}, [node(16), node(8)], [node(8)], 2),
        ({}, [node(2)], [], 0),
        ({"gpus_per_worker": 0.5}, [node(16, 1)], [node(16, 1), node(16, 2)], 4),
        ({"cpus_per_worker": 2}, [node(4)], [node(4), node(5)], 4),
        ({}, [node(16), node(3)], [node(16), node(3)], 6),
        ({}, [node(64, 1)], [node(64, 1), node(8, 1)], 2),
    ],
    ids=str,
)
def test_the_capacity_follows_nodes_that_join_and_leave(
    settings: dict[str, object], before: list[dict[str, float]], after: list[dict[str, float]], expected: int
) -> None:
    cluster = RayCluster(**settings)  # type: ignore[arg-type]
    placement = place(cluster, before)
    assert capacity(cluster, placement, after) == expected
    assert capacity(cluster, placement, before) == placement.workers


def test_an_autoscaler_is_asked_for_more_workers_than_the_nodes_hold() -> None:
    cluster = RayCluster(workers=8, autoscaling=True, gpus_per_worker=1, cpus_per_worker=4)
    assert place(cluster, [node(2)]) == Placement(8, 4, 1.0)
    with pytest.raises(ValidationError, match="set workers, cpus_per_worker and gpus_per_worker to numbers"):
        RayCluster(workers=8, autoscaling=True)


def test_a_part_of_a_gpu_never_spans_two_gpus() -> None:
    with pytest.raises(ConfigError, match=r"3 workers with 0\.6 GPUs each do not fit"):
        place(RayCluster(workers=3, gpus_per_worker=0.6), [node(16, 2)])
    assert place(RayCluster(gpus_per_worker=0.4), [node(16, 2)]).workers == 4
