"""Reading the architectures of a command, and saying what had to be assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..formats.base import Note, Overrides
from ..formats.reading import Item, read
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


def find_kept(word: str) -> bytes | None:
    """The document of a network that an earlier search found."""
    from ..nas.kept import find_network

    return find_network(word)
