"""Whether Ray answers at an address, and if not why, within seconds: Ray itself tries again for half a minute."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from ...errors import RunError, UsageError, shorten
from .address import EXAMPLES

CONNECT_SECONDS = 5.0  # until a port answers
PING_SECONDS = 3.0  # until a client server does
_LOOK_SECONDS = 0.1  # between two looks at a connection that is being made
TOKEN = "RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"


def check_port(address: str) -> None:
    """Fails where nothing listens at HOST:PORT.

    Raises:
        UsageError: there is no port in it.
        RunError: nothing listens, or not within `CONNECT_SECONDS`.
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise UsageError(f"workers: {shorten(address)!r} has no port; use {EXAMPLES}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        fault = "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
        raise RunError(
            f"workers: nothing answers at {address}, {fault}; check the address, and that Ray runs"
        ) from None


def check_client_server(address: str) -> None:
    """Fails where no client server of Ray answers at HOST:PORT, or where it refuses this user.

    Raises:
        UsageError: what Ray needs for that is not installed.
        RunError: another program listens there, another part of Ray, or the token is missing or wrong.
    """
    check_port(address)
    if find_spec("grpc") is None:
        raise UsageError("workers: the client of Ray is not installed; pip install 'zen-cli[ray]'")
    _ping(
        address, _ping_client_server, "Ray's client server; it is that of ray start --ray-client-server-port, or 10001"
    )


def check_head(address: str) -> None:
    """Fails where no head of a cluster answers at HOST:PORT, or where it refuses this user. Errors as above."""
    check_port(address)
    if find_spec("grpc") is not None:  # else Ray finds out by itself, and takes longer
        _ping(address, _ping_head, "the head of a cluster; it is that of ray start --port, or 6379")


def _ping_client_server(channel: Any) -> None:
    from ray.core.generated import ray_client_pb2 as messages
    from ray.core.generated.ray_client_pb2_grpc import RayletDriverStub

    ping = messages.ClusterInfoRequest(type=messages.ClusterInfoType.PING)
    RayletDriverStub(channel).ClusterInfo(ping, timeout=PING_SECONDS, wait_for_ready=True)


def _ping_head(channel: Any) -> None:
    from ray.core.generated.gcs_service_pb2 import GetClusterIdRequest
    from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub

    NodeInfoGcsServiceStub(channel).GetClusterId(GetClusterIdRequest(), timeout=PING_SECONDS, wait_for_ready=True)


def _ping(address: str, ping: Callable[[Any], None], what: str) -> None:
    """Asks a part of Ray whether it is there."""
    import grpc

    try:
        from ray._private.grpc_utils import init_grpc_channel

        with init_grpc_channel(address) as channel:
            ping(channel)
    except ImportError:
        return  # another version of Ray, which finds out by itself
    except grpc.RpcError as error:
        code = error.code()
        if code == grpc.StatusCode.UNAUTHENTICATED:
            raise refused(address) from None
        if code == grpc.StatusCode.UNIMPLEMENTED:
            raise RunError(f"workers: {address} is not the port of {what}") from None
        raise RunError(f"workers: {address} does not answer as a part of Ray; check the address") from None
    except Exception as error:  # of Ray about a token that it cannot find
        raise refused(address, str(error)) from None


def within(seconds: float, join: Callable[[], object], where: str, look: Callable[[], object] = lambda: None) -> None:
    """Joins a cluster, or fails in time.

    Args:
        seconds: in which it has to answer.
        join: joins it.
        where: its address, for a message.
        look: called again and again while it is joined.

    Raises:
        RunError: it does not answer as a cluster of Ray, or refuses; then what Ray raised is its cause.
    """
    faults: list[BaseException] = []

    def attempt() -> None:
        try:
            join()
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=attempt, daemon=True, name="zen-join")
    thread.start()
    deadline = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < deadline:
        look()
        thread.join(_LOOK_SECONDS)
    if thread.is_alive():
        raise RunError(f"workers: {where} does not answer as a cluster of Ray; check the address and Ray's version")
    if faults:
        raise refused(where, str(faults[0])) from faults[0]


def refused(where: str, text: str = "") -> RunError:
    """The error of a cluster that does not let this machine in, from what Ray says."""
    words = " ".join(text.split())
    if not text or any(word in words.lower() for word in ("auth", "token")):
        is_set = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
        fault = "refuses this token" if is_set else "wants a token"
        return RunError(f"workers: {where} {fault}; set {TOKEN} to that of the cluster")
    return RunError(f"workers: {where} cannot be joined, {shorten(words)}")
