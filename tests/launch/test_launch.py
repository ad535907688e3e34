"""The launchers in use: Ray jobs on two nodes by the commands of docs/cluster.md, and SLURM's script on stubs of it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
import yaml

from support.playground import Playground

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
STARTING = re.search(r"^## Starting it\n(.*?)^## ", (ROOT / "docs" / "cluster.md").read_text(), re.S | re.M)
assert STARTING
SUBMIT, WATCH, RESUME = re.findall(r"```bash\n(.*?)```", STARTING[1], re.S)

CLUSTER = """
import sys
from ray._private.utils import write_ray_address
from ray.cluster_utils import Cluster
port, folder = sys.argv[1:]
node = {"num_cpus": 1, "dashboard_agent_listen_port": 0}
head = {"include_dashboard": True, "dashboard_port": int(port), "temp_dir": folder}
cluster = Cluster(initialize_head=True, head_node_args=node | head)
cluster.add_node(**node)
cluster.wait_for_nodes()
write_ray_address(cluster.address, folder)  # as `ray start` does; a job might else join another local Ray
print("ready", flush=True)
sys.stdin.read()
cluster.shutdown()
"""
HALTING = """
import time
from pathlib import Path
CALLS, HALT = (Path(__file__).with_name(name) for name in ("calls", "halt"))
def score(example, output):
    with CALLS.open("a") as calls:
        calls.write(".")
    while HALT.exists() and CALLS.stat().st_size > 150:
        time.sleep(0.05)
    return float(len(set(output)))
"""
# Like SLURM: run the command once per node, with the node's number, and pass signals on.
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do
    if [[ $1 == --nodes=* ]]; then nodes=${1#*=}; fi
    shift
done
trap 'kill -TERM $(jobs -p)' TERM
for ((i = 0; i < nodes; i++)); do SLURM_NODEID=$i "$@" & done
while [ -n "$(jobs -pr)" ]; do wait; done
"""
SCONTROL = '#!/usr/bin/env bash\necho "$@" >>"$SLURM_ASKED"\n'


def free_port(least: int = 1024) -> int:
    for port in range(least + os.getpid() % 9000, 65536):
        with socket.socket() as free:
            if free.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no port is free")


def environment(**more: object) -> dict[str, str]:
    """The environment of a launcher: this installation on the PATH, a token, no cluster yet."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM"))}
    ours = {"PATH": f"{BIN}:{os.environ['PATH']}", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 32}
    return kept | ours | {"RAY_USAGE_STATS_ENABLED": "0"} | {name: str(value) for name, value in more.items()}


def shell(script: str, env: Mapping[str, str]) -> "subprocess.Popen[str]":
    """A user's shell in the project's folder."""
    return subprocess.Popen(
        ["bash", "-euc", script], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for_end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    out, _ = process.communicate(timeout=200)
    return process.returncode, out


def wait_for_lines(process: "subprocess.Popen[str]", journal: Path, lines: int) -> None:
    while not journal.exists() or journal.read_bytes().count(b"\n") < lines:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def check_result(run: Path) -> None:
    assert json.loads((run / "summary.json").read_text())["counts"]["evaluations"] == 16
    assert (run / "best" / "model.safetensors").is_file()


def config_in(folder: Path, playground: Playground, cluster: dict[str, object]) -> Path:
    """A search whose scoring halts after a while if there is a file `halt` beside the config."""
    (folder / "halting.py").write_text(HALTING)
    objective = {"name": "mine", "type": "function", "function": "halting:score", "data": str(playground.data)}
    content = playground.config(objectives=[objective | {"max_new_tokens": 4}], cluster=cluster)
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return folder / "config.yaml"


@pytest.fixture
def config(playground: Playground, tmp_path: Path) -> Path:
    return config_in(tmp_path, playground, {"type": "ray", "cpus_per_worker": 1})


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """The address of the dashboard of two nodes that require a token. Their processes are ended by id."""
    port = free_port(20000)
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER, str(port), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert process.stdout
        assert "ready" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        process.communicate(timeout=60)
        for each in family:
            if each.is_running():
                each.kill()


def test_the_commands_of_the_page_submit_to_a_cluster(dashboard: str, config: Path, tmp_path: Path) -> None:
    env = environment(CONFIG=config, RUN_DIR=tmp_path / "run", DASHBOARD=dashboard)
    code, out = wait_for_end(shell(SUBMIT, env))
    assert code == 0, out
    check_result(tmp_path / "run")


@pytest.mark.slow
def test_the_commands_of_the_page_watch_stop_and_resume(dashboard: str, config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (tmp_path / "halt").touch()
    env = environment(CONFIG=config, RUN_DIR=run, DASHBOARD=dashboard, RAY_ADDRESS=dashboard)
    first = shell(SUBMIT.replace("JOB=first", "JOB=halting"), env)
    wait_for_lines(first, run / "journal.jsonl", 3)
    code, out = wait_for_end(shell(WATCH, env | {"JOB": "halting"}))
    assert code == 0, out
    assert "RUNNING" in out
    assert str(run / "report.html") in out
    stop, resume = RESUME.splitlines()
    assert wait_for_end(shell(stop, env | {"JOB": "halting"}))[0] == 0
    code, out = wait_for_end(first)
    assert code == 130, out
    assert f"swarm resume {run}" in out
    before = (run / "journal.jsonl").read_text()
    (tmp_path / "halt").unlink()
    code, out = wait_for_end(shell(resume, env))
    assert code == 0, out
    assert (run / "journal.jsonl").read_text().startswith(before)
    check_result(run)
    code, out = wait_for_end(shell(resume, env))
    assert (code, "already exists" in out) == (1, True)
    code, out = wait_for_end(shell('launch/submit.sh "$CONFIG.none" "$RUN_DIR.none"', env))
    assert (code, "does not exist" in out) == (2, True)


@pytest.fixture
def slurm(tmp_path: Path, config: Path) -> dict[str, str]:
    """The environment that SLURM gives a job of two nodes; both are this machine."""
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    env = environment(SLURM_JOB_ID=free_port(20000) - 20000, SLURM_JOB_NUM_NODES=2, SLURM_CPUS_PER_TASK=1)
    env |= {"SLURM_ASKED": str(tmp_path / "asked"), "SLURM_SUBMIT_DIR": str(ROOT), "PATH": f"{stubs}:{env['PATH']}"}
    return env | {"CONFIG": str(config), "RUN_DIR": str(tmp_path / "run"), "HEAD_IP": "127.0.0.1"}


@pytest.mark.slow
def test_a_slurm_job_is_requeued_at_the_time_limit_and_resumes(slurm: dict[str, str], tmp_path: Path) -> None:
    logs = Path(f"/tmp/ray-{slurm['SLURM_JOB_ID']}")
    batch = 'exec bash launch/slurm.sbatch "$CONFIG" "$RUN_DIR"'
    (tmp_path / "halt").touch()
    try:
        first = shell(batch, slurm)
        wait_for_lines(first, tmp_path / "run" / "journal.jsonl", 3)
        first.send_signal(signal.SIGUSR1)
        code, out = wait_for_end(first)
        assert code == 130, out
        assert (tmp_path / "asked").read_text() == f"requeue {slurm['SLURM_JOB_ID']}\n"
        assert not of_job(logs)
        (tmp_path / "halt").unlink()
        code, out = wait_for_end(shell(batch, slurm))
        assert code == 0, out
        check_result(tmp_path / "run")
        assert not of_job(logs)
    finally:
        for process in of_job(logs):
            process.kill()
        shutil.rmtree(logs, ignore_errors=True)
        logs.with_name(f"ray-start-{slurm['SLURM_JOB_ID']}.log").unlink(missing_ok=True)


def of_job(logs: Path) -> list[psutil.Process]:
    """The processes of the Ray that writes its logs there."""
    return [each for each in psutil.process_iter(["cmdline"]) if str(logs) in " ".join(each.info["cmdline"] or ())]


@pytest.mark.slow
def test_a_user_error_is_not_retried_but_another_submission_is(playground: Playground, tmp_path: Path) -> None:
    config = config_in(tmp_path, playground, {"type": "local"})
    env = environment(CONFIG=config, RUN_DIR=tmp_path / "run", ONCE="job-aaaaa")
    entry = 'launch/entry.sh "$CONFIG" "$RUN_DIR" --set optimizer.type='
    code, out = wait_for_end(shell(entry + "psa", env))
    assert (code, "optimizer.type" in out) == (2, True)
    code, out = wait_for_end(shell(entry + "pso", env | {"ONCE": "job-bbbbb"}))
    assert (code, "a user error before" in out) == (2, True)
    assert not (tmp_path / "run").exists()
    assert wait_for_end(shell(entry + "pso", env | {"ONCE": "work-aaaaa"}))[0] == 0
    check_result(tmp_path / "run")
    journal = (tmp_path / "run" / "journal.jsonl").read_bytes()
    assert wait_for_end(shell(entry + "pso", env | {"ONCE": "work-bbbbb"}))[0] == 0
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == journal
