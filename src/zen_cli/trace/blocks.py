"""The units of a traced network -> a spec, where its chain, parameters and MACs are those of the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

from pydantic import ValidationError

from ..errors import RunError, SpecError, TraceError
from ..net.classifier import Classifier
from ..net.layers import BN_EPS, Chain, ConvLayer, side_of
from ..net.network import Network, label
from ..net.ops import OPS, Unit, block_units
from ..net.ops.details import Details, Gate, gate_keys
from ..net.spec import ArchSpec, parse_spec
from ..net.traced import Outline, TracedNetwork

SHORTCUTS = ("first", "needed", "pooled", "identity", "none")
RATIOS = (1 / 4, 1 / 16, 1 / 8, 1 / 2, 1 / 12)  # of published networks
DIVISORS = (0, 8)


def as_blocks(network: Network, purpose: str) -> ArchSpec:
    """The blocks of any network.

    Args:
        network: a spec, or a traced network.
        purpose: what needs blocks, for the message.

    Raises:
        RunError: it cannot be written as blocks; the message names the first layer that does not fit.
    """
    if network.spec is not None:
        return network.spec
    if not isinstance(network, TracedNetwork):
        raise RunError(f"{label(network)}: {purpose} needs a network that is written as blocks")
    try:
        return _spec(network)
    except TraceError as error:
        raise TraceError(f"{label(network)}: {purpose} needs blocks, and it cannot be written so: {error}") from None


def spec_of(network: TracedNetwork) -> ArchSpec:
    """The network as blocks: the same chain, parameters and MACs.

    Normalisations that a file has merged into convolutions come back: the spec has more parameters than the file.

    Raises:
        TraceError: blocks cannot express it; the message names the first layer that does not fit.
    """
    try:
        return _spec(network)
    except TraceError as error:
        raise TraceError(f"{network.name or network.source}: cannot be written as blocks: {error}") from None


def _spec(network: TracedNetwork) -> ArchSpec:
    outline, first = network.outline, network.chain[0]
    if outline is None:
        raise TraceError(f"a record of layers does not say where shortcuts are; name {network.source} instead")
    for index, layer in enumerate(network.chain):
        _check_layer(layer, _name(network, index))
    if outline.fault:
        raise TraceError(outline.fault)
    strides = (1, 1) if first.pool is None else first.pool.stride
    sides = side_of((first.in_size[0] * strides[0], first.in_size[1] * strides[1]))
    document = {"name": network.name, "resolution": sides, **_document(outline)}
    document |= {} if outline.bn_eps == BN_EPS else {"bn_eps": outline.bn_eps}
    document |= {} if outline.padding == "even" else {"padding": outline.padding}
    document |= {"in_channels": first.in_width, "num_classes": outline.classifier.num_classes}
    try:
        spec = parse_spec(document)
    except SpecError as error:
        raise TraceError(f"as blocks, {error}") from None
    if spec.chain != network.chain:
        raise TraceError(_difference(network, spec.chain))
    own, other = spec.cost, network.cost
    if own.macs != other.macs or (own.params != other.params and not outline.folded):
        raise TraceError(
            f"as blocks it has {own.params:,} parameters and {own.macs:,} MACs, and it has "
            f"{other.params:,} and {other.macs:,}: something of it is not on the way to its output"
        )
    return spec


def _check_layer(layer: ConvLayer, where: str) -> None:
    """Refuses a layer that no block has."""
    if layer.kernel[0] != layer.kernel[1] or layer.kernel[0] % 2 == 0:
        raise TraceError(f"{where} has a kernel of {layer.kernel[0]} x {layer.kernel[1]}")
    if layer.stride[0] != layer.stride[1] or layer.dilation != (1, 1):
        raise TraceError(f"{where} has stride {layer.stride} and dilation {layer.dilation}")


def _difference(network: TracedNetwork, chain: Chain) -> str:
    """Where the chain of the network and that of its blocks part."""
    for index, (layer, other) in enumerate(zip(network.chain, chain, strict=False)):
        for key, value in layer._asdict().items():
            if value != getattr(other, key):
                return f"{_name(network, index)} has {key} {value}, and in a block it has {getattr(other, key)}"
    return f"it has {len(network.chain)} layers, and as blocks {len(chain)}"


def _name(network: TracedNetwork, index: int) -> str:
    return network.layer_names[index] if network.layer_names else f"layer {index + 1}"


def _document(outline: Outline) -> dict[str, Any]:
    """The keys of a spec that has these units and this classifier."""
    blocks = min((_blocks(outline.units, rule) for rule in SHORTCUTS), key=_untidiness)
    usual = Counter(block["activation"] for block in blocks).most_common(1)[0][0]
    for block in blocks:
        if block["activation"] == usual:
            del block["activation"]
    row: dict[str, Any] = {"blocks": blocks} | ({} if usual == "relu" else {"activation": usual})
    return row | _head(outline.classifier, usual)


def _head(classifier: Classifier, usual: str) -> dict[str, Any]:
    """The keys of what follows the last map, in a spec with this activation."""
    row: dict[str, Any] = {"head": list(classifier.hidden)} if classifier.hidden else {}
    row |= {"head_activation": classifier.activation} if row and classifier.activation != usual else {}
    row |= {} if classifier.bias else {"head_bias": False}
    row |= {} if classifier.pool is None else {"head_pool": classifier.pool.keys}
    return row | ({"head_parts": classifier.parts} if classifier.parts > 1 else {})


def _untidiness(blocks: Sequence[dict[str, Any]]) -> tuple[int, int]:
    rules = {block.get("shortcut", "first") for block in blocks if block["op"] != "conv"}
    return len(blocks), len(rules)


def _blocks(units: Sequence[Unit], rule: str) -> list[dict[str, Any]]:
    """The fewest blocks from the first unit on, each as long as it can be; where several rules fit, this one."""
    rules = sorted(SHORTCUTS, key=lambda other: other != rule)
    skips = any(unit.details is not None and unit.details.skips_first for unit in units)
    blocks, start = [], 0
    while start < len(units):
        rest = units[start:]
        lengths = [(_length(keys, rest), keys) for keys in _candidates(rest[0], rules, skips=skips)]
        length, keys = max(lengths, key=lambda pair: pair[0])
        if not length:
            raise TraceError(f"no {rest[0].op} block has a unit like its unit {start + 1}")
        blocks.append({**keys, "depth": length})
        start += length
    return blocks


def _length(keys: dict[str, Any], units: Sequence[Unit]) -> int:
    """How many of the units are those of a block with these keys."""
    try:
        gene = OPS[keys["op"]].model_validate(keys).gene
    except ValidationError:
        return 0
    same = 0
    for unit, other in zip(block_units(gene._replace(depth=len(units)), units[0].in_width), units, strict=True):
        if unit != other:
            break
        same += 1
    return same


def _candidates(unit: Unit, rules: Iterable[str], *, skips: bool) -> Iterator[dict[str, Any]]:
    """The keys of blocks that may begin with a unit; those that say most of other units come first."""
    details, (_, stride) = unit.details or Details(), unit.enter(1)
    row: dict[str, Any] = {"op": unit.op, "kernel": unit.kernel, "width": unit.width, "stride": stride}
    row["activation"] = details.activation
    row |= {"linear": True} if details.linear else {}
    row |= {"stride_in": True} if details.stride_in else {}
    if details.pool is not None:
        row["pool"] = details.pool.keys
    shortcuts = [{"shortcut": rule} if rule != "first" else {} for rule in rules] if unit.kind.is_residual else [{}]
    for inside, gate, shortcut in product([*_insides(unit, details, skips)], [*_gates(unit)], shortcuts):
        yield row | inside | gate | shortcut


def _insides(unit: Unit, details: Details, skips: bool) -> Iterator[dict[str, Any]]:
    """The keys for what is inside of a unit."""
    group = {"group_width": unit.mid_width // unit.groups} if unit.groups > 1 else {}
    if unit.op == "conv":
        yield group | ({"bias": True} if details.bias else {}) | ({} if details.norm else {"norm": False})
    elif unit.op == "repvgg":
        yield group
    elif unit.op in ("basic", "bottleneck"):
        yield {"mid_width": unit.mid_width} | group
    else:
        for skip in ({"skip_expansion": True}, {}) if skips else ({},):
            for of, width in ({}, unit.width), ({"expansion_of": "input"}, unit.in_width):
                if unit.mid_width % width == 0:
                    yield {"expansion": unit.mid_width // width} | of | skip
            yield {"mid_width": unit.mid_width} | skip


def _gates(unit: Unit) -> Iterator[dict[str, Any]]:
    """The keys for a squeeze-and-excitation, with the ratios of published networks first."""
    if not unit.squeeze:
        yield {}
        return
    for ratio, divisor, of in product(RATIOS, DIVISORS, ("inside", "input")):
        gate = unit.gate._replace(of=of, divisor=divisor)
        if gate.squeeze(ratio, unit.mid_width, unit.in_width, unit.width) == unit.squeeze:
            yield _gate_row(ratio, gate)
    if unit.squeeze <= unit.squeezed_width():
        yield _gate_row(unit.squeeze / unit.squeezed_width(), unit.gate)


def _gate_row(ratio: float, gate: Gate) -> dict[str, Any]:
    return {"se": gate_keys(ratio, gate)}
