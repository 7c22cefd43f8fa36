"""The chain of a graph: the layers on its path, and whether they stand for the network.

Residual additions, gates and the classifier are dropped, every convolution is followed by BN and ReLU, as in the
vanilla form of Zen-NAS (arXiv 2102.01063, section 3). A network of which that leaves too little is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..errors import TraceError
from ..net.layers import Chain, ConvLayer, Pair, Pool
from ..net.traced import Outline
from .graph import Graph, Margin, Node
from .paths import Paths, Step, find_paths, last_conv, steps
from .units import outline_of

LEAST_SHARE, LEAST_SHARE_OF_BRANCHES = 0.75, 0.5
# Joins after which a network has more than one chain.
BRANCHES = {"concat": "joins branches by concatenation", "resized": "adds branches of several resolutions"}
NO_MARGIN: Margin = (0, 0, 0, 0)


class Traced(NamedTuple):
    """The chain of a graph, the modules of its layers, what it leaves out in words, and what a spec needs of that."""

    chain: Chain
    labels: tuple[str, ...]
    notes: tuple[str, ...]
    outline: Outline


def chain_of_graph(graph: Graph, *, folded: bool = False) -> Traced:
    """The chain of a graph.

    Args:
        graph: of one forward pass.
        folded: whether normalisations may be part of the convolutions, as in an exported file; then none is missed.

    Raises:
        TraceError: a chain does not stand for the network; the message says why.
    """
    paths = find_paths(graph)
    if paths.output.fault:
        raise TraceError(paths.output.fault)
    path = [*steps(paths.output.path)][::-1]
    on_path = _without_classifier(path, graph, paths, folded=folded)
    convs = [step.node for step in on_path if graph.nodes[step.node].layer is not None]
    held = frozenset(convs)
    if len(convs) < 2:
        raise TraceError(f"a chain needs two convolutions on the way to the output, and it has {len(convs)}")
    joins = {join.kind for join in paths.joins if _is_on(join.chosen, held, graph)}
    branches = [words for kind, words in BRANCHES.items() if kind in joins]
    share = _share(graph, paths, held)
    least = LEAST_SHARE_OF_BRANCHES if branches else LEAST_SHARE
    if share < least:
        raise TraceError(f"its longest chain has {share:.0%} of the MACs, and a score needs {least:.0%}")
    notes = []
    if on_path is not path:
        notes.append("its last convolution is taken for the classifier and left out")
    if branches:
        notes.append(f"it {' and '.join(branches)}: the longest one is scored, with {share:.0%} of the MACs")
    if mixed := sum(len(graph.nodes[number].inputs) > 1 for number in convs):
        count = f"{mixed} of {len(convs)} convolutions"
        notes.append(f"the image mixes the kernels of {count}: the score gives each a random one")
    bare = [number for number in convs if number not in paths.normed]
    if bare and not folded:
        count = f"{len(bare)} of {len(convs)} convolutions"
        notes.append(f"no normalisation follows {count}: the score puts a BN after each")
    labels = tuple(graph.nodes[number].label for number in convs)
    return Traced(tuple(_layers(on_path, graph)), labels, tuple(notes), outline_of(graph, held, folded=folded))


def _without_classifier(on_path: Sequence[Step], graph: Graph, paths: Paths, *, folded: bool) -> Sequence[Step]:
    """The path without a classifier that is a 1x1 convolution: on the map, without norm, one channel a class, biased.

    A file may lack a bias of zeros.
    """
    number = next((step.node for step in reversed(on_path) if graph.nodes[step.node].layer is not None), None)
    if number is None or paths.output.has_layers or number in paths.normed:
        return on_path
    node, output = graph.nodes[number], graph.nodes[graph.output]
    if node.layer is None or node.layer.kernel != (1, 1) or not (node.bias or folded) or node.width != output.numel:
        return on_path
    return [step for step in on_path if step.node < number]


def _is_on(path: Step | None, convs: frozenset[int], graph: Graph) -> bool:
    return last_conv(path, graph.nodes) in convs


def _share(graph: Graph, paths: Paths, convs: frozenset[int]) -> float:
    """Share of the MACs of the convolutions on the path and of those beside them.

    Beside them are branches that are as deep and start at the same place, as the 1x1 convolution of a RepVGG block: the
    score sees one of them, and nothing of the depth is lost.
    """
    held = set(convs)
    for join in paths.joins:
        if join.chosen is None or not _is_on(join.chosen, convs, graph):
            continue
        for other in join.others:
            if other.depth == join.chosen.depth:
                held.update(_until_shared(other, held, graph))
    return sum(graph.nodes[number].macs for number in held) / max(1, graph.macs)


def _until_shared(path: Step, held: set[int], graph: Graph) -> Iterable[int]:
    for step in steps(path):
        if step.node in held and graph.nodes[step.node].layer is not None:
            return
        if graph.nodes[step.node].layer is not None:
            yield step.node


def _layers(on_path: Sequence[Step], graph: Graph) -> Iterable[ConvLayer]:
    """The layers with the poolings and paddings before them."""
    pool: Pool | None = None
    margin = NO_MARGIN
    for step in on_path:
        node = graph.nodes[step.node]
        if node.kind == "pad":
            margin = _added(margin, node.margin)
        elif node.window is not None:
            kind, kernel, stride, padding = node.window
            margin = _added(margin, _overhang(node, graph))
            pool = _after(pool, Pool(kind, kernel, stride, _padding(padding, margin)))
            margin = NO_MARGIN
        elif node.layer is not None:
            yield _with_margin(node, margin)._replace(pool=pool)
            pool, margin = None, NO_MARGIN


def _overhang(node: Node, graph: Graph) -> Margin:
    """What the last windows of a pooling read beyond its map, as with `ceil_mode`."""
    if node.window is None or not node.inputs:
        return NO_MARGIN
    (_, kernel, stride, padding), size = node.window, graph.nodes[node.inputs[0]].size
    beyond = [
        max(0, (node.size[axis] - 1) * stride[axis] + kernel[axis] - size[axis] - 2 * padding[axis]) for axis in (0, 1)
    ]
    return (0, beyond[0], 0, beyond[1])


def _after(first: Pool | None, second: Pool) -> Pool:
    """Two poolings that follow each other as one, which reads the same positions; of the kind of the larger."""
    if first is None:
        return second
    kernel = tuple(first.kernel[axis] + (second.kernel[axis] - 1) * first.stride[axis] for axis in (0, 1))
    stride = tuple(first.stride[axis] * second.stride[axis] for axis in (0, 1))
    padding = tuple(first.padding[axis] + second.padding[axis] * first.stride[axis] for axis in (0, 1))
    kind = max(first, second, key=lambda pool: pool.kernel).kind
    return Pool(kind, (kernel[0], kernel[1]), (stride[0], stride[1]), (padding[0], padding[1]))


def _with_margin(node: Node, margin: Margin) -> ConvLayer:
    """A convolution whose own padding takes up the zeros before it: evenly, as far as its output has the same size."""
    layer = node.layer
    assert layer is not None
    if margin == NO_MARGIN:
        return layer
    size = (layer.in_size[0] - margin[0] - margin[1], layer.in_size[1] - margin[2] - margin[3])
    return layer._replace(in_size=size, padding=_padding(layer.padding, margin))


def _padding(own: Pair, margin: Margin) -> Pair:
    top, bottom, left, right = margin
    return own[0] + (max(0, top + bottom) + 1) // 2, own[1] + (max(0, left + right) + 1) // 2


def _added(first: Margin, second: Margin) -> Margin:
    return (first[0] + second[0], first[1] + second[1], first[2] + second[2], first[3] + second[3])
