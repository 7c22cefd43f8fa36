"""How much memory and how many cores a control group leaves, and what says that it ran out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zen_cli import devices
from zen_cli.devices import _group_bytes, _group_cpus, free_bytes, is_out_of_memory, resolve_device, usable_cores
from zen_cli.errors import UsageError


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")


def test_version_2_counts_every_level_and_gives_caches_back(tmp_path: Path) -> None:
    group(tmp_path / "a" / "b", memory__max="max", memory__current=10, memory__stat="anon 5")
    group(tmp_path / "a", memory__max=1000, memory__current=700, memory__stat="anon 1\ninactive_file 50\nfile 60")
    (tmp_path / "self").write_text("0::/a/b\n")
    assert _group_bytes(str(tmp_path), str(tmp_path / "self")) == [350]


def test_version_1_is_read_where_its_files_are(tmp_path: Path) -> None:
    files = {"memory__limit_in_bytes": 900, "memory__usage_in_bytes": 1000, "memory__stat": "total_inactive_file 30"}
    group(tmp_path / "memory" / "job", **files)
    (tmp_path / "self").write_text("4:cpu,cpuacct:/job\n3:memory:/job\n")
    assert _group_bytes(str(tmp_path), str(tmp_path / "self")) == [0]


def test_no_group_no_limit(tmp_path: Path) -> None:
    assert _group_bytes(str(tmp_path), str(tmp_path / "missing")) == []
    assert free_bytes(resolve_device("cpu")) > 0


@pytest.mark.parametrize(
    ("error", "is_shortage"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA"), True),
        (RuntimeError("Triton Error [CUDA]: out of memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:115] DefaultCPUAllocator: can't allocate memory"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("out of resource: shared memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error: Exception, is_shortage: bool) -> None:
    assert is_out_of_memory(error) is is_shortage


def test_a_quota_of_version_2_counts_at_every_level(tmp_path: Path) -> None:
    group(tmp_path / "a" / "b", cpu__max="max 100000")
    group(tmp_path / "a", cpu__max="150000 100000")
    group(tmp_path, cpu__max="400000 100000")
    (tmp_path / "self").write_text("0::/a/b\n")
    assert _group_cpus(str(tmp_path), str(tmp_path / "self")) == [1.5, 4]


def test_a_quota_of_version_1_is_in_two_files(tmp_path: Path) -> None:
    group(tmp_path / "cpu" / "job", cpu__cfs_quota_us=50_000, cpu__cfs_period_us=100_000)
    group(tmp_path / "cpu", cpu__cfs_quota_us=-1, cpu__cfs_period_us=100_000)
    (tmp_path / "self").write_text("4:cpu,cpuacct:/job\n3:memory:/job\n")
    assert _group_cpus(str(tmp_path), str(tmp_path / "self")) == [0.5]


@pytest.mark.parametrize(("quotas", "cores"), [([], 8), ([16.0], 8), ([1.5, 4.0], 2), ([0.2], 1), ([3.0], 3)])
def test_a_quota_below_the_cores_of_torch_limits_them(
    quotas: list[float], cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_group_cpus", lambda: quotas)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert usable_cores() == cores


@pytest.mark.parametrize("name", ["", "cpu\n", "cuda:", "cuda:\u0661", "tpu"])
def test_a_device_is_one_of_the_words(name: str) -> None:
    with pytest.raises(UsageError, match=r"device: unknown .*; use auto, cpu, cuda, cuda:0 or cuda:0,1"):
        resolve_device(name)
