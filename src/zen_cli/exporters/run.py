"""From items that were read to files that are checked and in place: plan, make, check, write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError, MemoryLimitError, RunError, SourceError, UsageError
from ..formats.files import write_files
from ..formats.reading import Item
from ..net.network import Network, label
from ..net.traced import TracedNetwork
from .check import Checker, Finding, check_files
from .memory import check_memory
from .plan import ExportOptions, PlannedFile, PlannedNetwork, plan
from .source import ExportSource
from .table import find_targets
from .target import LineTarget
from .workspace import workspace


class ExportedFile(NamedTuple):
    """One file that is done: its network, target, path (None: `data` goes to stdout), and what its check found."""

    source: ExportSource
    target: str
    path: Path | None
    data: bytes
    finding: Finding


def export(
    specs: Iterable[Network | Item],
    targets: Sequence[str],
    options: ExportOptions | None = None,
    on_step: Callable[[str], None] | None = None,
    checker: Checker | None = None,
) -> list[ExportedFile]:
    """Exports architectures: everything is made and checked in a temporary folder before the first file is placed.

    Args:
        specs: architectures, or items as `formats.reading.read` gives them.
        targets: names of targets.
        options: where to, with which weights.
        on_step: called with a few words about what begins.
        checker: the process that loads and runs files; by default one of its own.

    Raises:
        InputError: options, networks or places that cannot be; nothing is written then.
        RunError: what was exported did not pass its check; nothing is written then.
    """
    options, say = options or ExportOptions(), on_step or (lambda _: None)
    chosen = find_targets(targets)
    items = [_item(item) for item in specs]
    if not items:
        raise SourceError("nothing to export; give a spec, a record or a structure string")
    networks = plan(items, chosen, options)
    done: list[ExportedFile] = []
    drafts: dict[Path, bytes | Path] = {}
    with workspace() as folder, nullcontext(checker) if checker else Checker(folder) as child:
        for number, network in enumerate(networks):
            with _named(network.source):
                for row, draft in _make(network, folder / str(number), child, say, several=len(networks) > 1):
                    done.append(row)
                    if row.path is not None:
                        drafts[row.path] = draft
        for path in drafts:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_files(drafts, force=options.force)
    return done


def _item(item: Network | Item) -> Item:
    if not isinstance(item, Item):
        return _item(Item(label(item), item))
    if item.error is not None:
        raise item.error
    if isinstance(item.network, TracedNetwork):
        from ..trace.blocks import spec_of

        return item._replace(network=spec_of(item.network), record=None)
    return item


def _make(
    network: PlannedNetwork, folder: Path, checker: Checker, say: Callable[[str], None], *, several: bool
) -> Iterator[tuple[ExportedFile, Path]]:
    """Makes and checks the files of one network in a folder."""
    source = network.source
    if any(file.target.check is not None for file in network.files):
        check_memory(source.spec, source.where)
    folder.mkdir()
    drafts = []
    for file in network.files:
        say(f"{source.where}: {file.target.name}")
        draft = folder / (file.path.name if file.path is not None else f"{file.stem}{file.target.suffix}")
        draft.write_bytes(_content(file, source, several=several))
        drafts.append(draft)
    say(f"{source.where}: checking")
    pairs = [(file.target, draft) for file, draft in zip(network.files, drafts, strict=True)]
    findings = check_files(source, pairs, folder, checker)
    source.release()
    for file, draft, finding in zip(network.files, drafts, findings, strict=True):
        data = draft.read_bytes() if file.path is None else b""
        yield ExportedFile(source, file.target.name, file.path, data, finding), draft


def _content(file: PlannedFile, source: ExportSource, *, several: bool) -> bytes:
    if several and file.path is None and isinstance(file.target, LineTarget):
        return file.target.line(source)
    try:
        return file.target.write(source, file.stem)
    except (InputError, RunError) as error:
        if isinstance(error, (UsageError, SourceError, MemoryLimitError)):  # of an option, a checkpoint, all targets
            raise
        raise type(error)(f"{source.where}: {file.target.name}: {error}") from None


@contextmanager
def _named(source: ExportSource) -> Iterator[None]:
    """Says of which network memory ran out."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        from ..devices import is_out_of_memory

        if is_out_of_memory(error):
            raise MemoryLimitError(f"{source.where}: does not fit into memory; use a smaller network") from None
        raise
