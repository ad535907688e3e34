"""Joining a Ray cluster, or starting Ray on this machine."""

import contextlib
import logging
import os
from typing import Any

import ray
from ray.exceptions import RayError

from swarm.core.errors import ConfigError
from swarm.core.interrupts import same_handlers
from swarm.workers.ray.reach import reach
from swarm.workers.settings import RayCluster


def address_of(settings: RayCluster) -> str | None:
    """The running cluster that is named, or None where Ray is to be started here."""
    address = settings.address or os.environ.get("RAY_ADDRESS")
    return None if address == "local" else address


def connect(settings: RayCluster) -> bool:
    """Join the cluster that is named, or start Ray on this machine. True where Ray was started here."""
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    address = address_of(settings)
    if address:
        reach(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with same_handlers():
            if address:
                ray.init(address=address, **quiet)
            else:
                ray.init(address="local", include_dashboard=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError, RayError, SystemExit) as error:
        raise ConfigError(
            f"cluster.address: no Ray cluster at {address!r} ({first_line(error)}); start one with ray start --head"
        ) from error
    return not address


def alive() -> list[dict[str, Any]]:
    """The cluster's nodes that are there now, as Ray tells of them."""
    return [node for node in ray.nodes() if node["Alive"]]


def first_line(error: BaseException) -> str:
    """What an error says, in a line."""
    with contextlib.suppress(IndexError):
        return str(error).strip().splitlines()[0]
    return type(error).__name__
