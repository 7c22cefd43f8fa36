"""A module as an ONNX graph, one node for one operation, under the names of the module.

The graph comes from a symbolic trace, and every operation is translated by a table: one that is not in the table is
refused. So the same module gives the same bytes under every version of PyTorch. Batch normalisation stays unfolded, so
that the trainable tensors are those that are counted; runtimes fold it when they load. Importing this needs onnx.
Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper
from torch import fx, nn

from ..errors import SpecError, UsageError
from .onnx_rules import FUNCTIONS, module_rule
from .onnx_writer import GraphWriter

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


class _Tracer(fx.Tracer):
    """Takes every module that has a rule as one step."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_rule(m) is not None or super().is_leaf_module(m, module_qualified_name)


def write_graph(net: nn.Module, shape: tuple[int, int, int]) -> GraphWriter:
    """The graph of a module on images of shape (C, H, W).

    Raises:
        SpecError: an operation that is not in the tables.
    """
    graph = GraphWriter(net, shape)
    for step in _Tracer().trace(net).nodes:
        if step.op == "placeholder":
            graph.keep(step, "images")
        elif step.op == "output":
            graph.nodes[-1].output[0] = "logits"  # or pooled features, where there is no classifier
        else:
            graph.keep(step, _translate(graph, step))
    return graph


def _translate(graph: GraphWriter, step: fx.Node) -> str:
    if step.op == "call_module":
        module = graph.net.get_submodule(str(step.target))
        if isinstance(module, nn.Identity):
            return graph.value(step.args[0])
        rule = module_rule(module)
        if rule is not None:
            return rule(graph, str(step.target), module, graph.value(step.args[0]))
        raise SpecError(f"ONNX export knows no {type(module).__name__}; export to pt2 instead")
    function = FUNCTIONS.get(step.target)
    if function is None:
        name = step._pretty_print_target(step.target)
        raise SpecError(f"ONNX export does not know {name}; export to pt2 instead")
    return function(graph, step)


def choose_opset(graph: GraphWriter, wanted: int | None) -> int:
    """The lowest opset that expresses a graph, or the wanted one.

    Raises:
        UsageError: the wanted opset cannot express the graph, or onnx does not know it.
    """
    needs = {f"{node.op_type} as it is written here": LOWEST[node.op_type] for node in graph.nodes}
    if any(node.op_type == "Gemm" and len(node.input) < 3 for node in graph.nodes):
        needs["linear layers without bias"] = 11
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
    """The model, checked by onnx: images [B, C, H, W] to logits [B, num_classes].

    Args:
        net: in evaluation mode.
        shape: (C, H, W) of an image.
        num_classes: of the logits.
        opset: a wanted opset; None for the lowest.
        about: further fields of the model.
    """
    model = unchecked_model(net, shape, num_classes, opset, **about)
    onnx.checker.check_model(model, full_check=True)
    return model


def unchecked_model(
    net: nn.Module, shape: tuple[int, int, int], num_classes: int, opset: int | None = None, **about: str
) -> onnx.ModelProto:
    """As `build_model`, without its check, which takes as long as the rest: for a runtime that reads it at once."""
    graph = write_graph(net, shape)
    version = helper.make_opsetid("", choose_opset(graph, opset))
    sides: list[str | int | None] = ["batch", *shape]
    model = graph.model
    model.ir_version = max(FIRST_IR, helper.find_min_ir_version_for([version]))
    model.opset_import.append(version)
    for name, value in about.items():
        setattr(model, name, value)
    model.graph.name = "zennet"
    model.graph.node.extend(graph.nodes)
    model.graph.input.append(helper.make_tensor_value_info("images", TensorProto.FLOAT, sides))
    model.graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", num_classes]))
    return model
