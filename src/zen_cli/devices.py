"""Which device to compute on, and how much memory it has to give."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from .errors import UsageError

SHORTAGES = (
    "can't allocate memory",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "Triton Error [CUDA]: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def resolve_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:1` as a device; `auto` is CUDA where there is one.

    Raises:
        UsageError: an unknown name, or a device that this machine does not have.
    """
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    if name == "cpu":
        return torch.device("cpu")
    match = re.fullmatch(r"cuda(?::(\d{1,3}))?", name)
    if match is None:
        raise UsageError(f"--device: unknown {name!r}; use auto, cpu, cuda or cuda:0")
    if not torch.cuda.is_available():
        raise UsageError(f"--device: {name} is not there, this machine or this torch has no CUDA; use --device cpu")
    index = int(match[1] or 0)
    if index >= torch.cuda.device_count():
        raise UsageError(f"--device: {name} is not there; this machine has cuda:0 to {torch.cuda.device_count() - 1}")
    return torch.device("cuda", index)


def free_bytes(device: torch.device) -> int:
    """Memory that a computation may take now: nine tenths of what is free."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(0.9 * (free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)))
    return int(0.9 * _free_host_bytes())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of memory, or what it calls; these, and torch on a CPU, say so only in words."""
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
    for folder in _group_folders(root, processes):
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


def _group_folders(root: str, processes: str) -> list[Path]:
    """The folders of this process's memory control groups, from its own up to the root."""
    try:
        lines = Path(processes).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = Path(root) / "memory" if controllers else Path(root)
        own = top / name.lstrip("/")
        folders += [own, *(parent for parent in own.parents if parent.is_relative_to(top))]
    return folders


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
