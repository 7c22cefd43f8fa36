"""The operations that an ONNX graph can have, by the modules and functions of PyTorch. Importing this needs onnx."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import fx, nn

from ..errors import SpecError
from ..net.unit_modules import SameConv2d
from .onnx_writer import GraphWriter

ModuleRule: TypeAlias = Callable[[GraphWriter, str, Any, str], str]
FunctionRule: TypeAlias = Callable[[GraphWriter, fx.Node], str]


def _conv(graph: GraphWriter, name: str, conv: nn.Conv2d, value: str) -> str:
    if isinstance(conv.padding, str) or conv.padding_mode != "zeros":
        raise SpecError("ONNX export knows convolutions with a number of zeros around only; export to pt2 instead")
    return _convolution(graph, name, conv, value, [*conv.padding, *conv.padding])


def _convolution(graph: GraphWriter, name: str, conv: nn.Conv2d, value: str, margins: list[int]) -> str:
    """A convolution with these margins: top, left, bottom, right."""
    weights = graph.tensors(name, "weight", "bias")
    return graph.node(
        "Conv",
        name,
        [value, *weights],
        kernel_shape=list(conv.kernel_size),
        strides=list(conv.stride),
        pads=margins,
        dilations=list(conv.dilation),
        group=conv.groups,
    )


def _same_conv(graph: GraphWriter, name: str, conv: SameConv2d, value: str) -> str:
    left, right, top, bottom = conv.margins(*graph.size_before(name))
    return _convolution(graph, name, conv, value, [top, left, bottom, right])


def _norm(graph: GraphWriter, name: str, norm: nn.BatchNorm2d, value: str) -> str:
    tensors = graph.tensors(name, "weight", "bias", "running_mean", "running_var")
    return graph.node("BatchNormalization", name, [value, *tensors], epsilon=norm.eps)


def _linear(graph: GraphWriter, name: str, _: nn.Linear, value: str) -> str:
    return graph.node("Gemm", name, [value, *graph.tensors(name, "weight", "bias")], transB=1)


def _relu(graph: GraphWriter, name: str, _: nn.ReLU, value: str) -> str:
    return graph.node("Relu", name, [value])


def _after(op: str, **attributes: Any) -> ModuleRule:
    """A module that is one operation on its input."""

    def translate(graph: GraphWriter, name: str, _: nn.Module, value: str) -> str:
        return graph.node(op, name, [value], **attributes)

    return translate


def _relu6(graph: GraphWriter, name: str, _: nn.ReLU6, value: str) -> str:
    return graph.node("Clip", name, [value, graph.constant(0.0), graph.constant(6.0)])


def _silu(graph: GraphWriter, name: str, _: nn.SiLU, value: str) -> str:
    return graph.node("Mul", name, [value, graph.node("Sigmoid", f"{name}.sigmoid", [value])])


def _hard_swish(graph: GraphWriter, name: str, _: nn.Hardswish, value: str) -> str:
    gate = graph.node("HardSigmoid", f"{name}.gate", [value], alpha=1 / 6, beta=0.5)
    return graph.node("Mul", name, [value, gate])


def _gelu(graph: GraphWriter, name: str, _: nn.GELU, value: str) -> str:
    scaled = graph.node("Mul", f"{name}.scaled", [value, graph.constant(math.sqrt(0.5))])
    risen = graph.node("Add", f"{name}.risen", [graph.node("Erf", f"{name}.erf", [scaled]), graph.constant(1.0)])
    return graph.node("Mul", name, [graph.node("Mul", f"{name}.half", [value, graph.constant(0.5)]), risen])


def _leaky_relu(graph: GraphWriter, name: str, module: nn.LeakyReLU, value: str) -> str:
    return graph.node("LeakyRelu", name, [value], alpha=float(module.negative_slope))


def _pool(op: str) -> ModuleRule:
    def translate(graph: GraphWriter, name: str, pool: Any, value: str) -> str:
        kernel, stride, padding = ([each] * 2 if isinstance(each, int) else list(each) for each in _shape(pool))
        options: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": [*padding, *padding]}
        if op == "AveragePool":
            options["count_include_pad"] = int(pool.count_include_pad)
        if pool.ceil_mode:
            options["ceil_mode"] = 1
        return graph.node(op, name, [value], **options)

    return translate


def _shape(pool: Any) -> tuple[Any, Any, Any]:
    return pool.kernel_size, pool.stride, pool.padding


def _adaptive(graph: GraphWriter, name: str, pool: nn.AdaptiveAvgPool2d, value: str) -> str:
    """A pooling to a number of parts a side, where they divide the side of the map."""
    parts, sides = int(pool.output_size), graph.size_before(name)  # type: ignore[arg-type]  # a number in this program
    if any(side % parts for side in sides):
        size = " x ".join(map(str, sides))
        raise SpecError(f"ONNX has no means of {parts} x {parts} parts of a map of {size}; export to pt2 instead")
    if sides == (parts, parts):
        return value
    kernel = [side // parts for side in sides]
    return graph.node("AveragePool", name, [value], kernel_shape=kernel, strides=kernel)


def _flatten(graph: GraphWriter, node: fx.Node) -> str:
    value, axis = node.args
    if axis != 1:
        raise SpecError("ONNX export knows vectors of all of a map only; export to pt2 instead")
    return graph.node("Flatten", _owned(node, "flatten"), [graph.value(value)])


def _mean(graph: GraphWriter, node: fx.Node) -> str:
    value, axes = node.args
    if not isinstance(axes, (tuple, list)) or list(axes) != [2, 3]:
        raise SpecError("ONNX export knows means over height and width only; export to pt2 instead")
    pooled = graph.node("GlobalAveragePool", _owned(node, "pool"), [graph.value(value)])
    return pooled if node.kwargs.get("keepdim") else graph.node("Flatten", _owned(node, "flatten"), [pooled])


def _simple(op: str, label: str) -> FunctionRule:
    def translate(graph: GraphWriter, node: fx.Node) -> str:
        return graph.node(op, _owned(node, label), [graph.value(argument) for argument in node.args])

    return translate


def _owned(node: fx.Node, label: str) -> str:
    """A name for an operation in the code of a module."""
    stack = list(node.meta["nn_module_stack"].values()) if "nn_module_stack" in node.meta else []
    return f"{stack[-1][0]}.{label}" if stack else label


MODULES: dict[type[nn.Module], ModuleRule] = {
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _norm,
    nn.Linear: _linear,
    nn.ReLU: _relu,
    nn.ReLU6: _relu6,
    nn.SiLU: _silu,
    nn.Hardswish: _hard_swish,
    nn.Hardsigmoid: _after("HardSigmoid", alpha=1 / 6, beta=0.5),
    nn.Sigmoid: _after("Sigmoid"),
    nn.GELU: _gelu,
    nn.LeakyReLU: _leaky_relu,
    nn.MaxPool2d: _pool("MaxPool"),
    nn.AvgPool2d: _pool("AveragePool"),
    nn.AdaptiveAvgPool2d: _adaptive,
}
OWN_MODULES: dict[str, ModuleRule] = {SameConv2d.__name__: _same_conv}  # by name: files have copies of these classes
FUNCTIONS: dict[Any, FunctionRule] = {
    operator.add: _simple("Add", "add"),
    operator.mul: _simple("Mul", "mul"),
    torch.relu: _simple("Relu", "relu"),
    torch.sigmoid: _simple("Sigmoid", "sigmoid"),
    "mean": _mean,
    "flatten": _flatten,
}


def module_rule(module: nn.Module) -> ModuleRule | None:
    """How a module becomes one operation, if it does."""
    return MODULES.get(type(module)) or OWN_MODULES.get(type(module).__name__)
