"""Target `onnx`: the network as an ONNX graph with a batch of any size, node by node from its layout.

Written directly, without tracing: the graph holds one node an operation under the names of the `torch` file, the same
bytes under every version of PyTorch. Batch normalisation stands in it unfolded, so that its trainable tensors are those
that are counted; runtimes fold it when they load. Shapes: B images, C channels, H x W.
"""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from ..errors import RunError
from ..net.ops import Unit
from .about import facts, title, tool
from .layout import lay_out, unit_names
from .source_network import Network

OPSET = 22
IR_VERSION = 10
MAX_BYTES = 2**31 - 2**16
EPSILON = 1e-5  # of PyTorch's batch normalisation


def write(network: Network) -> bytes:
    """The model.

    Raises:
        RunError: it is larger than the two gigabytes that an ONNX file can hold.
    """
    size = sum(tensor.numel() * 4 for tensor in network.tensors.values())
    if size > MAX_BYTES:
        raise RunError(
            f"{network.where}: {size / 2**30:.1f} GiB of weights; an ONNX file holds 2, export to pt2 instead"
        )
    data: bytes = build_model(network).SerializeToString()
    return data


def build_model(network: Network) -> onnx.ModelProto:
    """The model: images [B, C, H, W] to logits [B, num_classes]."""
    spec = network.spec
    graph = _Graph(network)
    value = "images"
    for _, _, _, name, unit in unit_names(lay_out(spec)):
        value = graph.unit(name, unit, value)
    value = graph.node("GlobalAveragePool", "pool", [value])
    value = graph.node("Flatten", "flatten", [value])
    weights = [graph.tensor("classifier.weight"), graph.tensor("classifier.bias")]
    graph.nodes.append(helper.make_node("Gemm", [value, *weights], ["logits"], "classifier", transB=1))
    shape: list[str | int | None] = ["batch", spec.in_channels, spec.resolution, spec.resolution]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "zennet",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", spec.num_classes])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=tool(),
        doc_string=title(spec),
    )
    helper.set_model_props(model, {row.label: row.text for row in facts(spec, network.record)})
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and weights as they are added; every method returns the name of the value that it computes."""

    def __init__(self, network: Network) -> None:
        self._tensors = network.tensors
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def tensor(self, name: str) -> str:
        """A weight of the network."""
        self.initializers.append(numpy_helper.from_array(self._tensors[name].numpy(), name))
        return name

    def node(self, op: str, name: str, inputs: list[str], **attributes: Any) -> str:
        """An operation, named like the value it computes."""
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def conv_bn(
        self, name: str, value: str, kernel: int, stride: int = 1, groups: int = 1, *, relu: bool = False
    ) -> str:
        """A convolution, its batch normalisation, and a ReLU where asked for."""
        weight, pad = self.tensor(f"{name}.conv.weight"), kernel // 2
        value = self.node(
            "Conv",
            f"{name}.conv",
            [value, weight],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad, pad, pad, pad],
            group=groups,
        )
        fields = ("weight", "bias", "running_mean", "running_var")
        tensors = [self.tensor(f"{name}.bn.{field}") for field in fields]
        value = self.node("BatchNormalization", f"{name}.bn", [value, *tensors], epsilon=EPSILON)
        return self.node("Relu", f"{name}.relu", [value]) if relu else value

    def gate(self, name: str, value: str) -> str:
        """Squeeze-and-excitation."""
        pooled = self.node("GlobalAveragePool", f"{name}.pool", [value])
        reduced = self.conv_bn(f"{name}.reduce", pooled, 1, relu=True)
        scale = self.node("Sigmoid", f"{name}.sigmoid", [self.conv_bn(f"{name}.expand", reduced, 1)])
        return self.node("Mul", name, [value, scale])

    def unit(self, name: str, unit: Unit, value: str) -> str:
        """One unit of the network."""
        kind, layers, inner = unit.kind, unit.layers(1), value
        for index, layer in enumerate(layers):
            relu = not kind.is_residual or index < len(layers) - 1
            part = f"{name}.conv{index + 1}" if kind.is_residual else name
            inner = self.conv_bn(part, inner, layer.kernel[0], layer.stride[0], layer.groups, relu=relu)
            if unit.squeeze and index == kind.squeeze_after:
                inner = self.gate(f"{name}.se", inner)
        if not kind.is_residual:
            return inner
        if unit.projection:
            value = self.conv_bn(f"{name}.shortcut", value, 1, unit.stride)
        return self.node("Relu", f"{name}.relu", [self.node("Add", f"{name}.add", [inner, value])])
