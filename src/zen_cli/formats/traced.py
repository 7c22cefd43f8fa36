"""Names and files of networks that are traced: `timm:`, `torchvision:`, `module:`, ONNX files.

torch and the packages of the models are imported where a name is read.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from ..errors import InputError, TraceError, UsageError
from ..net.traced import TracedNetwork
from .base import Names, Note, Overrides, Reading


class _Prefixed(Names):
    prefix: ClassVar[str]

    def claims(self, text: str) -> bool:
        return text.startswith(self.prefix)

    def read(self, name: str, overrides: Overrides) -> Reading:
        rest = name.removeprefix(self.prefix)
        try:
            return traced_reading(self.trace(rest, overrides))
        except (InputError, TraceError) as error:
            if isinstance(error, UsageError):
                raise
            raise type(error)(f"{name}: {error}") from None

    @abstractmethod
    def trace(self, name: str, overrides: Overrides) -> TracedNetwork:
        """The network of a name without its prefix."""


class TimmNames(_Prefixed):
    """`timm:NAME`: a model of timm, without weights."""

    title, prefix = "a model of timm", "timm:"

    def trace(self, name: str, overrides: Overrides) -> TracedNetwork:
        from ..trace.zoos import timm_network

        return timm_network(name, overrides.side, overrides.num_classes)


class TorchvisionNames(_Prefixed):
    """`torchvision:NAME`: a classifier of torchvision, without weights."""

    title, prefix = "a model of torchvision", "torchvision:"

    def trace(self, name: str, overrides: Overrides) -> TracedNetwork:
        from ..trace.zoos import torchvision_network

        return torchvision_network(name, overrides.side, overrides.num_classes)


class ModuleNames(_Prefixed):
    """`module:PACKAGE.MODULE:FACTORY`: what a function of one's own returns. Its code is run."""

    title, prefix = "a module", "module:"

    def trace(self, name: str, overrides: Overrides) -> TracedNetwork:
        from ..trace.factories import module_network

        if overrides.num_classes is not None:
            raise UsageError("num_classes: has no effect on module:; give it to the factory by arg")
        return module_network(name, overrides.side, overrides.arg, overrides.path)

    def read(self, name: str, overrides: Overrides) -> Reading:
        reading = super().read(name, overrides)
        package, _, factory = name.removeprefix(self.prefix).partition(":")
        ran = Note(f"imported {package} and called {factory}: this alone runs code that you name")
        return reading._replace(notes=(ran, *reading.notes))


def onnx_reading(path: str, overrides: Overrides) -> Reading:
    """The network of an ONNX file.

    Raises:
        InputError: the file cannot be read.
        TraceError: its network cannot be.
    """
    from ..trace.onnx_file import onnx_network

    if overrides.num_classes is not None:
        raise UsageError("num_classes: has no effect on an ONNX file; leave it out")
    return traced_reading(onnx_network(Path(path), overrides.side))


def traced_reading(network: TracedNetwork) -> Reading:
    """A traced network with its notes."""
    return Reading(network, tuple(Note(note) for note in network.notes))
