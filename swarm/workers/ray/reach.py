"""Whether Ray listens at an address. Asked first, since Ray itself tries for two minutes and then ends the process."""

import os
import socket
from contextlib import suppress

from ray._private.services import canonicalize_bootstrap_address

from swarm.core.errors import ConfigError

SECONDS = 5.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # what a gRPC client opens with
SETTINGS = 4  # the type of the frame that a gRPC server answers with (RFC 9113, section 3.4)


def reach(address: str) -> None:
    """Raise ConfigError where nothing at host:port, ray://host:port or "auto" answers as Ray does, within seconds."""
    if address == "auto":
        with suppress(ConnectionError):  # what Ray says of it is clear
            address = canonicalize_bootstrap_address(address) or address
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit() and (problem := _problem(host.strip("[]"), int(port))):
        raise ConfigError(
            f"cluster.address: no Ray cluster at {address!r} ({problem}); "
            "give the address that ray start --head printed, or start one"
        )


def _problem(host: str, port: int) -> str:
    if host.startswith(("http://", "https://")):
        return "jobs are submitted there"
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS", "0") == "1":
                return ""
            connection.sendall(PREFACE)
            answer = connection.recv(9)
    except (OSError, OverflowError) as error:
        return str(error) or type(error).__name__
    return "" if len(answer) == 9 and answer[3] == SETTINGS else "another program listens there"
