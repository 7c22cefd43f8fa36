"""What follows the last map of a network: a pooling, the vector that is read of it, and linear layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .layers import Side, shrink
from .ops.details import Pooling


class Classifier(NamedTuple):
    """The end of a network; the defaults are those of the ZenNets.

    num_classes: outputs of the last linear layer; 0 for none, the network then ends with what that would read.
    hidden: widths of linear layers before it, each with an activation.
    activation: after hidden layers.
    bias: whether hidden layers have a bias; the last layer has one always.
    pool: a pooling after the last map.
    parts: the first layer reads the means of parts x parts pieces of the map; 1 for the mean of all.
    """

    num_classes: int
    hidden: tuple[int, ...] = ()
    activation: str = "relu"
    bias: bool = True
    pool: Pooling | None = None
    parts: int = 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths out of the linear layers, none without classes."""
        return (*self.hidden, self.num_classes) if self.num_classes else ()

    @property
    def is_plain(self) -> bool:
        """Whether it is the mean of all positions and one linear layer."""
        return bool(self.num_classes) and self == Classifier(self.num_classes)

    @property
    def steps(self) -> tuple[str, ...]:
        """What it does, in words."""
        name = {"max": "maximum", "avg": "average"}
        pool = () if self.pool is None else (f"{name[self.pool.kind]} pooling {self.pool.kernel}x{self.pool.kernel}",)
        means = "average pooling" + (f" to {self.parts} x {self.parts}" if self.parts > 1 else "")
        last = (f"linear, {self.num_classes} classes",) if self.num_classes else ()
        return (*pool, means, *(f"linear, {width} wide" for width in self.hidden), *last)

    @property
    def key(self) -> str:
        """What the id of a network says of it beside the classes; empty where it is plain."""
        text = f"|{self.hidden}|{self.activation}" if self.hidden else ""
        text += "|no bias" if self.hidden and not self.bias else ""
        text += "" if self.pool is None else f"|pool {','.join(map(str, self.pool))}"
        return text + (f"|{self.parts} parts" if self.parts > 1 else "")

    def features(self, width: int) -> int:
        """Length of the vector that is read of a map of so many channels."""
        return width * self.parts**2

    def layers(self, width: int) -> Iterator[tuple[int, int, bool]]:
        """(width in, width out, whether it has a bias) of the linear layers, after a map of so many channels."""
        before = self.features(width)
        for index, out in enumerate(self.widths):
            yield before, out, self.bias or index == len(self.hidden)
            before = out

    def pooled(self, side: Side) -> Side:
        """Side of the last map after the pooling, if any."""
        return side if self.pool is None else shrink(side, self.pool.stride)
