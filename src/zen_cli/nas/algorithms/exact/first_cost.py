"""The first cost of a problem, which has a price: parameters, weights with each BN folded, or milliseconds on a target.

Costs are sums over blocks. What a target adds for a network as a whole, such as weights that no cache keeps, is no such
sum: a bound leaves it out, and the local search counts it.

Layers are given for cells of widths: with the narrowest widths and with the widest ones, which may be arrays. A cost is
then the least of all between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....net.classifier import Classifier
from ....net.layers import ConvLayer
from ....net.ops import Gene
from ....net.spec import ArchSpec
from ....target.graph import Operation, convolution, kinds_between
from ....target.latency import block_part, head_part, operation_ms, predict_ms, start_ms
from ....target.memory import block_footprint
from ....target.model import Target


class FirstCost:
    """Parameters of the training form."""

    def conv(self, narrow: ConvLayer, wide: ConvLayer, params: Any, *, reads_image: bool = False) -> Any:
        """The cost of a convolution and its BN, which have so many parameters."""
        return params

    def addition(self, width: Any, side: int) -> Any:
        """The cost of adding a shortcut on a map of this width and side."""
        return 0.0

    def head(self, width: Any, side: int, params: Any) -> Any:
        """The cost of the classifier on a map of this width and side, which has so many parameters."""
        return params

    def block(self, gene: Gene, in_width: int, side: int, params: int, *, first: bool) -> float:
        """The cost of a block that has so many parameters; `first` where it reads the image."""
        return params

    def beside(self, genome: Sequence[Gene], seed: ArchSpec, total: float) -> float:
        """What a network costs beside the sum over its blocks and classifier, which is `total`."""
        return 0.0


PARAMS = FirstCost()


class Weights(FirstCost):
    """Weights with each BN folded, which leaves one bias a channel of its two parameters."""

    def conv(self, narrow: ConvLayer, wide: ConvLayer, params: Any, *, reads_image: bool = False) -> Any:
        return params - np.asarray(narrow.out_width)

    def block(self, gene: Gene, in_width: int, side: int, params: int, *, first: bool) -> float:
        return block_footprint(gene, in_width, side, first).weights


@dataclass(frozen=True, eq=False)
class Milliseconds(FirstCost):
    """Predicted milliseconds of one batch on a target.

    Laws have rates that are not negative and terms that grow with widths, so that of all layers of a kind the narrowest
    takes least; where a cell holds several kinds, the fastest law counts.
    """

    target: Target
    classifier: Classifier
    _known: dict[object, float] = field(default_factory=dict, repr=False)

    def conv(self, narrow: ConvLayer, wide: ConvLayer, params: Any, *, reads_image: bool = False) -> Any:
        fields = (narrow.in_width, narrow.out_width, narrow.groups, wide.in_width, wide.groups)
        high, across = (int(np.ravel(each)[0]) for each in narrow.in_size)  # alike for all kernels
        cost = partial(self._conv, (high, across), narrow.stride, reads_image)
        return _each(cost, *fields, *narrow.kernel, *narrow.padding)

    def _conv(self, size: tuple[int, int], stride: tuple[int, int], reads_image: bool, *row: int) -> float:
        key = (size, stride, reads_image, row)
        known = self._known.get(key)
        if known is None:
            in_width, width, groups, widest, most_groups, high, across, above, left = row
            narrow = ConvLayer(in_width, width, (high, across), size, stride, (above, left), groups=groups)
            wide = narrow._replace(in_width=widest, groups=most_groups)
            kinds = ("image",) if reads_image else kinds_between(narrow, wide)
            known = min(operation_ms(self.target, convolution("", narrow, kind=kind)) for kind in kinds)
            self._known[key] = known
        return known

    def addition(self, width: Any, side: int) -> Any:
        def add(channels: int) -> float:
            return operation_ms(self.target, Operation("add", "add", 2 * channels * side**2, 0))

        return _each(add, width)

    def head(self, width: Any, side: int, params: Any) -> Any:
        return _each(lambda channels: head_part(self.target, channels, side, self.classifier).ms, width)

    def block(self, gene: Gene, in_width: int, side: int, params: int, *, first: bool) -> float:
        return block_part(self.target, gene, in_width, side, first=first).ms

    def beside(self, genome: Sequence[Gene], seed: ArchSpec, total: float) -> float:
        whole = predict_ms(self.target, genome, seed.in_channels, seed.side, self.classifier)
        return whole - start_ms(self.target) - total


def _each(function: Callable[..., float], *values: Any) -> NDArray[np.float64]:
    """A function of whole numbers, for each element of arrays that are broadcast against each other."""
    rows = np.broadcast_arrays(*values)
    found = [function(*map(int, row)) for row in zip(*(each.ravel().tolist() for each in rows), strict=True)]
    return np.array(found).reshape(rows[0].shape)
