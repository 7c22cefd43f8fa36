"""The state dict beside a Python file, which `--weights` writes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checker import Loaded, count_parameters, load_net
from .target import Target

if TYPE_CHECKING:
    from .source import ExportSource


def check_state_dict(path: Path, job: dict[str, Any]) -> Loaded:
    """A state dict, loaded into the module of the `torch` file."""
    import torch

    net = load_net(Path(job["source"]), torch.load(path, weights_only=True))
    return Loaded(net, count_parameters(net))


class StateDict(Target):
    """What `torch.load` reads. It comes with Python files and is no target of its own, so it is not in the table."""

    name, suffix, summary = "weights", ".pt", "a state dict"
    has_weights = any_side = True
    check = staticmethod(check_state_dict)

    def write(self, source: ExportSource, stem: str) -> bytes:
        import torch

        buffer = io.BytesIO()
        torch.save(source.tensors, buffer)
        return buffer.getvalue()


STATE_DICT = StateDict()
