"""Joining a Ray cluster, or starting Ray on this machine."""

import contextlib
import logging
import os
import socket
from typing import Any

import ray
from ray._private.services import canonicalize_bootstrap_address

from swarm.core.errors import ConfigError
from swarm.core.interrupts import same_handlers
from swarm.workers.ray.local import check_startable, loopback
from swarm.workers.settings import RayCluster

CONNECT_SECONDS = 5.0
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # how a gRPC client begins
SETTINGS_FRAME = 4  # the type of the frame that a gRPC server answers with (RFC 9113, section 3.4)


def address_of(settings: RayCluster) -> str | None:
    """The address of a running cluster, or None if Ray is to be started on this machine."""
    address = settings.address or os.environ.get("RAY_ADDRESS")
    return None if address == "local" else address


def is_joined() -> bool:
    """Whether this process has joined a cluster already, or started Ray."""
    return bool(ray.is_initialized())


def connect(settings: RayCluster) -> bool:
    """Join the cluster at the address, or start Ray on this machine. True if Ray was started here."""
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    address = address_of(settings)
    if address:
        check_reachable(address, place_of(settings))
    else:
        check_startable()
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with same_handlers():
            if address:
                ray.init(address=address, **quiet)
            else:
                with loopback():
                    ray.init(address="local", include_dashboard=False, **quiet)
    except (Exception, SystemExit) as error:  # Ray raises Exception itself where a process of its own does not start
        raise ConfigError(_refusal(settings, address, first_line(error))) from error
    return not address


def place_of(settings: RayCluster) -> str:
    """Where the address of a running cluster was given: in the config, or in the environment."""
    return "cluster.address" if settings.address else "RAY_ADDRESS"


def _refusal(settings: RayCluster, address: str | None, reason: str) -> str:
    if address:
        return f"{place_of(settings)}: no Ray cluster at {address!r} ({reason}); start one with ray start --head"
    return (
        f"cluster: Ray cannot start on this machine ({reason}); "
        "free memory and disk space, or score in this process with cluster.type: local"
    )


def check_reachable(address: str, place: str = "cluster.address") -> None:
    """Raise ConfigError, within seconds, unless Ray answers at host:port, ray://host:port or "auto".

    place: where the address was given, for the message. Ray itself tries for two minutes and then ends the process.
    """
    if address == "auto":
        with contextlib.suppress(ConnectionError):  # ray.init explains this error well
            address = canonicalize_bootstrap_address(address) or address
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit() and (problem := _problem(host.strip("[]"), int(port))):
        remedy = "or unset it to start Ray on this machine" if place == "RAY_ADDRESS" else "or start a cluster"
        raise ConfigError(
            f"{place}: no Ray cluster at {address!r} ({problem}); "
            f"give the address that ray start --head printed, {remedy}"
        )


def alive_nodes() -> list[dict[str, Any]]:
    """The nodes that are in the cluster now, as Ray describes them."""
    return [node for node in ray.nodes() if node["Alive"]]


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type if it has none."""
    with contextlib.suppress(IndexError):
        return str(error).strip().splitlines()[0]
    return type(error).__name__


def _problem(host: str, port: int) -> str:
    """Why Ray cannot be reached at a host and port; "" if it can."""
    if host.startswith(("http://", "https://")):
        return "this is an address for submitting jobs"
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") == "1":
                return ""
            connection.sendall(HTTP2_PREFACE)
            answer = connection.recv(9)
    except (OSError, OverflowError) as error:
        return str(error) or type(error).__name__
    return "" if len(answer) == 9 and answer[3] == SETTINGS_FRAME else "another program listens there"
