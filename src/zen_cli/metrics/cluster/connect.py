"""Joining a Ray cluster, or starting one on this machine, within seconds or with one line that says why not.

Nothing here listens beyond this machine: a cluster of several machines is started by `ray start`, by whoever may.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...devices import free_cores
from ...errors import RunError, UsageError
from .address import check_workers
from .client import join_client
from .crew import Crew
from .ray_fleet import GROUP, RayFleet
from .reach import check_head, check_port, within
from .workers import Cluster

JOIN_SECONDS = 12.0  # until a cluster at a port that listens answers
STORE_BYTES = 200 * 2**20  # for objects of a cluster of this machine; batches are small
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_record_ref_creation_sites": "0",
}


def connect(workers: str, device: str, *, note: Callable[[str], None] = lambda _: None, cores: int = GROUP) -> Cluster:
    """The executor of a cluster.

    Args:
        workers: `ray` for the cluster that this machine is part of (or that `RAY_ADDRESS` names), or else one of this
            machine alone; `ray://HOST:PORT` for another.
        device: `auto`, `cpu` or `cuda`; of the nodes of the cluster.
        note: told what was joined or started.
        cores: of one worker at most, on a CPU.

    Raises:
        UsageError: not such a text, Ray is not installed, or no node has the device.
        RunError: nothing answers there, or the cluster does not let this machine in.
    """
    check_workers(workers)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray about itself
        is_own = _join(workers)
    try:
        fleet = RayFleet(_kind(device), cores=cores)
        slots = fleet.slots()
    except UsageError:
        _leave()
        raise
    count = sum(slots.values())
    where = (
        "started Ray on this machine, for this run and listening on loopback only" if is_own else "joined the cluster"
    )
    plural = "" if count == 1 else "s"
    note(f"{where}: {len(slots)} node{'' if len(slots) == 1 else 's'}, room for {count} {fleet.kind} worker{plural}")
    return Cluster(Crew(fleet))


def _join(workers: str) -> bool:
    """Joins a cluster; whether it was started for this process."""
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    if workers != "ray":
        join_client(workers, quiet)
        return False
    address = os.environ.get("RAY_ADDRESS", "")
    if address.startswith("ray://"):
        join_client(address, quiet)
        return False
    if address:
        check_head(address)
    found = address or _found()
    if not found:
        _start(quiet)
        return True
    if _is_loopback(found):
        _stay_on_loopback()
    within(JOIN_SECONDS, lambda: ray.init(address or "auto", **quiet), address or "the cluster of this machine")
    return False


def _start(quiet: dict[str, Any]) -> None:
    """Starts Ray on this machine for this process, on the loopback address, which Ray itself does not offer.

    Raises:
        RunError: it would listen to other machines as well.
    """
    import ray

    os.environ[_LOOPBACK] = "0"  # for its processes; Ray's own default on macOS and Windows
    _stay_on_loopback()
    try:
        ray.init("local", num_cpus=free_cores(), include_dashboard=False, object_store_memory=STORE_BYTES, **quiet)
    finally:
        del os.environ[_LOOPBACK]
    address = str(ray.get_runtime_context().gcs_address)
    if not _is_loopback(address):
        ray.shutdown()
        raise RunError(f"workers: Ray listens on {address} and not on loopback alone; start a cluster with ray start")


def _stay_on_loopback() -> None:
    """Keeps Ray from taking the address of this machine in the network where it is told 127.0.0.1."""
    from ray._private import ray_constants

    setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)  # noqa: B010  # for this process; it has read its environment


def _is_loopback(address: str) -> bool:
    return address.startswith(("127.", "[::1]", "localhost"))


def _found() -> str:
    """The address of the cluster that this machine is part of, if one answers; else nothing."""
    from ray._private import services

    with suppress(Exception):
        for address in services.find_gcs_addresses():
            with suppress(RunError):
                check_port(address)
                return str(address)
    return ""


def _kind(device: str) -> str:
    """The kind of device of a setting: GPUs where the cluster has some.

    Raises:
        UsageError: no node has it, or the setting names devices of this machine.
    """
    import ray

    if ":" in device:
        raise UsageError(f"device: {device} names a GPU of one machine; use auto, cpu or cuda with a cluster")
    found = ray.cluster_resources()
    if device == "cuda" and found.get("GPU", 0) < 1:
        _leave()
        raise UsageError("device: no node of the cluster has a GPU; use cpu, or add one to the cluster")
    return "cuda" if device != "cpu" and found.get("GPU", 0) >= 1 else "cpu"


def _leave() -> None:
    import ray

    ray.shutdown()
