"""The one path through a graph that a score sees, from the image to the output.

    addition     the deepest branch; of equally deep ones that with the larger kernels
    product      the map, not what scales it: a vector from a global pool, a smaller map, a gate
    concatenation  the deepest branch, and the network is not one chain: the caller is told
    enlarged maps  the same where they are added to others, as in networks of several resolutions

What is deeper counts in convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .graph import Graph, Node

_RESIZING = {"interpolate", "upsample", "upsample_nearest", "upsample_bilinear", "Resize", "Upsample"}


class Step(NamedTuple):
    """A path, from its end: a convolution, pooling or padding, and the path before it.

    depth: convolutions so far; taps: the sum of their kernels' areas; macs: of all of them.
    """

    node: int
    before: Step | None
    depth: int
    taps: int
    macs: int


class State(NamedTuple):
    """What a value is: the path that leads to it, and whether it is a map.

    is_resized: whether a map was enlarged after its last convolution.
    has_layers: whether a convolution or linear layer followed the global pool, as in a classifier.
    fault: what on its path a chain cannot express.
    """

    path: Step | None
    is_vector: bool = False
    is_gate: bool = False
    is_resized: bool = False
    has_layers: bool = False
    fault: str = ""


class Join(NamedTuple):
    """Where branches meet: the kind of node, the path that goes on, and the others.

    An addition of a map that was enlarged for it is of the kind `resized`.
    """

    kind: str
    chosen: Step | None
    others: tuple[Step, ...]


class Paths(NamedTuple):
    """The state of the output, all joins, and the convolutions that a normalisation follows."""

    output: State
    joins: tuple[Join, ...]
    normed: frozenset[int]


def find_paths(graph: Graph) -> Paths:
    """Follows a graph from the image to its output."""
    follower = _Follower(graph.nodes)
    for node in graph.nodes:
        follower.follow(node)
    return Paths(follower.states[graph.output], tuple(follower.joins), frozenset(follower.normed))


class _Follower:
    """The states of the nodes so far."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self.states: list[State] = []
        self.joins: list[Join] = []
        self.normed: set[int] = set()

    def follow(self, node: Node) -> None:
        """Adds the state of the next node."""
        before = [self.states[number] for number in node.inputs]
        if node.kind == "image":
            state = State(None)
        elif node.kind in ("sum", "concat"):
            state = self._join(node, before)
        elif node.kind == "product":
            state = self._product(node, before)
        else:
            state = self._one(node, self._deepest(node, before))
        self.states.append(state)

    def _one(self, node: Node, state: State) -> State:
        """The state after a node that has one input that counts."""
        if node.kind in ("conv", "linear") and (state.is_vector or node.kind == "linear"):
            return state._replace(is_vector=True, is_gate=False, has_layers=True)
        if node.kind in ("conv", "pool", "pad"):
            return state._replace(path=self._step(node, state.path), is_gate=False, is_resized=False)
        if node.kind == "global":
            return state._replace(is_vector=True, is_gate=False)
        if node.kind == "gate":
            return state._replace(is_gate=True)
        if node.call in _RESIZING:
            return state._replace(is_resized=True)
        if node.kind == "fault":
            return state._replace(fault=state.fault or node.label)
        if node.kind == "norm" and (last := last_conv(state.path, self._nodes)) is not None:
            self.normed.add(last)
        return state

    def _step(self, node: Node, before: Step | None) -> Step:
        depth, taps, macs = (before.depth, before.taps, before.macs) if before is not None else (0, 0, 0)
        if node.layer is not None:
            depth, taps, macs = depth + 1, taps + math.prod(node.layer.kernel), macs + node.macs
        return Step(len(self.states), before, depth, taps, macs)

    def _join(self, node: Node, before: Sequence[State]) -> State:
        chosen = self._deepest(node, before)
        others = [state.path for state in before if state.path is not None and state.path is not chosen.path]
        if others:
            is_resized = node.kind == "sum" and any(state.is_resized for state in before)
            kind = "resized" if is_resized else node.kind
            self.joins.append(Join(kind, chosen.path, tuple({id(path): path for path in others}.values())))
        return chosen._replace(is_resized=False)

    def _deepest(self, node: Node, before: Sequence[State]) -> State:
        """The map of the deepest branch; the first of equal ones. A vector only where nothing is a map."""
        maps = [state for state in before if not state.is_vector] or list(before)
        best = max(maps, key=_rank)
        return best._replace(is_gate=all(state.is_gate for state in before))

    def _product(self, node: Node, before: Sequence[State]) -> State:
        """What is scaled: drops what comes from a global pool, then smaller maps, then gates."""
        pairs = list(zip(node.inputs, before, strict=True))
        for is_scale in (self._is_vector, self._is_small, self._is_gate):
            left = [(number, state) for number, state in pairs if not is_scale(number, state, node)]
            pairs = left or pairs
        states = [state for _, state in pairs]
        ends = {last_conv(state.path, self._nodes) for state in states}
        best = max(states, key=_rank)
        if len(ends) > 1 and not best.is_vector:
            best = best._replace(fault=best.fault or "it multiplies feature maps with each other")
        return best

    def _is_vector(self, number: int, state: State, product: Node) -> bool:
        return state.is_vector

    def _is_small(self, number: int, state: State, product: Node) -> bool:
        return self._nodes[number].numel < product.numel

    def _is_gate(self, number: int, state: State, product: Node) -> bool:
        return state.is_gate


def _rank(state: State) -> tuple[int, int, int]:
    return (0, 0, 0) if state.path is None else (state.path.depth, state.path.taps, state.path.macs)


def steps(path: Step | None) -> Iterator[Step]:
    """The steps of a path from its end to the image."""
    while path is not None:
        yield path
        path = path.before


def last_conv(path: Step | None, nodes: Sequence[Node]) -> int | None:
    """The number of the last convolution of a path."""
    return next((step.node for step in steps(path) if nodes[step.node].layer is not None), None)
