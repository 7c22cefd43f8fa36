"""PyTorch on a GPU, BN folded: events in the stream of the GPU around each module, and one wait at the end of a run."""

from __future__ import annotations

from typing import Any

from ...net.spec import ArchSpec
from . import Conditions, Session
from .torch_folded import TorchFolded
from .torch_modules import TorchSession


class Cuda(TorchFolded):
    """The backend."""

    dtypes = ("float32", "float16")

    def missing(self) -> str:
        if fault := super().missing():
            return fault
        import torch

        return "" if torch.cuda.is_available() else "no GPU is there; use backend onnxruntime"

    def versions(self) -> dict[str, str]:
        import torch

        return {**super().versions(), "cuda": str(torch.version.cuda), "gpu": torch.cuda.get_device_name()}

    def open(self, spec: ArchSpec, conditions: Conditions) -> Session:
        import torch

        net, images = self.prepared(spec, conditions)
        kind = torch.float16 if conditions.dtype == "float16" else torch.float32
        net, images = net.to("cuda", kind), images.to("cuda", kind)

        def mark() -> Any:
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # of torch
            event.record()
            return event

        session = TorchSession(
            net,
            images,
            conditions.threads,
            mark,
            lambda begin, end: float(begin.elapsed_time(end)),
            torch.cuda.synchronize,
        )
        session.run()
        return session


BACKEND = Cuda()
