"""Target `pt2`: the graph of `torch.export` with its weights and a batch of any size."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checker import Loaded, count_parameters
from .target import Target

if TYPE_CHECKING:
    from .source import ExportSource


def check_pt2(path: Path, _: dict[str, Any]) -> Loaded:
    """A `torch.export` program."""
    import torch

    program = torch.export.load(path)
    return Loaded(program.module(), count_parameters(program))


class ExportedProgram(Target):
    """What `torch.export.load` reads."""

    name, suffix, summary = "pt2", ".pt2", "a torch.export program"
    has_weights = can_merge = True
    most_units = 2000
    check = staticmethod(check_pt2)

    def write(self, source: ExportSource, stem: str) -> bytes:
        import torch

        spec = source.spec
        images = torch.zeros(2, spec.in_channels, *spec.image_size)
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about its own deprecations
            batch = torch.export.Dim("batch", min=1)
            program = torch.export.export(source.module, (images,), dynamic_shapes=({0: batch},))
            torch.export.save(program, buffer)
        return buffer.getvalue()
