"""Target `safetensors`: the weights alone, under the names of the `torch` file."""

from __future__ import annotations

from .about import tool
from .source_network import Network


def write(network: Network) -> bytes:
    """The file: load it with `safetensors.torch.load_file` into the module of target `torch`."""
    from safetensors.torch import save

    tensors = {name: tensor.contiguous() for name, tensor in network.tensors.items()}
    data: bytes = save(tensors, metadata={"id": network.spec.id, "producer": tool(), "weights": network.weights_text})
    return data
