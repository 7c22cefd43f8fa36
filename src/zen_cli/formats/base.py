"""What an input format is: how it recognises a value, how it reads a network from it, and what it assumes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from ..errors import UsageError
from ..net.layers import Side, side_key
from ..net.network import Network
from ..net.spec import ArchSpec


class Overrides(NamedTuple):
    """What a caller says instead of the network, or beside its name.

    Attributes:
        resolution: side of the input image, or (height, width).
        num_classes: outputs of the classifier.
        arg: arguments of the factory of a `module:`, such as `width=2`.
        path: a folder where its module is.
    """

    resolution: Side | None = None
    num_classes: int | None = None
    arg: tuple[str, ...] = ()
    path: str | None = None

    @property
    def side(self) -> int | None:
        """The side of the image, if it is given.

        Raises:
            UsageError: height and width are given, and differ.
        """
        if isinstance(self.resolution, tuple):
            size = side_key(self.resolution)
            raise UsageError(f"resolution: {size} is for networks that are written as blocks; give one side")
        return self.resolution

    def fields(self) -> dict[str, Side]:
        """Those that replace what a document says, if they are given."""
        values = {"resolution": self.resolution, "num_classes": self.num_classes}
        return {key: value for key, value in values.items() if value is not None}


class Context(NamedTuple):
    """What is known of a value besides itself.

    Attributes:
        where: a file and a line, for messages.
        name: what a network is called that has no name of its own.
        fields: `resolution` and `num_classes` that replace those of the document.
    """

    where: str
    name: str | None = None
    fields: Mapping[str, Side] = {}


class Note(NamedTuple):
    """What was assumed when a value was read, in words, and the `fields` by which a caller says it instead."""

    text: str
    fields: tuple[str, ...] = ()


def assumed_input(spec: ArchSpec, context: Context, title: str, *fields: str) -> tuple[Note, ...]:
    """What is assumed of the fields that neither a document of this title nor the caller says; by default of both."""
    assumed = tuple(field for field in fields or ("resolution", "num_classes") if field not in context.fields)
    values = " and ".join(f"{field} {getattr(spec, field)}" for field in assumed)
    return (Note(f"assumed {values}, which {title} does not say", assumed),) if assumed else ()


class Reading(NamedTuple):
    """A network that was read.

    Attributes:
        network: the network.
        notes: what was assumed; equal for all values of which the same was.
        record: the record that held it, if any.
    """

    network: Network
    notes: tuple[Note, ...] = ()
    record: dict[str, Any] | None = None


class Format(ABC):
    """An input format. Its values are JSON values, or lines of text that are not JSON, as strings.

    Attributes:
        title: what messages call a value of this format, with an article.
    """

    title: ClassVar[str]

    @abstractmethod
    def recognises(self, value: Any) -> bool:
        """Whether a value is meant to be of this format; a list is offered whole before its elements are."""

    @abstractmethod
    def read(self, value: Any, context: Context) -> Reading:
        """The network of a value that the format recognises.

        Raises:
            SpecError: it is of this format, and is no network; starts with `context.where`.
        """

    def parts(self, value: Any) -> tuple[str, list[Any] | None]:
        """Where in a value its networks are, and they: a key and its array; no array where the value is one network."""
        return "", None

    def continues(self, lines: Sequence[str], line: str) -> bool:
        """Whether a line of text belongs to the same network as the lines before it."""
        return False


class Names(ABC):
    """A kind of names by which networks are known, such as all that begin with `timm:`.

    Attributes:
        title: what messages call such a name, with an article.
    """

    title: ClassVar[str]

    @abstractmethod
    def claims(self, text: str) -> bool:
        """Whether a text is meant to be such a name. A file of that name comes first."""

    @abstractmethod
    def read(self, name: str, overrides: Overrides) -> Reading:
        """The network of a name that the kind claims.

        Raises:
            InputError: no network has it; starts with the name.
            TraceError: its network cannot be read.
        """
