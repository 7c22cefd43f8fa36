"""A module as an ONNX graph, one node for one operation, under the names of the module.

The graph comes from a symbolic trace, and every operation is translated by a table: one that is not in the table is
refused. So the same module gives the same bytes under every version of PyTorch. Batch normalisation stays unfolded, so
that the trainable tensors are those that are counted; runtimes fold it when they load. Importing this needs onnx.
Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import fx, nn

from ..errors import SpecError, UsageError

# Weights that are no inputs of the graph came with this IR and this opset.
FIRST_IR, FIRST_OPSET = 4, 9
# The lowest opset whose definition of an operation is the one that is written here.
LOWEST = {
    "Add": 7,
    "AveragePool": 19,
    "Clip": 11,
    "BatchNormalization": 9,
    "Conv": 1,
    "Flatten": 1,
    "Gemm": 7,
    "Erf": 9,
    "GlobalAveragePool": 1,
    "HardSigmoid": 6,
    "LeakyRelu": 6,
    "MaxPool": 8,
    "Mul": 7,
    "Relu": 6,
    "Sigmoid": 6,
}


class GraphWriter:
    """Nodes and weights as they are added; every method returns the name of the value that it computes."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._names: set[str] = set()
        self._values: dict[fx.Node, str] = {}
        traced = fx.Tracer().trace(net)
        for node in traced.nodes:
            if node.op == "placeholder":
                self._values[node] = "images"
            elif node.op == "output":
                self.nodes[-1].output[0] = "logits"  # or pooled features, where there is no classifier
            else:
                self._values[node] = self._translate(node)

    def node(self, op: str, name: str, inputs: list[str], **attributes: Any) -> str:
        """An operation, named like the value that it computes."""
        unique, count = name, 1
        while unique in self._names:
            count += 1
            unique = f"{name}_{count}"
        self._names.add(unique)
        self.nodes.append(helper.make_node(op, inputs, [unique], unique, **attributes))
        return unique

    def tensors(self, module: str, *fields: str) -> list[str]:
        """Those weights of a module that it has, as initializers."""
        names = []
        for field in fields:
            tensor = getattr(self.net.get_submodule(module), field)
            if tensor is not None:
                names.append(f"{module}.{field}")
                self.initializers.append(numpy_helper.from_array(tensor.detach().numpy(), names[-1]))
        return names

    def constant(self, number: float) -> str:
        """A number as an initializer."""
        name = f"number.{number!r}"
        if all(row.name != name for row in self.initializers):
            self.initializers.append(numpy_helper.from_array(np.array(number, dtype=np.float32), name))
        return name

    def value(self, argument: Any) -> str:
        """The name of an argument that an operation computed."""
        if not isinstance(argument, fx.Node):
            raise SpecError(f"ONNX export knows no operation on {argument!r}; export to pt2 instead")
        return self._values[argument]

    def _translate(self, node: fx.Node) -> str:
        if node.op == "call_module":
            module = self.net.get_submodule(str(node.target))
            if isinstance(module, nn.Identity):
                return self.value(node.args[0])
            rule = MODULES.get(type(module))
            if rule is not None:
                return rule(self, str(node.target), module, self.value(node.args[0]))
            raise SpecError(f"ONNX export knows no {type(module).__name__}; export to pt2 instead")
        function = FUNCTIONS.get(node.target)
        if function is None:
            name = node._pretty_print_target(node.target)
            raise SpecError(f"ONNX export does not know {name}; export to pt2 instead")
        return function(self, node)


ModuleRule: TypeAlias = Callable[[GraphWriter, str, Any, str], str]
FunctionRule: TypeAlias = Callable[[GraphWriter, fx.Node], str]


def _conv(graph: GraphWriter, name: str, conv: nn.Conv2d, value: str) -> str:
    if isinstance(conv.padding, str) or conv.padding_mode != "zeros":
        raise SpecError("ONNX export knows convolutions with a number of zeros around only; export to pt2 instead")
    weights = graph.tensors(name, "weight", "bias")
    return graph.node(
        "Conv",
        name,
        [value, *weights],
        kernel_shape=list(conv.kernel_size),
        strides=list(conv.stride),
        pads=[*conv.padding, *conv.padding],
        dilations=list(conv.dilation),
        group=conv.groups,
    )


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
}
FUNCTIONS: dict[Any, FunctionRule] = {
    operator.add: _simple("Add", "add"),
    operator.mul: _simple("Mul", "mul"),
    torch.relu: _simple("Relu", "relu"),
    torch.sigmoid: _simple("Sigmoid", "sigmoid"),
    "mean": _mean,
}


def choose_opset(graph: GraphWriter, wanted: int | None) -> int:
    """The lowest opset that expresses a graph, or the wanted one.

    Raises:
        UsageError: the wanted opset cannot express the graph, or onnx does not know it.
    """
    needs = {f"{node.op_type} as it is written here": LOWEST[node.op_type] for node in graph.nodes}
    needs["weights that are no inputs"] = FIRST_OPSET
    lowest, highest = max(needs.values()), onnx.defs.onnx_opset_version()
    if wanted is None:
        return lowest
    if wanted < lowest:
        reason = min(name for name, opset in needs.items() if opset > wanted)
        raise UsageError(f"opset: {wanted} has no {reason}; use {lowest} to {highest}")
    if wanted > highest:
        raise UsageError(f"opset: {wanted} is not known to the onnx that is installed; use {lowest} to {highest}")
    return wanted


def build_model(
    net: nn.Module, shape: tuple[int, int, int], num_classes: int, opset: int | None, **about: str
) -> onnx.ModelProto:
    """The model: images [B, C, H, W] to logits [B, num_classes].

    Args:
        net: in evaluation mode.
        shape: (C, H, W) of an image.
        num_classes: of the logits.
        opset: a wanted opset; None for the lowest.
        about: further fields of the model.
    """
    graph = GraphWriter(net)
    version = helper.make_opsetid("", choose_opset(graph, opset))
    sides: list[str | int | None] = ["batch", *shape]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "zennet",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, sides)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", num_classes])],
            graph.initializers,
        ),
        opset_imports=[version],
        ir_version=max(FIRST_IR, helper.find_min_ir_version_for([version])),
        **about,
    )
    onnx.checker.check_model(model, full_check=True)
    return model
