"""Ray clusters in processes of their own: one with a small object store, one with two nodes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

SMALL = """
import logging
import numpy as np, psutil, ray
from swarm.workers.ray import probe_nodes
from swarm.workers.ray.probe_nodes import put
from swarm.core.errors import RunError

# The disk counts as full from the first byte on.
config = {"local_fs_capacity_threshold": 1e-4}
quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
ray.init(address="local", num_cpus=1, object_store_memory=80 * 2**20, _system_config=config, **quiet)
"""
TWO_NODES = """
import ctypes, subprocess, sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
# Processes that start from here on see an empty folder instead of the one in sys.argv[1].
if ctypes.CDLL(None).unshare(0x00020000):
    sys.exit()
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", sys.argv[1]], check=True)
cluster.add_node(num_cpus=1)
print("address", cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


def in_a_small_ray(code: str) -> list[str]:
    """Run code on a Ray whose object store holds 80 MiB and cannot spill; returns what it prints after "error: "."""
    done = subprocess.run([sys.executable, "-c", SMALL + dedent(code)], capture_output=True, text=True, check=True)
    return [line.removeprefix("error: ") for line in done.stdout.splitlines() if line.startswith("error: ")]


@contextmanager
def two_nodes(hidden: Path) -> Iterator[str]:
    """The address of a cluster whose second node sees an empty folder `hidden`; "" without the rights for that."""
    words = [sys.executable, "-c", TWO_NODES, str(hidden)]
    pipe = subprocess.PIPE
    with (
        TemporaryDirectory() as place,  # so that no other test joins this cluster as the Ray of this machine
        subprocess.Popen(
            words,
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"RAY_TMPDIR": place},
        ) as own,
    ):
        assert own.stdin is not None
        assert own.stdout is not None
        try:
            yield next((line.split()[1] for line in own.stdout if line.startswith("address ")), "")
        finally:
            own.stdin.close()
