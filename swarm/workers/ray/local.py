"""A Ray of our own on this machine: it listens on the loopback interface alone, and requires a token.

Ray 2.60 listens on every interface unless it takes 127.0.0.1 for the node's address. `ray.init(_node_ip_address=...)`
turns that address into another one; RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0, by which Ray avoids questions of a firewall,
does not.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from ray._private import ray_constants, utils
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

from swarm.core.errors import ConfigError

# The longest path of a socket in Ray's temporary folder; the name of a session ends with the number of this process.
SOCKET = f"/ray/session_2026-01-01_00-00-00_000000_{os.getpid()}/sockets/plasma_store"
MOST_BYTES = 107  # of a socket's path, on Linux
LEAST_FREE = 64 * 2**20  # logs and sockets; with too little, Ray waits for 40 s before it gives up
SHORTER = "set RAY_TMPDIR to a shorter folder, such as /tmp"
OTHER = "set RAY_TMPDIR to a folder with write permission"


def local_resources() -> dict[str, float]:
    """The resources that a Ray on this machine would have: no more cores than the control group grants."""
    return {"CPU": float(max(1, utils.get_num_cpus())), "GPU": float(torch.cuda.device_count())}


def check_startable() -> None:
    """Raise ConfigError where Ray cannot start on this machine for lack of a temporary folder."""
    name = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
    folder = Path(os.environ.get(name, "/tmp")).absolute()
    if len(os.fsencode(str(folder) + SOCKET)) > MOST_BYTES:
        most = MOST_BYTES - len(SOCKET)
        raise ConfigError(f"{name}: {folder} is longer than the {most} bytes that Ray's sockets allow; {SHORTER}")
    place = folder / "ray"
    there = next(each for each in (place, *place.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise ConfigError(f"{name}: Ray cannot write to {place} ({error.strerror}); {OTHER}") from None
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE:
        raise ConfigError(
            f"{name}: the disk of {folder} has {free / 2**20:.1f} MiB free, Ray needs {LEAST_FREE / 2**20:.0f} MiB; "
            "free some, or set RAY_TMPDIR to a folder on another disk"
        )


@contextmanager
def loopback() -> Iterator[None]:
    """A block in which `ray.init` starts a Ray that listens on 127.0.0.1 and requires a token.

    The token is RAY_AUTH_TOKEN, or a new one that is in the environment of this process and of Ray's, and in no file.
    """
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32)
    Config.initialize("")  # read the environment again: Ray has read it when it was imported
    AuthenticationTokenLoader.instance().reset_cache()
    name, enabled = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, ray_constants.ENABLE_RAY_CLUSTER
    before = os.environ.get(name)
    os.environ[name], ray_constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = enabled
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
