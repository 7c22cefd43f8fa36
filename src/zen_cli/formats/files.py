"""Writing files: the one gate for every file that zen writes.

A regular file is replaced in one step: a reader sees all of the new file or all of the old one, also after a kill. A
link is followed: the file that it names is replaced, and the link stays. A FIFO or a character device (a terminal, a
pipe of the shell, `/dev/stdout`) is written through. Everything else is refused. Without `force`, nothing that exists
is replaced.

New content is first written to a part file in the same folder, locked as long as its process lives. What a killed
process left is therefore known, and the next write into the folder removes it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from errno import EEXIST
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

from ..errors import OutputError, reason

Content: TypeAlias = "bytes | Path"

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_REFUSED = {stat.S_IFDIR: "a folder", stat.S_IFBLK: "a block device", stat.S_IFSOCK: "a socket"}


class _Output(NamedTuple):
    """Where one file goes: its path as written, the path with links followed, whether it is written through."""

    path: Path
    target: Path
    is_stream: bool


def check_output(path: Path, *, force: bool = False) -> None:
    """Fails where `write_files` would refuse a path; call it before a long computation.

    Raises:
        OutputError: something is there that must not be replaced, or its folder is missing or cannot be written.
    """
    output = _output(path, force=force)
    folder = output.target.parent
    if not output.is_stream and not os.access(folder, os.W_OK | os.X_OK):
        fault = "permission denied" if folder.is_dir() else f"there is no folder {folder}"
        raise OutputError(f"{path}: cannot be written, {fault}")


def write_file(path: Path, content: Content, *, follow: bool = True) -> None:
    """Writes one file, and replaces what is there.

    Args:
        path: where.
        content: bytes, or a file to copy.
        follow: whether a link is followed; it is refused otherwise.

    Raises:
        OutputError: the folder is missing or cannot be written, the disk is full, or something is there that is
            neither a file nor a stream.
    """
    if not follow and path.is_symlink():
        raise OutputError(f"{path}: is a link; remove it")
    write_files({path: content}, force=True)


def write_files(files: Mapping[Path, Content], *, force: bool) -> None:
    """Writes all files or none, each given as bytes or as a file to copy.

    Where the last step fails for one of several, those before it are put back as they were.

    Raises:
        OutputError: as `write_file`, or a file exists and `force` is not given.
    """
    outputs = {_output(path, force=force): content for path, content in files.items()}
    with ExitStack() as stack:
        parts = {
            output: stack.enter_context(_part(output, content))
            for output, content in outputs.items()
            if not output.is_stream
        }
        for output, content in outputs.items():
            if output.is_stream:
                _write_through(output, content)
        done: dict[Path, Callable[[], object]] = {}
        for output, part in parts.items():
            try:
                done[output.path] = _put_in_place(output.target, part, force=force, keep=len(parts) > 1, stack=stack)
            except OSError as error:
                raise OutputError(_failure(output.path, error) + _take_back(done)) from None
            except KeyboardInterrupt:
                _take_back(done)
                raise


def is_leftover(path: Path) -> bool:
    """Whether a file is named like content that is being written, or that a killed process left."""
    return path.name.startswith(".zen-") and path.suffix == ".part"


def _output(path: Path, *, force: bool) -> _Output:
    """Follows links and looks at what is there."""
    try:
        target = Path(os.path.realpath(path))
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            if path.is_symlink() and not force:
                raise OutputError(
                    f"{path}: is a link to {target}, which is missing; use force=True to write it"
                ) from None
            return _Output(path, target, is_stream=False)
    except (OSError, ValueError) as error:  # a loop of links, a name that is too long, a null byte
        raise OutputError(_failure(path, error)) from None
    kind = _REFUSED.get(stat.S_IFMT(mode))
    if kind is not None:
        raise OutputError(f"{path}: is {kind}; name a file")
    if not stat.S_ISREG(mode) or _is_descriptor(path):
        return _Output(path, path, is_stream=True)
    if not force:
        raise OutputError(f"{path}: exists; use force=True to overwrite it")
    return _Output(path, target, is_stream=False)


def _is_descriptor(path: Path) -> bool:
    """Whether a path names an open file, as `/dev/stdout` and `/dev/fd/3` do."""
    folder = Path(os.path.realpath(path.parent))
    return folder == Path("/dev") or folder.is_relative_to("/proc")


def _write_through(output: _Output, content: Content) -> None:
    try:
        with open(os.open(output.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOCTTY", 0)), "wb") as file:
            _fill(file, content)
    except OSError as error:
        raise OutputError(_failure(output.path, error)) from None


@contextmanager
def _part(output: _Output, content: Content) -> Iterator[Path]:
    """A complete, flushed file with the content beside the target; removed at the end if it is still there."""
    part = output.target.parent / f".zen-{secrets.token_hex(6)}.part"  # known before it is there: a signal may come
    try:
        try:
            _remove_leftovers(output.target.parent)
            with open(_create(part), "wb") as file:
                _fill(file, content)
                file.flush()
                os.fsync(file.fileno())
                with suppress(FileNotFoundError):
                    part.chmod(stat.S_IMODE(output.target.stat().st_mode))
                yield part
        except OSError as error:
            raise OutputError(_failure(output.path, error)) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _create(part: Path) -> int:
    """The descriptor of a new locked file."""
    while True:
        number = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o666)
        lock(number)
        if os.fstat(number).st_nlink:
            return number
        os.close(number)  # another process took it for a leftover before it was locked


def lock(number: int) -> bool:
    """Locks an open file for as long as it stays open; False where another process has the lock or there are none."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_leftovers(folder: Path) -> None:
    """Removes part files of processes that are gone."""
    for part in folder.glob(".zen-*.part"):
        with suppress(OSError):
            number = os.open(part, os.O_RDWR | _NO_LINK | _NO_WAIT)
            try:
                if stat.S_ISREG(os.fstat(number).st_mode) and lock(number):
                    part.unlink()
            finally:
                os.close(number)


def _put_in_place(target: Path, part: Path, *, force: bool, keep: bool, stack: ExitStack) -> Callable[[], object]:
    """Moves a part to its target; with `keep`, what is returned puts the target back as it was."""
    if not force:
        try:
            os.link(part, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(target):
                raise FileExistsError(EEXIST, os.strerror(EEXIST)) from None
            os.replace(part, target)
        return target.unlink
    restore: Callable[[], object] = target.unlink
    if keep and target.exists():
        old = part.with_name(f"{part.stem}-old.part")
        with suppress(OSError):
            os.link(target, old)
            stack.callback(old.unlink, missing_ok=True)
            restore = partial(os.replace, old, target)
    os.replace(part, target)
    return restore


def _take_back(done: Mapping[Path, Callable[[], object]]) -> str:
    """Puts files back as they were, and says which could not be."""
    left = []
    for path, restore in reversed(list(done.items())):
        try:
            restore()
        except OSError:
            left.append(str(path))
    return f"; already written: {', '.join(left)}" if left else ""


def _fill(file: BinaryIO, content: Content) -> None:
    if isinstance(content, bytes):
        file.write(content)
        return
    with open(content, "rb") as source:
        shutil.copyfileobj(source, file, 2**20)


def _failure(path: Path, error: OSError | ValueError) -> str:
    return f"{path}: cannot be written, {reason(error)}"
