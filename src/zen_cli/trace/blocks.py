"""The chain of a traced network -> a spec, where all of its layers fit blocks and the cost is the same."""

from __future__ import annotations

from typing import Any

from ..errors import TraceError
from ..net.layers import ConvLayer
from ..net.spec import ArchSpec, parse_spec
from ..net.traced import Outline, Shortcut, TracedNetwork


def spec_of(network: TracedNetwork) -> ArchSpec:
    """The network as blocks: the same chain, parameters and MACs.

    Raises:
        TraceError: blocks cannot express it; the message names the first layer that does not fit.
    """
    try:
        return _spec(network)
    except TraceError as error:
        raise TraceError(f"{network.name or network.source}: cannot be written as blocks: {error}") from None


def _spec(network: TracedNetwork) -> ArchSpec:
    outline = network.outline
    if outline is None:
        raise TraceError(f"a record of layers does not say where shortcuts are; name {network.source} instead")
    first = network.chain[0]
    if first.in_size[0] != first.in_size[1]:
        raise TraceError(f"its images are {first.in_size[0]} x {first.in_size[1]}, and those of blocks are square")
    if outline.num_classes is None:
        raise TraceError("it has no linear classifier after a global pool")
    blocks: list[dict[str, Any]] = []
    start = 0
    while start < len(network.chain):
        shortcut = _shortcut_at(outline, start)
        end = start if shortcut is None else shortcut.last
        for index in range(start, end + 1):
            _check_layer(network, index)
        where = _name(network, start)
        unit = _conv(network.chain[start], where) if shortcut is None else _residual(network, shortcut)
        if shortcut is not None and not shortcut.projects:
            if not blocks or not _continues(blocks[-1], unit):
                raise TraceError(f"the unit that begins at {where} has no projection, which the first of a block has")
            blocks[-1]["depth"] += 1
        elif shortcut is None and blocks and _continues(blocks[-1], unit):
            blocks[-1]["depth"] += 1
        else:
            blocks.append(unit)
        start = end + 1
    spec = parse_spec(
        {
            "name": network.name,
            "resolution": first.in_size[0],
            "in_channels": first.in_width,
            "num_classes": outline.num_classes,
            "blocks": blocks,
        }
    )
    if spec.chain != network.chain or spec.cost.params != network.cost.params or spec.cost.macs != network.cost.macs:
        raise TraceError(
            f"as blocks it has {spec.cost.params:,} parameters and {spec.cost.macs:,} MACs, and it has "
            f"{network.cost.params:,} and {network.cost.macs:,}: biases, gates or branches that blocks do not have"
        )
    return spec


def _shortcut_at(outline: Outline, start: int) -> Shortcut | None:
    """The shortcut around the layers that begin here.

    Raises:
        TraceError: several do, or one begins before here and ends after.
    """
    found = [shortcut for shortcut in outline.shortcuts if shortcut.first == start]
    if len(found) > 1:
        raise TraceError(f"several shortcuts begin at layer {start + 1}")
    return found[0] if found else None


def _check_layer(network: TracedNetwork, index: int) -> None:
    """Refuses a layer that no block has."""
    layer, where = network.chain[index], _name(network, index)
    if layer.pool is not None:
        raise TraceError(f"before {where} there is a pooling")
    if layer.kernel[0] != layer.kernel[1] or layer.kernel[0] % 2 == 0:
        raise TraceError(f"{where} has a kernel of {layer.kernel[0]} x {layer.kernel[1]}")
    if layer.stride[0] != layer.stride[1] or layer.dilation != (1, 1):
        raise TraceError(f"{where} has stride {layer.stride} and dilation {layer.dilation}")
    if layer.padding != (layer.kernel[0] // 2, layer.kernel[0] // 2):
        raise TraceError(f"{where} has a padding of {layer.padding}")


def _conv(layer: ConvLayer, where: str) -> dict[str, Any]:
    """A plain convolution as a block."""
    if layer.groups > 1:
        raise TraceError(f"{where} has {layer.groups} groups and no shortcut around it")
    return {"op": "conv", "kernel": layer.kernel[0], "width": layer.out_width, "stride": layer.stride[0], "depth": 1}


def _residual(network: TracedNetwork, shortcut: Shortcut) -> dict[str, Any]:
    """The layers inside a shortcut as a block of one unit."""
    layers = network.chain[shortcut.first : shortcut.last + 1]
    kernels = [layer.kernel[0] for layer in layers]
    block: dict[str, Any] = {"width": layers[-1].out_width, "mid_width": layers[0].out_width, "depth": 1}
    if len(layers) == 2 and kernels[0] == kernels[1] > 1 and layers[0].groups == layers[1].groups == 1:
        return {"op": "basic", "kernel": kernels[0], "stride": layers[0].stride[0], **block}
    if len(layers) == 3 and kernels[0] == kernels[2] == 1 and layers[0].groups == layers[2].groups == 1:
        inner = layers[1]
        block |= {"kernel": kernels[1], "stride": inner.stride[0]}
        if inner.groups == inner.in_width:
            return {"op": "mbconv", **block}
        return {"op": "bottleneck", "groups": inner.groups, **block}
    names = f"{_name(network, shortcut.first)} to {_name(network, shortcut.last)}"
    raise TraceError(f"the {len(layers)} layers inside the shortcut from {names} are no unit of a block")


def _continues(block: dict[str, Any], unit: dict[str, Any]) -> bool:
    """Whether a unit is one more of a block: the same numbers, and no stride."""
    return unit["stride"] == 1 and {**block, "stride": 1, "depth": 1} == unit


def _name(network: TracedNetwork, index: int) -> str:
    return network.layer_names[index] if network.layer_names else f"layer {index + 1}"
