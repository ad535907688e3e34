"""A Ray that Swarm starts is for this machine alone: it listens on loopback, and no file holds its token."""

import json
import os
import subprocess
import sys
from pathlib import Path

LISTENERS = """
import json, os
from contextlib import suppress
import psutil, ray
from swarm.workers.ray.connect import connect
from swarm.workers.settings import RayCluster

assert connect(RayCluster())

@ray.remote
class Actor:
    def secret(self):
        return os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"]

mode, token = ray.get(Actor.remote().secret.remote())
processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
inodes = set()
for process in processes:
    with suppress(FileNotFoundError, ProcessLookupError):  # a worker may end meanwhile
        for fd in os.listdir(f"/proc/{process.pid}/fd"):
            with suppress(FileNotFoundError, ProcessLookupError):  # a file may be closed meanwhile
                inodes.add(os.readlink(f"/proc/{process.pid}/fd/{fd}"))
rows = [line.split() for name in ("tcp", "tcp6") for line in list(open(f"/proc/net/{name}"))[1:]]
listening = [row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]
session = ray._private.worker._global_node.get_session_dir_path()
print(json.dumps({"mode": mode, "token": token, "listening": listening, "session": session}))
"""
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def test_a_local_ray_listens_on_loopback_alone_and_writes_its_token_nowhere(tmp_path: Path) -> None:
    """The home is empty and writable, so that a token in ~/.ray would be seen."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", LISTENERS], capture_output=True, text=True, check=True, env=env)
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["listening"]) > 3
    assert set(found["listening"]) <= LOOPBACK
    assert found["mode"] == "token"
    assert len(found["token"]) == 64
    files = [*Path(found["session"]).rglob("*"), *tmp_path.rglob("*")]
    holding = [file for file in files if file.is_file() and found["token"].encode() in file.read_bytes()]
    assert holding == []
