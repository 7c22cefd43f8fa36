"""Writing files: all or nothing, links are followed, streams are written through, and nothing else is touched."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zen_cli.errors import OutputError
from zen_cli.formats import files
from zen_cli.formats.files import check_output, is_leftover, write_file, write_files

posix = pytest.mark.skipif(os.name != "posix", reason="links, FIFOs and devices of POSIX")


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_file(path, b"1")
    write_file(path, b"2")
    assert path.read_bytes() == b"2"
    assert names(tmp_path) == {"out.json"}
    with pytest.raises(OutputError, match=r"missing/out\.json: cannot be written, no such file or directory"):
        write_file(tmp_path / "missing" / "out.json", b"3")
    with pytest.raises(OutputError, match="cannot be written, there is no folder"):
        check_output(tmp_path / "missing" / "out.json")


@given(st.binary(max_size=100))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("files")
    write_file(folder / "a", data)
    write_files({folder / "b": folder / "a"}, force=False)
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes() == data
    assert names(folder) == {"a", "b"}


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    for call in (lambda: check_output(tmp_path / "a"), lambda: write_files({tmp_path / "a": b"new"}, force=False)):
        with pytest.raises(OutputError, match=r"a: exists; use force=True to overwrite it"):
            call()
    assert (tmp_path / "a").read_text() == "old"
    write_files({tmp_path / "a": b"new"}, force=True)
    assert (tmp_path / "a").read_text() == "new"


def test_a_file_that_appears_after_the_check_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = files._fill

    def late(*arguments: object) -> None:
        (tmp_path / "a").write_text("of another process")
        real(*arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(files, "_fill", late)
    with pytest.raises(OutputError, match="a: cannot be written, file exists"):
        write_files({tmp_path / "a": b"new"}, force=False)
    assert (tmp_path / "a").read_text() == "of another process"
    assert names(tmp_path) == {"a"}


@posix
def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OutputError, match="exists"):
        write_files({tmp_path / "link": b"new"}, force=False)
    write_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"
    with pytest.raises(OutputError, match="link: is a link; remove it"):
        write_file(tmp_path / "link", b"newer", follow=False)
    assert (tmp_path / "file").read_text() == "new"


@posix
def test_a_link_to_nothing_is_only_followed_by_force(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    for call in (lambda: check_output(tmp_path / "link"), lambda: write_files({tmp_path / "link": b""}, force=False)):
        with pytest.raises(OutputError, match=r"link: is a link to .*file, which is missing; use force=True"):
            call()
    assert names(tmp_path) == {"link"}
    write_files({tmp_path / "link": b"new"}, force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError, match="loop: cannot be written, "):
        write_file(tmp_path / "loop", b"new")


@posix
@pytest.mark.parametrize("force", [False, True])
def test_a_fifo_is_written_through(tmp_path: Path, force: bool) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    check_output(fifo, force=force)
    write_files({fifo: b"data" * 100_000, tmp_path / "file": b"1"}, force=force)
    reader.join()
    assert read == [b"data" * 100_000]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert names(tmp_path) == {"fifo", "file"}


@posix
def test_a_descriptor_is_written_through_wherever_it_leads(tmp_path: Path) -> None:
    """`-o /dev/stdout >file` appends to the file, as the shell opened it."""
    if not Path("/dev/stdout").exists():
        pytest.skip("this system has no /dev/stdout")
    script = (
        "from pathlib import Path; from zen_cli.formats.files import write_file\n"
        "print('first', flush=True); write_file(Path('/dev/stdout'), b'second\\n'); print('third')"
    )
    with open(tmp_path / "log", "ab") as log:
        subprocess.run([sys.executable, "-c", script], stdout=log, check=True)
    assert (tmp_path / "log").read_text() == "first\nsecond\nthird\n"
    assert names(tmp_path) == {"log"}


@posix
def test_devices_are_written_through_or_refused(tmp_path: Path) -> None:
    """On nodes made for the test, with the numbers of /dev/null and of a loop device that is not bound."""
    try:
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.mknod(tmp_path / "block", stat.S_IFBLK | 0o600, os.makedev(7, 200))
        (tmp_path / "null").open("wb").close()
    except PermissionError:
        pytest.skip("this user may not make or open devices")
    write_file(tmp_path / "null", b"gone")
    assert stat.S_ISCHR((tmp_path / "null").stat().st_mode)
    for force in (False, True):
        with pytest.raises(OutputError, match="block: is a block device; name a file"):
            write_files({tmp_path / "block": b"new"}, force=force)
    assert stat.S_ISBLK((tmp_path / "block").stat().st_mode)


@posix
def test_folders_and_sockets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("socket")
        for name, kind in (("folder", "a folder"), ("socket", "a socket")):
            for force in (False, True):
                with pytest.raises(OutputError, match=f"{name}: is {kind}; name a file"):
                    write_files({Path(name): b"new"}, force=force)
    assert names(tmp_path) == {"folder", "socket"}


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "file/a"])
def test_a_name_that_cannot_be_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("old")
    for call in (check_output, lambda path: write_file(path, b"new")):
        with pytest.raises(OutputError, match="cannot be written, "):
            call(tmp_path / name)
    assert names(tmp_path) == {"file"}


def test_a_long_name_is_written(tmp_path: Path) -> None:
    write_file(tmp_path / ("x" * 255), b"new")
    assert names(tmp_path) == {"x" * 255}


@pytest.mark.parametrize("fails", [1, 2, 3])
def test_a_failure_in_the_last_step_puts_all_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "c").write_text("old")
    count, real = [0], os.replace

    def replace(source: Path, target: Path) -> None:
        count[0] += 1
        if count[0] == fails:
            raise OSError(5, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OutputError, match=rf"{'abc'[fails - 1]}: cannot be written, input/output error$"):
        write_files({tmp_path / name: b"new" for name in "abc"}, force=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old", "c": "old"}


def test_what_could_not_be_put_back_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("old")
    count, real = [0], os.replace

    def replace(source: Path, target: Path) -> None:
        count[0] += 1
        if count[0] > 1:
            raise OSError(5, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OutputError, match=r"b: cannot be written, input/output error; already written: .*a$"):
        write_files({tmp_path / name: b"new" for name in "ab"}, force=True)
    assert (tmp_path / "a").read_text() == "new"


@posix
def test_the_mode_of_a_replaced_file_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("secret")
    (tmp_path / "a").chmod(0o600)
    write_file(tmp_path / "a", b"new")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


KILLED = """
import os, signal, sys
from pathlib import Path
from zen_cli.formats import files
def fill(file, content):
    file.write(content[:1000])
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
files._fill = fill
files.write_file(Path(sys.argv[1]), b"x" * 2000)
"""


@posix
def test_the_next_write_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a")], check=False)
    assert child.returncode == -9
    assert (tmp_path / "a").read_text() == "old"
    (left,) = names(tmp_path) - {"a"}
    assert is_leftover(Path(left))
    write_file(tmp_path / "b", b"new")
    assert names(tmp_path) == {"a", "b"}


@posix
def test_what_a_living_process_is_writing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = files._fill

    def while_another_writes(*arguments: object) -> None:
        monkeypatch.setattr(files, "_fill", real)
        write_file(tmp_path / "b", b"other")
        real(*arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(files, "_fill", while_another_writes)
    write_file(tmp_path / "a", b"new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "other"}
