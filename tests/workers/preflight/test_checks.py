"""Before a search every node is looked at, and what cannot be is told in one line, soon."""

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
from swarm.run.plan import Plan, make_plan
from swarm.run.requirements import check_disk, check_room, needs_of
from swarm.workers.preflight.checks import GIB, Held, Needs, Node, verdict
from swarm.workers.preflight.node_report import Mark, NodeReport, free_memory, look, marks, versions
from swarm.workers.preflight.placement import Share, room_on
from swarm.workers.ray.probe_nodes import feasible, preflight, put
from swarm.workers.ray.reach import reach
from swarm.workers.settings import LocalCluster, RayCluster

WEIGHTS, CONFIG = "/adapters/medical/adapter_model.safetensors", "/adapters/medical/adapter_config.json"
MARKS = {WEIGHTS: Mark(900, "aa"), CONFIG: Mark(30, "bb")}
VERSIONS = {"python": "3.12", "swarm": "1.0", "torch": "2.9.0+cpu", "transformers": "5.0", "numpy": "2.1"}
NEEDS = Needs((Held("expert medical", "/adapters/medical", MARKS),), VERSIONS, private=2 * GIB, shared=GIB)
GONE = Mark(problem="No such file or directory")


def node(name: str = "10.0.0.7 (ab12cd34)", room: int = 2, **report: object) -> Node:
    whole = {"marks": MARKS, "versions": VERSIONS, "memory": 100 * GIB}
    return Node(name, room, NodeReport(**whole | report))  # type: ignore[arg-type]


FINE = node("10.0.0.1 (00000000)")


@pytest.fixture(scope="module")
def plan(playground: Playground) -> Plan:
    return make_plan(resolve(load_config(playground.config_file), playground.folder))


@pytest.mark.parametrize(
    ("there", "line"),
    [
        ({WEIGHTS: GONE, CONFIG: GONE}, "/adapters/medical is not on node 10.0.0.7 (ab12cd34); copy it there"),
        ({CONFIG: GONE}, f"{CONFIG} is not on node 10.0.0.7 (ab12cd34); copy it there or put it on shared storage"),
        ({CONFIG: Mark(problem="Permission denied")}, f"{CONFIG} cannot be read (Permission denied) on node 10.0.0.7"),
        ({WEIGHTS: Mark(901, "aa")}, f"{WEIGHTS} on node 10.0.0.7 (ab12cd34) is not the file that is here"),
        ({WEIGHTS: Mark(900, "cc")}, f"{WEIGHTS} on node 10.0.0.7 (ab12cd34) is not the file that is here"),
        ({WEIGHTS: Mark(901, "")}, f"{WEIGHTS} on node 10.0.0.7 (ab12cd34) is not the file that is here"),
    ],
)
def test_an_expert_that_a_node_lacks_is_named_with_node_path_and_remedy(there: dict[str, Mark], line: str) -> None:
    with pytest.raises(ConfigError) as told:
        verdict(NEEDS, [FINE, node(marks=MARKS | there)], Share(4, 1, 0))
    assert str(told.value).startswith("expert medical: ")
    assert line in str(told.value)
    assert "\n" not in str(told.value)


def test_nodes_with_one_lack_are_counted() -> None:
    lacking = [node(f"10.0.0.{i} (ab)", marks={WEIGHTS: GONE, CONFIG: GONE}) for i in range(2, 7)]
    with pytest.raises(ConfigError, match=r"is not on node 10\.0\.0\.2 \(ab\) and 4 more; copy"):
        verdict(NEEDS, [FINE, *lacking], Share(4, 1, 0))


def test_a_file_that_was_not_read_in_time_is_a_note() -> None:
    assert verdict(NEEDS, [FINE, node(marks=MARKS | {WEIGHTS: Mark(900, "")})], Share(4, 1, 0)) == [
        "expert medical: on node 10.0.0.7 (ab12cd34) only its size was compared: the disk is slow"
    ]


@pytest.mark.parametrize(
    ("package", "there", "line"),
    [
        ("transformers", "5.1", "transformers is 5.1 on node 10.0.0.7 (ab12cd34) and 5.0 here; install the same"),
        ("torch", "2.8.0+cu128", "torch is 2.8.0+cu128 on node 10.0.0.7 (ab12cd34) and 2.9.0+cpu here"),
        ("swarm", "", "swarm is missing on node 10.0.0.7 (ab12cd34); here it is 1.0"),
        ("python", "3.11", "python is 3.11 on node 10.0.0.7 (ab12cd34) and 3.12 here"),
    ],
)
def test_another_version_is_named_with_node_and_both_versions(package: str, there: str, line: str) -> None:
    with pytest.raises(ConfigError) as told:
        verdict(NEEDS, [FINE, node(versions=VERSIONS | {package: there})], Share(4, 1, 0))
    assert line in str(told.value)


def test_builds_of_one_torch_for_cpus_and_gpus_are_equal() -> None:
    assert verdict(NEEDS, [FINE, node(versions=VERSIONS | {"torch": "2.9.0+cu128"})], Share(4, 1, 0)) == []


@pytest.mark.parametrize(
    ("share", "nodes", "line"),
    [
        (Share(2, 1, 0), [node(memory=4.9 * GIB)], "2 workers need 2.00 GiB each and 1.00 GiB of files on a node"),
        (Share(2, 1, 0), [node(memory=4.9 * GIB)], "has 4.90 GiB of memory free, which is enough for 1"),
        (Share(2, 1, 0), [node(memory=4.9 * GIB)], "set cluster.workers to 1 or fewer"),
        (Share(4, 1, 0), [FINE, node(memory=4.9 * GIB)], "set cluster.workers to 3 or fewer"),
        (Share(1, 1, 0), [node(memory=2.9 * GIB)], "use nodes with more memory"),
        (Share(1, 1, 0), [node(memory=0.5 * GIB)], "which is enough for 0"),
        (Share(2, 1, 1.0), [node(gpus=(8 * GIB, 1.9 * GIB))], "8.00 GiB, 1.90 GiB free on its GPUs, which is enough"),
        (Share(2, 1, 0.5), [node(gpus=(3.9 * GIB,))], "set cluster.workers to 1 or fewer"),
        (Share(1, 1, 2.0), [node(gpus=(4 * GIB, 0.9 * GIB), room=1)], "which is enough for 0"),
    ],
    ids=str,
)
def test_workers_that_no_memory_holds_are_refused_with_figures(share: Share, nodes: list[Node], line: str) -> None:
    with pytest.raises(ConfigError) as told:
        verdict(NEEDS, nodes, share)
    assert str(told.value).startswith("cluster.workers: ")
    assert line in str(told.value)


@pytest.mark.parametrize(
    ("share", "nodes"),
    [
        (Share(2, 1, 0), [node(memory=6 * GIB)]),
        (Share(2, 1, 0), [node(memory=None)]),
        (Share(2, 1, 1.0), [node(gpus=(8 * GIB, 8 * GIB))]),
        (Share(4, 1, 0.5), [node(gpus=(8 * GIB, 8 * GIB), room=4)]),
        (Share(2, 1, 1.0), [node(gpus=None)]),
        (Share(2, 1, 1.0), [node(gpus=(8 * GIB, 8 * GIB), memory=2 * GIB)]),
    ],
    ids=str,
)
def test_what_fits_is_said_nothing_of(share: Share, nodes: list[Node]) -> None:
    assert verdict(NEEDS, nodes, share) == []


@pytest.mark.parametrize(
    ("share", "tight"),
    [
        (Share(2, 1, 0), node(memory=5.5 * GIB)),
        (Share(2, 1, 0), node(memory=5.0 * GIB)),
        (Share(2, 1, 1.0), node(gpus=(2.2 * GIB, 8 * GIB))),
        (Share(2, 1, 0.5), node(gpus=(4.4 * GIB,))),
    ],
    ids=str,
)
def test_between_85_and_100_percent_of_the_memory_is_a_note(share: Share, tight: Node) -> None:
    (note,) = verdict(NEEDS, [tight], share)
    assert note.startswith("memory is tight on node 10.0.0.7 (ab12cd34): workers take about ")


def test_what_ray_may_place_badly_is_a_note_and_no_refusal() -> None:
    (note,) = verdict(NEEDS, [FINE, node(memory=4 * GIB)], Share(2, 1, 0))
    assert "enough for 1 of the 2 workers that Ray may place there" in note


def test_nodes_that_an_autoscaler_brings_are_not_judged() -> None:
    notes = verdict(NEEDS, [node(memory=4 * GIB)], Share(8, 1, 0))
    assert len(notes) == 1, "a cluster without room for the workers is still to grow"


def test_room_is_what_ray_counts() -> None:
    assert room_on([{"CPU": 7.0, "memory": 1.0}], 2, 0) == 3
    assert room_on([{"CPU": 7.0, "GPU": 1.0}], 1, 1 / 3) == 3
    assert room_on([{"CPU": 7.0}], 1, 1.0) == 0
    assert room_on([{"CPU": 7.0, "GPU": 2.0}], 1, 0.6) == 2, "a part of a GPU lies on one"
    assert room_on([{"memory": 1.0}], 1, 0) == 0


def test_a_mark_changes_with_any_part_of_a_small_file_and_with_the_weights_of_a_large_one(tmp_path: Path) -> None:
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
        found.add(marks([str(file)], 10)[str(file)])
    assert len(found) == 7
    assert marks([str(tmp_path / "gone")], 10)[str(tmp_path / "gone")] == GONE


def test_a_file_that_is_not_answered_for_in_time_has_a_problem(tmp_path: Path) -> None:
    """Opening a pipe waits for its other end, as a file server that is gone lets its files wait."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"a")
    pipe, file = str(tmp_path / "pipe"), str(tmp_path / "file")
    found = marks([pipe, file], 0.3)
    (tmp_path / "pipe").open("wb").close()
    assert found[pipe] == Mark(problem="no answer within 0.3 s")
    assert found[file].problem == ""


def test_this_machine_has_what_a_plan_of_it_needs(plan: Plan) -> None:
    needs = needs_of(plan)
    assert [held.owner for held in needs.held] == ["base", "expert red", "expert green", "expert blue"]
    names = {Path(path).name for path in needs.paths}
    assert names >= {"model.safetensors", "config.json", "tokenizer.json", "adapter_model.safetensors"}
    report = look(needs.paths, 10, gpus=False)
    assert verdict(needs, [Node("here", 1, report)], Share(1, 1, 0)) == []
    assert 0 < (free_memory() or 0) < 1e15
    assert "" not in versions().values()


def test_a_module_of_the_users_is_needed_where_it_lies_beside_the_config(
    playground: Playground, tmp_path: Path
) -> None:
    (tmp_path / "liking.py").write_text("def length(example, output):\n    return -len(output)\n")
    mine = {"type": "function", "data": str(playground.data), "max_new_tokens": 4}
    objectives = [mine | {"name": "short", "function": "liking:length"}, mine | {"name": "o", "function": "math:hypot"}]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(playground.config(objectives=objectives)))
    needs = needs_of(make_plan(resolve(load_config(tmp_path / "config.yaml"), tmp_path)))
    assert [(held.owner, held.path) for held in needs.held[4:]] == [("objective short", str(tmp_path / "liking.py"))]


def test_a_disk_without_room_for_the_best_is_refused(plan: Plan, tmp_path: Path) -> None:
    check_disk(plan, tmp_path / "runs" / "new")
    with pytest.raises(RunError, match=r"--run-dir: the disk of .*new has [\d.]+ GiB free, best/ needs 9313225.75 GiB"):
        check_room(tmp_path / "runs" / "new", 1e16)


def test_a_cluster_that_is_not_there_is_told_before_ray_is_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConfigError, match=rf"no Ray cluster at '127.0.0.1:{port}' \(.*refused\); give the address"):
        reach(f"127.0.0.1:{port}")
    with pytest.raises(ConfigError, match=r"no Ray cluster at 'ray://127.0.0.1:\d+' "):
        reach(f"ray://127.0.0.1:{port}")
    with pytest.raises(ConfigError, match=r"no Ray cluster at 'http://head:8265' \(jobs are submitted there\)"):
        reach("http://head:8265")


def test_another_program_at_the_address_is_no_cluster() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        web = threading.Thread(target=answer_as_a_web_server, args=(other,))
        web.start()
        with pytest.raises(ConfigError, match="another program listens there"):
            reach(f"127.0.0.1:{other.getsockname()[1]}")
        web.join()


def answer_as_a_web_server(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n")


def test_a_running_ray_is_reached(joined_ray: None) -> None:
    reach(ray.get_runtime_context().gcs_address)


def test_nodes_are_probed_without_a_core(joined_ray: None, plan: Plan) -> None:
    class Holder:
        def here(self) -> bool:
            return True

    busy = ray.remote(num_cpus=4)(Holder).remote()
    try:
        ray.get(busy.here.remote())
        while ray.available_resources().get("CPU"):  # Ray tells of it a moment later
            time.sleep(0.02)
        (note,) = preflight(needs_of(plan), Share(2, 1, 0))
        assert "of the 2 cores that the workers need are free now" in note
    finally:
        ray.kill(busy)


def test_a_real_node_tells_of_what_is_not_there(joined_ray: None, plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"a")
    needs = replace(needs_of(plan), held=(Held.of("expert gone", tmp_path, [tmp_path / "weights"]),))
    (tmp_path / "weights").unlink()
    with pytest.raises(ConfigError, match=rf"expert gone: {tmp_path} is not on node [\d.]+ \([0-9a-f]{{8}}\); copy"):
        preflight(needs, Share(2, 1, 0))
    with pytest.raises(ConfigError, match=r"cluster.workers: 2 workers need 1024.00 GiB each"):
        preflight(replace(needs_of(plan), private=1024 * GIB), Share(2, 1, 0))


def test_what_is_put_can_be_had(joined_ray: None) -> None:
    assert ray.get(put([1, 2], "a list")) == [1, 2]


def test_objects_are_refused_by_a_full_store_and_by_one_that_hangs() -> None:
    full, hanging = in_a_small_ray(
        """
        held = [put(np.ones(20 * 2**20, dtype=np.uint8), "it") for _ in range(3)]
        try:
            put(np.ones(20 * 2**20, dtype=np.uint8), "the examples")
        except RunError as error:
            print("told:", error)
        (raylet,) = [child for child in psutil.Process().children(recursive=True) if "raylet" in child.name()]
        raylet.suspend()
        probe_nodes.PUT_SECONDS = 1.0
        try:
            put(np.ones(2**20, dtype=np.uint8), "the examples")
        except RunError as error:
            print("told:", error)
        raylet.resume()
        """
    )
    assert full.startswith("cluster: Ray's object store (0.08 GiB in the cluster, ")
    assert "is full, and so is the disk that it spills to: the examples cannot be put there; free disk" in full
    assert "did not take the examples within 1 s; free disk" in hanging


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"gpus_per_worker": 8}, "cluster.gpus_per_worker: 1 workers with 8 GPUs each do not fit"),
        ({"workers": 100_000}, "cluster.workers: 100000 workers with 1 cores each do not fit"),
    ],
)
def test_what_this_machine_cannot_hold_is_refused_before_anything_starts(
    settings: dict[str, object], key: str, playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ConfigError, match=key):
        feasible(RayCluster(**settings))  # type: ignore[arg-type]
    feasible(LocalCluster())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(playground.config(cluster={"type": "ray", **settings})))
    done = run_cli("check", tmp_path / "config.yaml")
    assert (done.code, done.err.startswith(f"swarm: {key}")) == (2, True), done.err


@pytest.fixture(scope="module")
def cluster(playground: Playground) -> Iterator[str]:
    """The address of a Ray of two nodes; the second one does not see the expert "blue"."""
    with two_nodes(playground.expert("blue")) as address:
        if not address:
            pytest.skip("only root may give a node another view of the disk")
        yield address


def test_an_expert_that_one_node_does_not_see_is_told_by_check(cluster: str, playground: Playground) -> None:
    done = checked(playground.config_file, cluster)
    blue = playground.expert("blue")
    assert done.returncode == 2, done
    assert re.fullmatch(rf"swarm: expert blue: {blue} is not on node [\d.]+ \([0-9a-f]{{8}}\); .*\n", done.stderr)


def test_check_tells_of_a_cluster_that_has_everything(cluster: str, playground: Playground, tmp_path: Path) -> None:
    experts = [str(playground.expert(name)) for name in ("red", "green")]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(playground.config(experts=experts)))
    done = checked(tmp_path / "config.yaml", cluster)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cluster      ok: 2 nodes, 2 of them for 2 workers of 1 cores and 0 GPUs each\n" in done.stdout


def checked(config: Path, address: str) -> "subprocess.CompletedProcess[str]":
    """`swarm check` on a cluster, in a process of its own."""
    cluster = ("--set", "cluster.type=ray", "--set", f"cluster.address={address}")
    return subprocess.run(command("check", config, *cluster), capture_output=True, text=True, check=False)
