"""What runs networks on this machine: one backend a module, all with one protocol, and the table of them.

To add a backend, add a module that defines `BACKEND`, and its line in `BACKENDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple, Protocol

from ...errors import UsageError, nearest
from ...net.spec import ArchSpec

BACKENDS = {
    "onnxruntime": f"{__name__}.onnx_runtime",
    "torch": f"{__name__}.torch_modules",
    "torch-folded": f"{__name__}.torch_folded",
    "cuda": f"{__name__}.cuda",
}


class WrittenFile(NamedTuple):
    """What an export wrote, which this program made itself: a network, the name of the target, and the bytes."""

    spec: ArchSpec
    target: str
    data: bytes


class Conditions(NamedTuple):
    """How networks are run; with `one_core`, the time of this process is that of the network."""

    threads: int = 1
    batch_size: int = 1
    dtype: str = "float32"
    one_core: bool = True


def conditions_of(backend: str | None, threads: int, batch_size: int, dtype: str) -> Conditions:
    """How a backend runs networks; only on a GPU is the time of one thread not that of the network."""
    return Conditions(threads, batch_size, dtype, threads == 1 and backend != "cuda")


class Session(Protocol):
    """A network that is ready to run."""

    def run(self) -> None:
        """One inference; returns when it is done."""

    def times(self, runs: int) -> Mapping[str, list[float]]:
        """Milliseconds of each module in each of so many runs, by its full name."""

    def close(self) -> None:
        """Frees what it holds."""


class Backend(Protocol):
    """A way to run networks.

    Attributes:
        dtypes: what it can compute in.
        files: targets of exports whose files it runs as they are.
    """

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Those of weights and activations."""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of targets of exports."""

    def missing(self) -> str:
        """Why it cannot be used here, as `fault; fix`; empty if it can."""

    def versions(self) -> dict[str, str]:
        """Of the packages that compute."""

    def open(self, spec: ArchSpec, conditions: Conditions) -> Session:
        """A network that is ready to run, on random weights and images."""

    def open_file(self, file: WrittenFile, conditions: Conditions) -> Session:
        """A file of one of `files` that is ready to run, on random images."""


def find_backend(name: str, dtype: str = "float32") -> Backend:
    """The backend of a name.

    Raises:
        UsageError: there is none, it cannot be used here, or it does not know the dtype.
    """
    if name not in BACKENDS:
        raise UsageError(f"backend: unknown {name!r}; {nearest(name, BACKENDS)}")
    backend: Backend = import_module(BACKENDS[name]).BACKEND
    if fault := backend.missing():
        raise UsageError(f"backend: {name} cannot be used here, {fault}")
    if dtype not in backend.dtypes:
        raise UsageError(f"dtype: {name} does not measure {dtype}; use {' or '.join(backend.dtypes)}")
    return backend
