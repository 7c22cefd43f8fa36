"""Where draws are computed: an executor gives workers for them, whichever devices and machines it stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import torch

from ...devices import resolve_devices
from .draws import T
from .several import Several
from .workers import Workers

# Makes the workers of one device, there where they compute: a function of a module or a partial of one, so that it can
# be sent to another machine.
Make: TypeAlias = Callable[[torch.device], Workers[T]]


class Executor(Protocol):
    """Devices that compute draws.

    Attributes:
        kind: of its devices, `cpu` or `cuda`. The scores of two kinds differ within their standard errors.
        devices: how many are in use now; the cores of one worker count as one.
    """

    @property
    def kind(self) -> str: ...

    @property
    def devices(self) -> int: ...

    def workers(self, make: Make[T]) -> Workers[T]:
        """Workers on all of its devices; entered before they get draws, and left afterwards."""


class Local:
    """Devices of this machine: its cores, one GPU or several."""

    def __init__(self, devices: Sequence[torch.device]) -> None:
        self._devices = tuple(devices)

    @property
    def devices(self) -> int:
        return len(self._devices)

    @property
    def kind(self) -> str:
        return self._devices[0].type

    def workers(self, make: Make[T]) -> Workers[T]:
        each = [make(device) for device in self._devices]
        return each[0] if len(each) == 1 else Several(each)


def local(device: str) -> Local:
    """The executor of a setting of this machine.

    Raises:
        UsageError: an unknown name, or a device that this machine does not have.
    """
    return Local(resolve_devices(device))


def chosen(executor: Executor | None, device: str) -> Executor:
    """The executor that is given, or else that of the setting. Errors as `local`."""
    return local(device) if executor is None else executor
