"""PyTorch on this machine's cores, the training form in evaluation mode; hooks read a clock around each module."""

from __future__ import annotations

import io
import time
import types
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ...devices import torch_threads
from ...net.spec import ArchSpec
from . import Conditions, Session, WrittenFile

if TYPE_CHECKING:
    from torch import nn


class TorchSession:
    """One module.

    Args:
        net: in evaluation mode, on its device.
        images: on the same device.
        threads: cores that it may use.
        mark: notes the time now, in the stream of the device.
        between: milliseconds from one mark to another, asked after `wait`.
        wait: returns when the device is done.
    """

    def __init__(
        self,
        net: nn.Module,
        images: Any,
        threads: int,
        mark: Callable[[], Any] = time.perf_counter,
        between: Callable[[Any, Any], float] = lambda begin, end: 1e3 * (end - begin),
        wait: Callable[[], object] = lambda: None,
    ) -> None:
        self._net, self._images, self._threads = net, images, threads
        self._mark, self._between, self._wait = mark, between, wait

    def run(self) -> None:
        import torch

        with torch_threads(self._threads), torch.inference_mode():
            self._net(self._images)
            self._wait()

    def times(self, runs: int) -> Mapping[str, list[float]]:
        begun: dict[str, Any] = {}
        marks: list[tuple[str, Any, Any]] = []
        handles: list[Any] = []

        def watch(name: str, module: nn.Module) -> None:
            def before(*_: Any) -> None:
                begun[name] = self._mark()

            def after(*_: Any) -> None:
                marks.append((name, begun[name], self._mark()))

            handles.append(module.register_forward_pre_hook(before))
            handles.append(module.register_forward_hook(after))

        for name, module in self._net.named_modules():
            is_piece = name.rpartition(".")[2] not in ("conv", "bn", "relu")
            if is_piece and name != "blocks" and not name.endswith("shortcut.0"):
                watch(name, module)
        try:
            for _ in range(runs):
                self.run()
        finally:
            for handle in handles:
                handle.remove()
        found: dict[str, list[float]] = {}
        for name, begin, end in marks:
            found.setdefault(name, []).append(self._between(begin, end))
        return _own_times(found)

    def close(self) -> None:
        del self._net, self._images


def _own_times(found: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Of modules within modules only what the outer one does by itself, such as the addition of a unit."""
    own = {name: list(times) for name, times in found.items()}
    for name, times in found.items():
        if not name:
            continue
        outer = name.rpartition(".")[0]
        while outer and outer not in found:
            outer = outer.rpartition(".")[0]
        own[outer] = [max(0.0, whole - part) for whole, part in zip(own[outer], times, strict=True)]
    own["pool"] = own.pop("")
    return own


class TorchModules:
    """The backend."""

    dtypes: tuple[str, ...] = ("float32",)
    files: tuple[str, ...] = ("torch", "pt2", "torchscript")

    def missing(self) -> str:
        return "" if find_spec("torch") is not None else "torch is not installed; pip install torch"

    def versions(self) -> dict[str, str]:
        import torch

        return {"torch": torch.__version__}

    def open(self, spec: ArchSpec, conditions: Conditions) -> Session:
        net, images = self.prepared(spec, conditions)
        session = TorchSession(net, images, conditions.threads)
        session.run()
        return session

    def open_file(self, file: WrittenFile, conditions: Conditions) -> Session:
        return TorchSession(_load(file), _images(file.spec, conditions), conditions.threads)

    def prepared(self, spec: ArchSpec, conditions: Conditions) -> tuple[nn.Module, Any]:
        """A module in evaluation mode and images for it."""
        from ...net.module import build

        return build(spec).eval(), _images(spec, conditions)


def _images(spec: ArchSpec, conditions: Conditions) -> Any:
    """Random images, from a generator of their own."""
    import torch

    shape = (conditions.batch_size, spec.in_channels, *spec.image_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _load(file: WrittenFile) -> nn.Module:
    """The module of an exported file."""
    import torch

    data = io.BytesIO(file.data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about TorchScript and about its own deprecations
        if file.target == "pt2":
            return torch.export.load(data).module()
        if file.target == "torchscript":
            net: nn.Module = torch.jit.load(data)  # type: ignore[no-untyped-call]  # torch
            return net
    home = types.ModuleType("exported")
    exec(compile(file.data, "exported.py", "exec"), home.__dict__)
    written: nn.Module = home.__dict__["ZenNet"]()
    return written.eval()


BACKEND = TorchModules()
