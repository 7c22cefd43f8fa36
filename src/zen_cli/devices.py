"""Which device to compute on, and how much memory and how many cores there are. Importing this needs no torch."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    import torch

DEVICE_PATTERN = r"^(auto|cpu|cuda(:[0-9]{1,3}(,[0-9]{1,3}){0,63})?)$"
DEVICE_EXAMPLES = "auto, cpu, cuda, cuda:0 or cuda:0,1"
SHORTAGES = (
    "can't allocate memory",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "Triton Error [CUDA]: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def resolve_device(name: str) -> torch.device:
    """The first of `resolve_devices`."""
    return resolve_devices(name)[0]


def resolve_devices(name: str) -> tuple[torch.device, ...]:
    """`cpu`, `cuda:1` or `cuda:0,1` as devices; `cuda` is all that are visible, and `auto` too where there is one.

    Raises:
        UsageError: an unknown name, or a device that this machine does not have.
    """
    import torch

    if re.fullmatch(DEVICE_PATTERN, name) is None:
        raise UsageError(f"device: unknown {name!r}; use {DEVICE_EXAMPLES}")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return (torch.device("cpu"),)
    if not torch.cuda.is_available():
        raise UsageError(f"device: {name} does not exist, this machine or this torch has no CUDA; use cpu")
    count = torch.cuda.device_count()
    _, _, numbers = name.partition(":")
    indices = dict.fromkeys(map(int, numbers.split(","))) if numbers else range(count)
    for index in indices:
        if index >= count:
            raise UsageError(f"device: cuda:{index} does not exist; this machine has cuda:0 to cuda:{count - 1}")
    return tuple(torch.device("cuda", index) for index in indices)


def usable_cores() -> int:
    """Cores to compute on: what torch may use (`OMP_NUM_THREADS`), or the CPU quota of the container if that is less.

    A quota of 1.5 CPUs counts as 2 cores, because half a core is worth a thread.
    """
    import torch

    return min([torch.get_num_threads(), *(math.ceil(quota) for quota in _group_cpus())])


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Lets PyTorch use so many threads here, and as many as before at the end.

    With one, sums have one order, so that results have the same bits on any number of cores, and small networks do not
    wait for cores that other programs have.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def free_cores() -> int:
    """Cores for processes that take one each: those of this process, or its CPU quota if that is less. No torch."""
    affinity = getattr(os, "sched_getaffinity", None)
    known = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return max(1, min([known, *(math.ceil(quota) for quota in _group_cpus())]))


def free_bytes(device: torch.device) -> int:
    """Memory that a computation may take now: nine tenths of what is free."""
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(0.9 * (free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)))
    return int(0.9 * _free_host_bytes())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, or a library that it calls, ran out of memory; on a CPU only the message says so."""
    import torch

    said = isinstance(error, RuntimeError) and any(words in str(error) for words in SHORTAGES)
    return said or isinstance(error, (torch.OutOfMemoryError, MemoryError))


def _free_host_bytes() -> int:
    """What the machine has, or what the control group of this process leaves if that is less."""
    return min([_machine_bytes(), *_group_bytes()])


def _group_bytes(root: str = "/sys/fs/cgroup", processes: str = "/proc/self/cgroup") -> list[int]:
    """What each limit on memory leaves, of this process's control group and those above it; none, no limit.

    Files: `memory.max` and `memory.current` (version 2), `memory.limit_in_bytes` and `memory.usage_in_bytes`
    (version 1). Caches count as used although they could be dropped, so the file that says how many are is read too.
    """
    left = []
    for folder in _group_folders("memory", root, processes):
        for limit_file, used_file, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            try:
                limit = int((folder / limit_file).read_text(encoding="ascii"))  # "max" is no number: no limit
                used = int((folder / used_file).read_text(encoding="ascii"))
                rows = (folder / "memory.stat").read_text(encoding="ascii").split("\n")
            except (OSError, ValueError):
                continue
            cached = sum(int(row.split()[1]) for row in rows if row.startswith(f"{cache} "))
            left.append(max(0, limit - used + cached))
    return left


def _group_cpus(root: str = "/sys/fs/cgroup", processes: str = "/proc/self/cgroup") -> list[float]:
    """CPUs that each quota allows, of this process's control group and those above it; none, no quota.

    Files: `cpu.max`, which has quota and period (version 2), `cpu.cfs_quota_us` and `cpu.cfs_period_us` (version 1).
    """
    quotas = []
    for folder in _group_folders("cpu", root, processes):
        for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
            try:
                words = " ".join((folder / name).read_text(encoding="ascii") for name in names).split()
                quota, period = map(int, words)  # "max" is no number: no quota
            except (OSError, ValueError):
                continue
            if quota > 0 and period > 0:  # version 1 writes -1 for no quota
                quotas.append(quota / period)
    return quotas


def _group_folders(controller: str, root: str, processes: str) -> Iterator[Path]:
    """The folders of this process's control groups for memory or cpu, from its own up to the root."""
    try:
        lines = Path(processes).read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = Path(root) / controller if controllers else Path(root)
        own = top / name.lstrip("/")
        yield own
        yield from (parent for parent in own.parents if parent.is_relative_to(top))


def _machine_bytes() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 8 * 2**30  # neither Linux nor POSIX: a guess that suits a laptop
