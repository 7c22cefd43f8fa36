"""How much memory a control group leaves."""

from __future__ import annotations

from pathlib import Path

from zen_cli.devices import _group_bytes, free_bytes, resolve_device


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
