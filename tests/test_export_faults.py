"""What ends an export from outside, and what it lacks: one line, nothing half-written, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli import ENVIRONMENT, MAIN, Zen
from cli_here import ZenHere
from export_cases import PLAIN
from forks import Forked, fork_server

from zen_cli.errors import MemoryLimitError
from zen_cli.exporters import memory, run
from zen_cli.exporters.check import Checker
from zen_cli.exporters.plan import ExportOptions
from zen_cli.exporters.run import export
from zen_cli.exporters.workspace import workspace
from zen_cli.net.spec import parse_spec

linux = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are found in /proc")

HUGE = {"resolution": 16_384, "blocks": [{"op": "conv", "width": 8}]}
SPEC = json.dumps(PLAIN.to_dict())


def wait_for(condition: Callable[[], object]) -> None:
    """Waits for what is bound to happen; the limit only keeps a fault from hanging the tests."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited for a minute")


def processes_of(folder: Path) -> list[str]:
    """Command lines that name a folder."""
    rows = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in line:
            rows.append(line.decode(errors="replace"))
    return rows


def start(folder: Path) -> Forked:
    """An export whose files are being checked."""
    (folder / "tmp").mkdir()
    (folder / "net.json").write_text(SPEC, encoding="utf-8")
    words = ["export", "net.json", "--to", "torch,torchscript", "-o", "out/", "-q"]
    process = fork_server().start(folder, MAIN, *words, TMPDIR=str(folder / "tmp"))
    wait_for(lambda: process.poll() is not None or list(folder.glob("tmp/*/*/job.json")))
    wait_for(lambda: process.poll() is not None or processes_of(folder / "tmp"))
    assert process.poll() is None, process.communicate()
    return process


@linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    process = start(tmp_path)
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (128 + number, b"", b"")
    assert not list((tmp_path / "tmp").glob("zen-*"))
    wait_for(lambda: not processes_of(tmp_path / "tmp"))  # one that was being started ends with its input
    assert not (tmp_path / "out").exists()


@linux
def test_after_a_kill_the_check_ends_and_the_next_export_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(tmp_path)
    process.kill()
    process.communicate()
    (left,) = (tmp_path / "tmp").glob("zen-*")
    wait_for(lambda: not processes_of(tmp_path / "tmp"))
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with workspace() as one, workspace() as other:
        assert set((tmp_path / "tmp").glob("zen-*")) == {one, other}
        assert left not in (one, other)
    assert not list((tmp_path / "tmp").glob("zen-*"))


def test_a_full_disk_of_temporary_files_is_named(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    limit = f"import resource\nresource.setrlimit({resource.RLIMIT_FSIZE}, (20_000, 20_000))\n"
    (tmp_path / "tmp").mkdir()
    words = ["export", "-", "--to", "torch", "-o", "out.py", "-q"]
    process = fork_server().start(tmp_path, limit + MAIN, *words, TMPDIR=str(tmp_path / "tmp"))
    _, err = process.communicate(SPEC.encode())
    assert err.decode() == (
        f"zen: {tmp_path}/tmp: cannot be written, file too large; free some space, or set TMPDIR to another folder\n"
    )
    assert process.returncode == 2
    assert {path.name for path in tmp_path.iterdir()} == {"tmp"}
    assert not list((tmp_path / "tmp").glob("zen-*"))


def test_a_network_that_does_not_fit_into_memory_is_refused_at_once(
    zen_here: ZenHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _: 2**35)
    done = zen_here("export", "-", "--to", "onnx", "-o", "a.onnx", stdin=json.dumps(HUGE))
    done.fails("stdin:1: needs about", "GiB to be made and checked", "there are 32.0 GiB", "or a target such as json")
    assert zen_here("export", "-", "--to", "json,svg", "-o", "out/", stdin=json.dumps(HUGE)).code == 0


def test_memory_that_runs_out_all_the_same_is_one_line(
    tmp_path: Path, checker: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")):

        def fail(*_: object, fault: Exception = error) -> None:
            raise fault

        monkeypatch.setattr(run, "check_files", fail)
        with pytest.raises(MemoryLimitError, match="plain: does not fit into memory"):
            export([PLAIN], ["torch"], ExportOptions(f"{tmp_path}/"), checker=checker)
    assert not list(tmp_path.iterdir())


def test_the_estimate_of_memory_is_above_what_is_held() -> None:
    """The maps of a batch and its weights, which are there at the same time whatever the program does."""
    for spec in (PLAIN, parse_spec(HUGE)):
        side, width = spec.resolution, spec.blocks[0].width
        maps = memory.IMAGES * 4 * (spec.in_channels * side**2 + width * side**2)
        assert memory.export_bytes(spec) >= maps + 2 * 4 * spec.cost.params


def test_a_closed_stderr_keeps_reports_out_of_stdout(zen: Zen) -> None:
    (zen.folder / "net.json").write_text(SPEC, encoding="utf-8")
    command = f'exec "{sys.executable}" -m zen_cli export net.json --to json 2>&-'
    done = subprocess.run(["sh", "-c", command], cwd=zen.folder, env=ENVIRONMENT, capture_output=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout) == json.loads(SPEC)


def test_a_fifo_and_a_link_are_written_as_the_shell_would(zen_here: ZenHere) -> None:
    (zen_here.folder / "file").write_text("old")
    (zen_here.folder / "link").symlink_to("file")
    zen_here("export", "-", "--to", "json", "-o", "link", stdin=SPEC).fails("link: exists", "--force")
    assert zen_here("export", "-", "--to", "json", "-o", "link", "--force", "-q", stdin=SPEC).code == 0
    assert (zen_here.folder / "link").is_symlink()
    assert json.loads((zen_here.folder / "file").read_text()) == json.loads(SPEC)
