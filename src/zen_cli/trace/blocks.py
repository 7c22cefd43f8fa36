"""A traced network -> a spec, where all of its layers fit blocks and the cost is the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import RunError, TraceError
from ..net.network import Network, label
from ..net.ops.details import Gate, divisible, gate_keys
from ..net.spec import ArchSpec, parse_spec
from ..net.traced import TracedNetwork
from .units import ACTIVATIONS, TracedUnit, units_of

_SAME = ("op", "width", "kernel", "linear", "activation", "place", "bias", "norm")
_RULES = ("first", "needed", "pooled", "identity", "none")
_RATIOS = (1 / 4, 1 / 16, 1 / 2, 1 / 8)


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
    groups: list[tuple[list[TracedUnit], dict[str, Any]]] = []
    for unit in units_of(network, outline):
        joined = _block([*groups[-1][0], unit]) if groups else None
        if joined is not None:
            groups[-1] = ([*groups[-1][0], unit], joined)
            continue
        block = _block([unit])
        if block is None:
            raise TraceError(f"the unit that begins at {unit.where} has a shortcut that no block has")
        groups.append(([unit], block))
    blocks = [block for _, block in groups]
    usual, _ = Counter(block["activation"] for block in blocks).most_common(1)[0]
    for block in blocks:
        if block["activation"] == usual:
            del block["activation"]
    document = {
        "name": network.name,
        "resolution": first.in_size[0],
        "in_channels": first.in_width,
        "num_classes": outline.num_classes,
        "blocks": blocks,
        **({} if usual == "relu" else {"activation": usual}),
        **_head(outline.hidden, usual),
    }
    return _checked(parse_spec(document), network)


def _checked(spec: ArchSpec, network: TracedNetwork) -> ArchSpec:
    """A spec that has the chain and the cost of the network."""
    if spec.chain != network.chain or spec.cost.params != network.cost.params or spec.cost.macs != network.cost.macs:
        raise TraceError(
            f"as blocks it has {spec.cost.params:,} parameters and {spec.cost.macs:,} MACs, and it has "
            f"{network.cost.params:,} and {network.cost.macs:,}: biases, gates or branches that blocks do not have"
        )
    return spec


def _head(hidden: Sequence[tuple[int, str]], usual: str) -> dict[str, Any]:
    """The keys of hidden layers of the classifier."""
    if not hidden:
        return {}
    names = {name for _, name in hidden}
    if len(names) > 1 or not names <= ACTIVATIONS.keys():
        raise TraceError(f"its classifier has the activations {', '.join(sorted(names)) or 'none'}")
    activation = ACTIVATIONS[names.pop()]
    return {"head": [width for width, _ in hidden]} | ({} if activation == usual else {"head_activation": activation})


def _block(units: Sequence[TracedUnit]) -> dict[str, Any] | None:
    """Some units as one block; None where they are not one."""
    first = units[0]
    if any(getattr(unit, name) != getattr(first, name) for unit in units[1:] for name in _SAME):
        return None
    if any(unit.stride > 1 or unit.pool is not None for unit in units[1:]):
        return None
    block: dict[str, Any] = {"op": first.op, "kernel": first.kernel, "width": first.width, "stride": first.stride}
    block |= {"depth": len(units), "activation": first.activation} | ({"linear": True} if first.linear else {})
    if first.pool is not None:
        block["pool"] = {"kind": first.pool.kind, "kernel": first.pool.kernel, "stride": first.pool.stride}
    widths = _widths(units)
    if first.op == "conv":
        block |= ({"bias": True} if first.bias else {}) | ({} if first.norm else {"norm": False})
        return None if widths is None else block | widths
    rules = [rule for rule in _RULES if all(_follows(unit, rule, index) for index, unit in enumerate(units))]
    gate = _gate(units)
    if widths is None or not rules or gate is None:
        return None
    return block | widths | gate | ({} if rules[0] == "first" else {"shortcut": rules[0]})


def _follows(unit: TracedUnit, rule: str, index: int) -> bool:
    """Whether a rule of shortcuts gives a unit the one that it has."""
    changes = unit.stride > 1 or unit.in_width != unit.width
    wanted = "identity"
    if rule == "none" or (rule == "identity" and changes):
        wanted = "none"
    elif changes or (rule == "first" and index == 0):
        wanted = "pooled" if rule == "pooled" and unit.stride > 1 else "projection"
    return unit.shortcut == wanted


def _widths(units: Sequence[TracedUnit]) -> dict[str, Any] | None:
    """The keys of the width inside, and of groups; None where units differ in them."""
    first, insides = units[0], {unit.mid_width for unit in units}
    if first.op == "conv":
        group = first.width // first.groups
        alike = all(unit.groups == first.groups for unit in units)
        return ({"group_width": group} if first.groups > 1 else {}) if alike else None
    if first.op not in ("mbconv", "fused"):
        if len(insides) > 1 or any(unit.groups != first.groups for unit in units):
            return None
        return {"mid_width": first.mid_width} | ({"groups": first.groups} if first.groups > 1 else {})
    skips = {unit.skips_first for unit in units if unit.mid_width == unit.in_width}
    if len(skips) > 1 or any(unit.skips_first and unit.mid_width != unit.in_width for unit in units):
        return None
    keys: dict[str, Any] = {"skip_expansion": True} if skips == {True} else {}
    for factor in sorted({max(1, unit.mid_width // unit.in_width) for unit in units}):
        if all(divisible(factor * unit.in_width, 8) == unit.mid_width for unit in units):
            return {"expansion": factor, "expansion_of": "input", **keys}
    return {"mid_width": first.mid_width, **keys} if len(insides) == 1 else None


def _gate(units: Sequence[TracedUnit]) -> dict[str, Any] | None:
    """The key of squeeze-and-excitation, if any; None where no one ratio gives all units theirs."""
    squeezes = [unit.squeeze for unit in units if unit.squeeze is not None]
    if not squeezes:
        return {}
    usual = squeezes[0]
    if len(squeezes) < len(units) or any(squeeze[1:] != usual[1:] for squeeze in squeezes):
        return None
    for of in ("input", "inside"):
        for divisor in (0, 8):
            gate = Gate(of, divisor, usual.bias, usual.activation, usual.gate, units[0].place)
            for ratio in _ratios(units, gate):
                if all(_squeezed(unit, gate, ratio) for unit in units):
                    return {"se": gate_keys(ratio, gate)}
    return None


def _ratios(units: Sequence[TracedUnit], gate: Gate) -> Iterable[float]:
    """Ratios to try: those that people use, then the exact one of each unit."""
    yield from _RATIOS
    for unit in units:
        base = unit.in_width if gate.of == "input" else unit.width if gate.place == "end" else unit.mid_width
        if unit.squeeze is not None and unit.squeeze.width <= base:
            yield unit.squeeze.width / base


def _squeezed(unit: TracedUnit, gate: Gate, ratio: float) -> bool:
    width = gate.squeeze(ratio, unit.mid_width, unit.in_width, unit.width)
    return unit.squeeze is not None and unit.squeeze.width == width
