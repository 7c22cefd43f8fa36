"""Target `safetensors`: the weights alone, under the names of the `torch` file."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checker import Loaded, count_parameters, load_net
from .target import Target

if TYPE_CHECKING:
    from .source import ExportSource


def check_safetensors(path: Path, job: dict[str, Any]) -> Loaded:
    """A `safetensors` file, loaded into the module of the `torch` file."""
    from safetensors.torch import load_file

    net = load_net(Path(job["source"]), load_file(path))
    return Loaded(net, count_parameters(net))


class Safetensors(Target):
    """What `safetensors.torch.load_file` reads."""

    name, suffix, summary = "safetensors", ".safetensors", "weights"
    has_weights = any_side = True
    needs, extra = ("safetensors", "numpy"), "safetensors"
    check = staticmethod(check_safetensors)

    def write(self, source: ExportSource, stem: str) -> bytes:
        from safetensors.torch import save

        from .about import tool

        tensors = {name: tensor.contiguous() for name, tensor in source.tensors.items()}
        about = {"id": source.spec.id, "producer": tool(), "weights": source.weights_text}
        return with_sorted_header(save(tensors, metadata=about))


def with_sorted_header(data: bytes) -> bytes:
    """The file with the keys of its header in order; the library writes those of `__metadata__` in a random one.

    The format: the header's length as 8 bytes, the header as JSON padded with spaces to a multiple of 8, the tensors.
    """
    (length,) = struct.unpack("<Q", data[:8])
    rows = json.loads(data[8 : 8 + length])
    header = json.dumps(rows, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]
