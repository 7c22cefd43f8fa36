"""What a target is: what its files are called, how one is written, and how it is checked.

Importing this or a target needs neither torch nor the packages of its files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import RunError

if TYPE_CHECKING:
    from ..net.spec import ArchSpec
    from .source import ExportSource


class Target(ABC):
    """One kind of file, which is checked by `check`; one that cannot be run is a `ReadTarget`.

    Class attributes:
        name: what people call it.
        suffix: how its file names end.
        summary: what it is, in a few words.
        is_text: whether it may go to a terminal or a pipe.
        is_python: whether Python imports the file, so that its name must be an identifier.
        has_weights: whether weights are in it.
        needs: packages that it cannot do without, and `extra`, which installs them.
        check: for files that can be run. A function of the path and a job (see `checker`) that loads the file and
            returns what runs it, its number of parameters, and its MACs for one image, or None for them to be measured.
            It runs in a process without zen, as a copy of its source with all that it names.
        can_merge: whether the files may have batch normalisations and branches merged into convolutions.
        most_units: more than this would take many minutes; None for no bound.
        any_side: whether the files take images of other sides than the spec's.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    summary: ClassVar[str]
    is_text: ClassVar[bool] = False
    is_python: ClassVar[bool] = False
    has_weights: ClassVar[bool] = False
    can_merge: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    check: ClassVar[Callable[..., Any] | None] = None
    most_units: ClassVar[int | None] = None
    any_side: ClassVar[bool] = False

    @abstractmethod
    def write(self, source: ExportSource, stem: str) -> bytes:
        """The file of a network.

        Args:
            source: the network.
            stem: the name of the file without its ending, which Python files state.

        Raises:
            InputError: a network that the target cannot express; the message starts with the reason.
        """


class ReadTarget(Target):
    """A kind of file that cannot be run, and is checked by reading it back."""

    @abstractmethod
    def read_back(self, data: bytes, source: ExportSource) -> str:
        """Checks a file that cannot be run, and says what was checked.

        Raises:
            RunError: it is not the network.
        """


class LineTarget(ReadTarget):
    """One of which several networks can follow each other in a pipe, each on a line."""

    @abstractmethod
    def line(self, source: ExportSource) -> bytes:
        """The file of a network as one line."""


def must_be(spec: ArchSpec, source: ExportSource) -> str:
    """What was found of a spec that was read back.

    Raises:
        RunError: it is not the network that it was exported from.
    """
    if spec.id != source.spec.id or spec.cost != source.spec.cost:
        raise RunError("reads back as another network; please report it")
    return "read back: the same network, parameters and MACs"
