"""What this machine is, for a target to say and to compare."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from ..target.model import Target


def host() -> str:
    """The name of this machine on its network."""
    return platform.node()[:200] or "unknown"


def processor() -> str:
    """The model of its processor and how many cores this process may use."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except (OSError, UnicodeDecodeError):
        pass
    return f"{name}, {usable_cores()} cores"[:200]


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_here(target: Target) -> bool:
    """Whether a target was measured on this machine."""
    return target.backend is not None and (target.host, target.processor) == (host(), processor())
