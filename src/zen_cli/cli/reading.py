"""Reading the architectures of a command, and saying what had to be assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ..errors import UsageError
from ..formats.base import Note, Overrides
from ..formats.reading import Item, read
from ..net.spec import ArchSpec
from ..ui.terminal import say


def read_sources(sources: Sequence[str], overrides: Overrides, *, quiet: bool) -> Iterator[Item]:
    """The architectures of files, stdin and texts; each thing that is assumed is said once, with the first place."""
    told: set[Note] = set()
    for item in read(sources, overrides, find_kept):
        for note in item.notes:
            if note not in told and not quiet:
                options = " and ".join("--" + field.replace("_", "-") for field in note.fields)
                say(f"{item.where}: {note.text}" + (f"; say otherwise with {options}" if options else ""))
            told.add(note)
        yield item


def read_one(field: str, source: str, overrides: Overrides, *, quiet: bool) -> ArchSpec:
    """The one architecture that an option names, for the input that other options say.

    Raises:
        ZenError: there is none, there are several, or it is not written as blocks.
    """
    items = list(islice(read_sources([source], overrides, quiet=quiet), 2))
    for item in items:
        if item.error is not None:
            raise item.error
    if len(items) != 1:
        raise UsageError(f"{field}: {source} holds {'several networks' if items else 'no network'}; give one")
    network = items[0].network
    if isinstance(network, ArchSpec):
        return network
    from ..net.traced import TracedNetwork
    from ..trace.blocks import spec_of

    if not isinstance(network, TracedNetwork):
        raise UsageError(f"{field}: {source} is not written as blocks, which a search changes; give a spec")
    return spec_of(network)


def find_kept(word: str) -> bytes | None:
    """The document of a network that an earlier search found."""
    from ..nas.kept import find_network

    return find_network(word)
