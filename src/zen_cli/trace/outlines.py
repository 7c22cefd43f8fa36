"""The outline of a graph: activations and gates after the layers of its chain, shortcuts, and the classifier."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..net.outline import LayerEnd, Outline, Shortcut, ShortcutKind, Squeeze
from .graph import ACTIVATIONS, Graph, Node
from .paths import Join, Paths, Step, last_conv, steps

# What x * gate(x) is called.
_SELF_GATED = {"sigmoid": "silu", "hardsigmoid": "hardswish"}


def outline_of(graph: Graph, paths: Paths, convs: Sequence[int]) -> Outline:
    """The outline of a chain.

    Args:
        graph: of one forward pass.
        paths: through it.
        convs: the numbers of the chain's convolutions.
    """
    reader = _Reader(graph)
    ends = tuple(reader.end(number, normed=number in paths.normed) for number in convs)
    places = {number: index for index, number in enumerate(convs)}
    found = (reader.shortcuts(join, places) for join in paths.joins if join.kind == "sum")
    shortcuts = sorted({shortcut for some in found for shortcut in some})
    hidden, classes = reader.classifier() if paths.output.has_layers else ((), None)
    return Outline(ends, tuple(shortcuts), hidden, classes)


class _Reader:
    """A graph, with the nodes that read each node."""

    def __init__(self, graph: Graph) -> None:
        self._nodes, self._output = graph.nodes, graph.output
        self._readers: dict[int, list[int]] = defaultdict(list)
        for number, node in enumerate(graph.nodes):
            for before in set(node.inputs):
                self._readers[before].append(number)

    def end(self, number: int, *, normed: bool) -> LayerEnd:
        """What follows a convolution, up to the next one, an addition or a pooling."""
        node = self._nodes[number]
        found = LayerEnd(node.bias, normed)
        while (follower := self._follower(number)) is not None:
            node = self._nodes[follower]
            label = node.label if node.kind == "same" else self._self_gated(number, node)
            if node.kind == "product" and not label:
                found = self._gated(found, number, node)
            elif label in ACTIVATIONS and (found.activation or found.squeeze):
                return found._replace(fault=f"{label} after {found.activation or 'squeeze-and-excitation'}")
            elif label in ACTIVATIONS:
                found = found._replace(activation=label)
            if found.fault:
                break
            number = follower
        return found

    def activation(self, number: int) -> str:
        """After a node, before anything else is done with it."""
        follower = self._follower(number)
        node = None if follower is None else self._nodes[follower]
        return node.label if node is not None and node.kind == "same" and node.label in ACTIVATIONS else ""

    def _follower(self, number: int) -> int | None:
        """The one reader of a node that changes its values alone; the pooling of a gate and the gate do not count."""
        readers = [reader for reader in self._readers[number] if self._nodes[reader].kind not in ("global", "gate")]
        if len(readers) != 1 or self._nodes[readers[0]].kind not in ("norm", "same", "product"):
            return None
        return readers[0]

    def _self_gated(self, number: int, node: Node) -> str:
        """The activation that a product of a node with its own gate is."""
        if node.kind != "product":
            return ""
        gates = [self._nodes[other] for other in node.inputs if other != number]
        known = len(gates) == 1 and gates[0].kind == "gate" and gates[0].inputs == (number,)
        return _SELF_GATED.get(gates[0].label, "") if known else ""

    def _gated(self, found: LayerEnd, number: int, product: Node) -> LayerEnd:
        others = [other for other in product.inputs if other != number]
        squeeze = self._squeeze(others[0]) if len(others) == 1 else None
        if squeeze is None or found.squeeze is not None:
            return found._replace(fault="a product that is not squeeze-and-excitation")
        return found._replace(squeeze=squeeze)

    def _squeeze(self, number: int) -> Squeeze | None:
        """Squeeze-and-excitation from its scale: gate, convolution, activation, convolution, global pooling."""
        row = [node for node in self._line(number) if node.kind != "same" or node.label in ACTIVATIONS]
        kinds = [node.kind for node in row if node.kind != "norm"]
        if [*kinds[1:2], *kinds[3:4]] not in (["conv", "conv"], ["linear", "linear"], ["conv", "linear"]):
            return None
        if (kinds[:1], kinds[2:3], kinds[4:]) != (["gate"], ["same"], ["global"]):
            return None
        gate, second, between, first, _ = (node for node in row if node.kind != "norm")
        if second.bias != first.bias:
            return None
        return Squeeze(first.width, first.bias, "norm" in {node.kind for node in row}, between.label, gate.label)

    def _line(self, number: int) -> list[Node]:
        """The nodes from one back to a global pooling, or to where it has not one input."""
        row = [self._nodes[number]]
        while row[-1].kind != "global" and len(row[-1].inputs) == 1:
            row.append(self._nodes[row[-1].inputs[0]])
        return row

    def shortcuts(self, join: Join, places: dict[int, int]) -> list[Shortcut]:
        """What an addition adds to the chain."""
        last = last_conv(join.chosen, self._nodes)
        if last not in places:
            return []
        on_chain = {id(step) for step in steps(join.chosen)}
        found = []
        for other in join.others:
            beside = [step for step in steps(other) if id(step) not in on_chain]
            fork = next((step for step in steps(other) if id(step) in on_chain), None)
            before = last_conv(fork, self._nodes)
            first = 0 if before not in places else places[before] + 1
            found.append(Shortcut(first, places[last], self._kind(beside), self.activation(join.node)))
        return found

    def _kind(self, beside: Sequence[Step]) -> ShortcutKind:
        """What a branch does; its steps come from the end."""
        nodes = [self._nodes[step.node] for step in reversed(beside)]
        if not nodes:
            return "identity"
        last = nodes[-1].layer
        if last is None or last.kernel != (1, 1) or last.groups > 1 or nodes[-1].bias:
            return "other"
        if len(nodes) == 1:
            return "projection"
        window = nodes[0].window
        is_average = window is not None and window.kind == "avg" and window.kernel == window.stride == (2, 2)
        return "pooled" if len(nodes) == 2 and is_average and last.stride == (1, 1) else "other"

    def classifier(self) -> tuple[tuple[tuple[int, str], ...], int | None]:
        """Width and activation of the hidden layers, and the classes; no classes where it is something else."""
        rows: list[tuple[int, str]] = []
        activation = ""
        line = self._line(self._output)
        for node in line:
            if node.kind in ("conv", "linear"):
                rows.append((node.width, activation))
                activation = ""
            elif node.kind == "same" and node.label in ACTIVATIONS:
                activation = node.label
            elif node.kind == "norm":
                return (), None
        if not rows or line[-1].kind != "global" or rows[0][1]:
            return (), None
        return tuple(rows[:0:-1]), rows[0][0]
