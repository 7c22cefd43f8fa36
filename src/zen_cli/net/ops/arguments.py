"""The arguments of modules: of plain units, and of units with details."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .base import Unit
from .details import Details, Pooling

if TYPE_CHECKING:
    from torch import nn

MODULES = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "silu": "SiLU",
    "hard_swish": "Hardswish",
    "gelu": "GELU",
    "leaky_relu": "LeakyReLU",
    "sigmoid": "Sigmoid",
    "hard_sigmoid": "Hardsigmoid",
}


def activation_class(name: str) -> type[nn.Module]:
    """The module of an activation or a gate of a spec."""
    from torch import nn

    found: type[nn.Module] = getattr(nn, MODULES[name])
    return found


def gate(unit: Unit) -> dict[str, Any]:
    """The argument of a residual module that gives it squeeze-and-excitation, if the unit has it."""
    if not unit.squeeze:
        return {}
    from ..unit_modules import SqueezeExcitation

    return {"gate": partial(SqueezeExcitation, squeeze=unit.squeeze)}


def optional(**values: tuple[int, int]) -> dict[str, int | bool]:
    """The arguments that differ from their default: `name=(value, default)`."""
    return {name: value for name, (value, default) in values.items() if value != default}


def residual_arguments(unit: Unit, kernels: tuple[int, ...], strided: int, gate_after: int) -> dict[str, Any]:
    """The keyword arguments of `StyledResidual` for a unit with details."""
    from ..styled_modules import KeepInput, PooledShortcut
    from ..unit_modules import ConvBN

    details = unit.details or Details()
    _, stride = unit.enter(1)
    row: dict[str, Any] = {"mid_width": unit.mid_width, "kernels": kernels, "strided": strided}
    row |= optional(stride=(stride, 1), groups=(unit.groups, 1))
    row |= _activation(details.activation)
    if details.linear:
        row["linear"] = True
    if unit.squeeze:
        row["gate"] = _gate(unit)
        row |= optional(gate_after=(len(kernels) - 1 if unit.gate.place == "end" else gate_after, 0))
    if details.has_shortcut and not unit.projection:
        row["shortcut"] = KeepInput
    elif details.pools_shortcut:
        row["shortcut"] = partial(PooledShortcut, stride=stride)
    elif unit.projection:
        row["shortcut"] = partial(ConvBN, stride=stride) if stride > 1 else ConvBN
    return row | _pool(details.pool)


def plain_arguments(unit: Unit) -> dict[str, Any]:
    """The keyword arguments of `PlainConv` for a unit with details."""
    from torch import nn

    details = unit.details or Details()
    row: dict[str, Any] = {"kernel": unit.kernel} | optional(stride=(unit.enter(1)[1], 1), groups=(unit.groups, 1))
    row |= {"bias": True} if details.bias else {}
    row |= {} if details.norm else {"norm": False}
    row |= {"activation": nn.Identity} if details.linear else _activation(details.activation)
    row |= {"gate": _gate(unit)} if unit.squeeze else {}
    return row | _pool(details.pool)


def parallel_arguments(unit: Unit) -> dict[str, Any]:
    """The keyword arguments of `ParallelConv`."""
    from torch import nn

    details = unit.details or Details()
    row: dict[str, Any] = {"kernel": unit.kernel} | optional(stride=(unit.enter(1)[1], 1), groups=(unit.groups, 1))
    row |= {"activation": nn.Identity} if details.linear else _activation(details.activation)
    return row | _pool(details.pool)


def _activation(name: str) -> dict[str, Any]:
    return {} if name == "relu" else {"activation": activation_class(name)}


def _gate(unit: Unit) -> Any:
    from ..styled_modules import ChannelGate

    gate = unit.gate
    options: dict[str, Any] = {"squeeze": unit.squeeze} | ({"bias": True} if gate.bias else {})
    options |= _activation(gate.activation)
    options |= {} if gate.gate == "sigmoid" else {"gate": activation_class(gate.gate)}
    return partial(ChannelGate, **options)


def _pool(pool: Pooling | None) -> dict[str, Any]:
    from torch import nn

    if pool is None:
        return {}
    kind = nn.MaxPool2d if pool.kind == "max" else nn.AvgPool2d
    return {"pool": partial(kind, kernel_size=pool.kernel, stride=pool.stride, padding=pool.padding)}
