"""Before a search every node is probed. What is certain to fail is an error of one line within seconds."""

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray
import yaml

from support.clusters import in_a_small_ray, two_nodes
from support.playground import Playground, command, run_cli
from swarm.config.load import load_config
from swarm.config.references import resolve
from swarm.core.errors import ConfigError, RunError
from swarm.core.sizes import GIB
from swarm.run.plan import Plan, make_plan
from swarm.run.requirements import check_disk, check_room, needs_of
from swarm.workers.preflight.checks import Node, NodeRequirements, RequiredFiles, check_nodes
from swarm.workers.preflight.node_report import (
    Fingerprint,
    NodeReport,
    fingerprints,
    free_memory,
    report_node,
    versions,
)
from swarm.workers.preflight.placement import Placement, slots_on
from swarm.workers.ray.connect import check_reachable
from swarm.workers.ray.probe_nodes import check_feasible, probe_nodes, put
from swarm.workers.settings import LocalCluster, RayCluster

WEIGHTS, CONFIG = "/adapters/medical/adapter_model.safetensors", "/adapters/medical/adapter_config.json"
FILES = {WEIGHTS: Fingerprint(900, "aa"), CONFIG: Fingerprint(30, "bb")}
VERSIONS = {"python": "3.12", "swarm": "1.0", "torch": "2.9.0+cpu", "transformers": "5.0", "numpy": "2.1"}
NEEDS = NodeRequirements(
    (RequiredFiles("expert medical", "/adapters/medical", FILES),), VERSIONS, private=2 * GIB, shared=GIB
)
GONE = Fingerprint(problem="No such file or directory")


def node(name: str = "10.0.0.7 (ab12cd34)", slots: int = 2, **report: object) -> Node:
    whole = {"files": FILES, "versions": VERSIONS, "memory": 100 * GIB}
    return Node(name, slots, NodeReport(**whole | report))  # type: ignore[arg-type]


FINE = node("10.0.0.1 (00000000)")


@pytest.fixture(scope="module")
def plan(playground: Playground) -> Plan:
    return make_plan(resolve(load_config(playground.config_file), playground.folder))


@pytest.mark.parametrize(
    ("there", "line"),
    [
        ({WEIGHTS: GONE, CONFIG: GONE}, "/adapters/medical is not on node 10.0.0.7 (ab12cd34); copy it there"),
        ({CONFIG: GONE}, f"{CONFIG} is not on node 10.0.0.7 (ab12cd34); copy it there or put it on shared storage"),
        (
            {CONFIG: Fingerprint(problem="Permission denied")},
            f"{CONFIG} cannot be read (Permission denied) on node 10.0.0.7",
        ),
        ({WEIGHTS: Fingerprint(901, "aa")}, f"{WEIGHTS} on node 10.0.0.7 (ab12cd34) differs from the file"),
        ({WEIGHTS: Fingerprint(900, "cc")}, f"{WEIGHTS} on node 10.0.0.7 (ab12cd34) differs from the file"),
        ({WEIGHTS: Fingerprint(901, "")}, f"{WEIGHTS} on node 10.0.0.7 (ab12cd34) differs from the file"),
    ],
)
def test_an_expert_that_a_node_lacks_is_named_with_node_path_and_remedy(
    there: dict[str, Fingerprint], line: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        check_nodes(NEEDS, [FINE, node(files=FILES | there)], Placement(4, 1, 0))
    assert str(raised.value).startswith("expert medical: ")
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nodes_that_lack_the_same_file_are_counted() -> None:
    lacking = [node(f"10.0.0.{i} (ab)", files={WEIGHTS: GONE, CONFIG: GONE}) for i in range(2, 7)]
    with pytest.raises(ConfigError, match=r"is not on node 10\.0\.0\.2 \(ab\) and 4 more; copy"):
        check_nodes(NEEDS, [FINE, *lacking], Placement(4, 1, 0))


def test_a_file_that_was_not_read_in_time_is_a_note() -> None:
    assert check_nodes(NEEDS, [FINE, node(files=FILES | {WEIGHTS: Fingerprint(900, "")})], Placement(4, 1, 0)) == [
        "expert medical: on node 10.0.0.7 (ab12cd34) only file sizes were compared, since the disk is slow"
    ]


@pytest.mark.parametrize(
    ("package", "there", "line"),
    [
        ("transformers", "5.1", "transformers is 5.1 on node 10.0.0.7 (ab12cd34) and 5.0 here; install the same"),
        ("torch", "2.8.0+cu128", "torch is 2.8.0+cu128 on node 10.0.0.7 (ab12cd34) and 2.9.0+cpu here"),
        ("swarm", "", "swarm is missing on node 10.0.0.7 (ab12cd34) and 1.0 here"),
        ("python", "3.11", "python is 3.11 on node 10.0.0.7 (ab12cd34) and 3.12 here"),
    ],
)
def test_another_version_is_named_with_node_and_both_versions(package: str, there: str, line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_nodes(NEEDS, [FINE, node(versions=VERSIONS | {package: there})], Placement(4, 1, 0))
    assert line in str(raised.value)


def test_cpu_and_gpu_builds_of_one_torch_are_equal() -> None:
    assert check_nodes(NEEDS, [FINE, node(versions=VERSIONS | {"torch": "2.9.0+cu128"})], Placement(4, 1, 0)) == []


@pytest.mark.parametrize(
    ("placement", "nodes", "line"),
    [
        (Placement(2, 1, 0), [node(memory=4.9 * GIB)], "2 workers need 2.00 GiB each and 1.00 GiB of files per node"),
        (Placement(2, 1, 0), [node(memory=4.9 * GIB)], "has 4.90 GiB of memory free, which is enough for 1"),
        (Placement(2, 1, 0), [node(memory=4.9 * GIB)], "set cluster.workers to 1 or fewer"),
        (Placement(4, 1, 0), [FINE, node(memory=4.9 * GIB)], "set cluster.workers to 3 or fewer"),
        (Placement(1, 1, 0), [node(memory=2.9 * GIB)], "use nodes with more memory"),
        (Placement(1, 1, 0), [node(memory=0.5 * GIB)], "which is enough for 0"),
        (
            Placement(2, 1, 1.0),
            [node(gpus=(8 * GIB, 1.9 * GIB))],
            "8.00 GiB, 1.90 GiB free on its GPUs, which is enough",
        ),
        (Placement(2, 1, 0.5), [node(gpus=(3.9 * GIB,))], "set cluster.workers to 1 or fewer"),
        (Placement(1, 1, 2.0), [node(gpus=(4 * GIB, 0.9 * GIB), slots=1)], "which is enough for 0"),
    ],
    ids=str,
)
def test_workers_that_do_not_fit_into_memory_are_refused_with_figures(
    placement: Placement, nodes: list[Node], line: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        check_nodes(NEEDS, nodes, placement)
    assert str(raised.value).startswith("cluster.workers: ")
    assert line in str(raised.value)
    if named := re.search(r"set cluster.workers to (\d+) or fewer", str(raised.value)):
        check_nodes(NEEDS, nodes, replace(placement, workers=int(named[1])))


@pytest.mark.parametrize(
    ("placement", "nodes"),
    [
        (Placement(2, 1, 0), [node(memory=6 * GIB)]),
        (Placement(2, 1, 0), [node(memory=None)]),
        (Placement(2, 1, 1.0), [node(gpus=(8 * GIB, 8 * GIB))]),
        (Placement(4, 1, 0.5), [node(gpus=(8 * GIB, 8 * GIB), slots=4)]),
        (Placement(2, 1, 1.0), [node(gpus=None)]),
        (Placement(2, 1, 1.0), [node(gpus=(8 * GIB, 8 * GIB), memory=2 * GIB)]),
    ],
    ids=str,
)
def test_workers_that_fit_are_not_mentioned(placement: Placement, nodes: list[Node]) -> None:
    assert check_nodes(NEEDS, nodes, placement) == []


@pytest.mark.parametrize(
    ("placement", "tight"),
    [
        (Placement(2, 1, 0), node(memory=5.5 * GIB)),
        (Placement(2, 1, 0), node(memory=5.0 * GIB)),
        (Placement(2, 1, 1.0), node(gpus=(2.2 * GIB, 8 * GIB))),
        (Placement(2, 1, 0.5), node(gpus=(4.4 * GIB,))),
    ],
    ids=str,
)
def test_between_85_and_100_percent_of_the_memory_is_a_note(placement: Placement, tight: Node) -> None:
    (note,) = check_nodes(NEEDS, [tight], placement)
    assert note.startswith("memory is tight on node 10.0.0.7 (ab12cd34): workers take about ")


def test_a_placement_that_may_fail_is_a_note_and_not_an_error() -> None:
    (note,) = check_nodes(NEEDS, [FINE, node(memory=4 * GIB)], Placement(2, 1, 0))
    assert "enough for 1 of the 2 workers that Ray may place there" in note


def test_nodes_that_an_autoscaler_adds_are_not_checked() -> None:
    notes = check_nodes(NEEDS, [node(memory=4 * GIB)], Placement(8, 1, 0))
    assert len(notes) == 1, "a cluster without slots for the workers will grow"


def test_slots_are_counted_as_ray_counts_them() -> None:
    assert slots_on([{"CPU": 7.0, "memory": 1.0}], 2, 0) == 3
    assert slots_on([{"CPU": 7.0, "GPU": 1.0}], 1, 1 / 3) == 3
    assert slots_on([{"CPU": 7.0}], 1, 1.0) == 0
    assert slots_on([{"CPU": 7.0, "GPU": 2.0}], 1, 0.6) == 2, "a part of a GPU never spans two"
    assert slots_on([{"memory": 1.0}], 1, 0) == 0


def test_a_fingerprint_changes_with_any_part_of_a_small_file_and_with_the_weights_of_a_large_one(
    tmp_path: Path,
) -> None:
    file = tmp_path / "file"
    found = set()
    for content in (
        b"a",
        b"b",
        b"ab",
        bytes(2**20),
        bytes(2**20 - 1),
        b"x" + bytes(2**20 - 1),
        bytes(2**20 - 1) + b"x",
    ):
        file.write_bytes(content)
        found.add(fingerprints([str(file)], 10)[str(file)])
    assert len(found) == 7
    assert fingerprints([str(tmp_path / "gone")], 10)[str(tmp_path / "gone")] == GONE


def test_a_file_that_does_not_answer_in_time_has_a_problem(tmp_path: Path) -> None:
    """Opening a pipe blocks until its other end opens, like a file on a file server that is gone."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"a")
    pipe, file = str(tmp_path / "pipe"), str(tmp_path / "file")
    found = fingerprints([pipe, file], 0.3)
    (tmp_path / "pipe").open("wb").close()
    assert found[pipe] == Fingerprint(problem="no answer within 0.3 s")
    assert found[file].problem == ""


def test_this_machine_meets_the_requirements_of_its_own_plan(plan: Plan) -> None:
    needs = needs_of(plan)
    assert [required.owner for required in needs.files] == ["base", "expert red", "expert green", "expert blue"]
    names = {Path(path).name for path in needs.paths}
    assert names >= {"model.safetensors", "config.json", "tokenizer.json", "adapter_model.safetensors"}
    report = report_node(needs.paths, 10, gpus=False)
    assert check_nodes(needs, [Node("here", 1, report)], Placement(1, 1, 0)) == []
    assert 0 < (free_memory() or 0) < 1e15
    assert "" not in versions().values()


def test_a_module_of_the_user_is_required_if_it_is_beside_the_config(playground: Playground, tmp_path: Path) -> None:
    (tmp_path / "liking.py").write_text("def length(example, output):\n    return -len(output)\n")
    mine = {"type": "function", "data": str(playground.data), "max_new_tokens": 4}
    objectives = [mine | {"name": "short", "function": "liking:length"}, mine | {"name": "o", "function": "math:hypot"}]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(playground.config(objectives=objectives)))
    needs = needs_of(make_plan(resolve(load_config(tmp_path / "config.yaml"), tmp_path)))
    assert [(required.owner, required.path) for required in needs.files[4:]] == [
        ("objective short", str(tmp_path / "liking.py"))
    ]


def test_a_disk_without_room_for_the_best_is_refused(plan: Plan, tmp_path: Path) -> None:
    check_disk(plan, tmp_path / "runs" / "new")
    with pytest.raises(RunError, match=r"the disk of .*new has [\d.]+ GiB free, best/ needs 9,313,225.75 GiB"):
        check_room(tmp_path / "runs" / "new", 1e16)


def test_a_cluster_that_is_not_there_is_noticed_before_ray_is_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConfigError, match=rf"no Ray cluster at '127.0.0.1:{port}' \(.*refused\); give the address"):
        check_reachable(f"127.0.0.1:{port}")
    with pytest.raises(ConfigError, match=r"no Ray cluster at 'ray://127.0.0.1:\d+' "):
        check_reachable(f"ray://127.0.0.1:{port}")
    with pytest.raises(
        ConfigError, match=r"no Ray cluster at 'http://head:8265' \(this is an address for submitting jobs\)"
    ):
        check_reachable("http://head:8265")


def test_another_program_at_the_address_is_not_a_cluster() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        web = threading.Thread(target=answer_as_a_web_server, args=(other,))
        web.start()
        with pytest.raises(ConfigError, match="another program listens there"):
            check_reachable(f"127.0.0.1:{other.getsockname()[1]}")
        web.join()


def answer_as_a_web_server(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n")


def test_a_running_ray_is_reachable(joined_ray: None) -> None:
    check_reachable(ray.get_runtime_context().gcs_address)


def test_nodes_without_a_free_core_are_probed(joined_ray: None, plan: Plan) -> None:
    class Holder:
        def here(self) -> bool:
            return True

    busy = ray.remote(num_cpus=4)(Holder).remote()
    try:
        ray.get(busy.here.remote())
        while ray.available_resources().get("CPU"):  # Ray reports it a moment later
            time.sleep(0.02)
        (note,) = probe_nodes(needs_of(plan), Placement(2, 1, 0))
        assert "of the 2 cores that the workers need are free now" in note
    finally:
        ray.kill(busy)


def test_a_real_node_reports_missing_files_and_memory(joined_ray: None, plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"a")
    needs = replace(needs_of(plan), files=(RequiredFiles.of("expert gone", tmp_path, [tmp_path / "weights"]),))
    (tmp_path / "weights").unlink()
    with pytest.raises(ConfigError, match=rf"expert gone: {tmp_path} is not on node [\d.]+ \([0-9a-f]{{8}}\); copy"):
        probe_nodes(needs, Placement(2, 1, 0))
    with pytest.raises(ConfigError, match=r"cluster.workers: 2 workers need 1,024.00 GiB each"):
        probe_nodes(replace(needs_of(plan), private=1024 * GIB), Placement(2, 1, 0))


def test_an_object_that_was_put_can_be_fetched(joined_ray: None) -> None:
    assert ray.get(put([1, 2], "a list")) == [1, 2]


def test_a_full_store_and_one_that_hangs_are_errors() -> None:
    full, hanging = in_a_small_ray(
        """
        held = [put(np.ones(20 * 2**20, dtype=np.uint8), "it") for _ in range(3)]
        try:
            put(np.ones(20 * 2**20, dtype=np.uint8), "the examples")
        except RunError as error:
            print("error:", error)
        (raylet,) = [child for child in psutil.Process().children(recursive=True) if "raylet" in child.name()]
        raylet.suspend()
        probe_nodes.PUT_SECONDS = 1.0
        try:
            put(np.ones(2**20, dtype=np.uint8), "the examples")
        except RunError as error:
            print("error:", error)
        raylet.resume()
        """
    )
    assert full.startswith("cluster: Ray's object store (0.08 GiB in the cluster, ")
    assert "has no room for the examples, and neither has the disk that it spills to; free disk" in full
    assert "did not accept the examples within 1 s; free disk" in hanging


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"gpus_per_worker": 8}, "cluster.gpus_per_worker: 1 workers with 8 GPUs each do not fit"),
        ({"workers": 100_000}, "cluster.workers: 100000 workers with 1 cores each do not fit"),
    ],
)
def test_workers_that_this_machine_cannot_hold_are_refused_before_anything_starts(
    settings: dict[str, object], key: str, playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ConfigError, match=key):
        check_feasible(RayCluster(**settings))  # type: ignore[arg-type]
    check_feasible(LocalCluster())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(playground.config(cluster={"type": "ray", **settings})))
    done = run_cli("check", tmp_path / "config.yaml")
    assert (done.code, done.err.startswith(f"swarm: {key}")) == (2, True), done.err


@pytest.fixture(scope="module")
def cluster(playground: Playground) -> Iterator[str]:
    """The address of a Ray of two nodes; the second one does not see the expert "blue"."""
    with two_nodes(playground.expert("blue")) as address:
        if not address:
            pytest.skip("only root can give a node another view of the disk")
        yield address


def test_check_names_an_expert_that_one_node_does_not_see(cluster: str, playground: Playground) -> None:
    done = checked(playground.config_file, cluster)
    blue = playground.expert("blue")
    assert done.returncode == 2, done
    assert re.fullmatch(rf"swarm: expert blue: {blue} is not on node [\d.]+ \([0-9a-f]{{8}}\); .*\n", done.stderr)


def test_check_describes_a_cluster_that_has_everything(cluster: str, playground: Playground, tmp_path: Path) -> None:
    experts = [str(playground.expert(name)) for name in ("red", "green")]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(playground.config(experts=experts)))
    done = checked(tmp_path / "config.yaml", cluster)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cluster      ok: 2 nodes, 2 of them for 2 workers of 1 cores and 0 GPUs each\n" in done.stdout


def checked(config: Path, address: str) -> "subprocess.CompletedProcess[str]":
    """`swarm check` on a cluster, in a process of its own."""
    cluster = ("--set", "cluster.type=ray", "--set", f"cluster.address={address}")
    return subprocess.run(command("check", config, *cluster), capture_output=True, text=True, check=False)
