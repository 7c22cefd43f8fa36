"""The first cost of a problem, which has a price: parameters, weights with each BN folded, or milliseconds on a target.

Costs are sums over blocks. What a target adds for a network as a whole, such as weights that no cache keeps, is no such
sum: a bound leaves it out, and the local search counts it.

Layers are given for cells of widths: with the narrowest widths and with the widest ones, which may be arrays. A cost is
then the least of all between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....net.classifier import Classifier
from ....net.layers import ConvLayer
from ....net.ops import Gene
from ....net.spec import ArchSpec
from ....target.graph import Operation, kinds_between
from ....target.latency import block_part, head_part, layer_ms, operation_ms, predict_ms, start_ms
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


WEIGHTS = Weights()


@dataclass(frozen=True, eq=False)
class Milliseconds(FirstCost):
    """Predicted milliseconds of one batch on a target.

    Laws have rates that are not negative and terms that grow with widths, so that of all layers of a kind the narrowest
    takes least; where a cell holds several kinds, the fastest law counts.
    """

    target: Target
    classifier: Classifier

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Milliseconds) and self.target is other.target and self.classifier == other.classifier

    def __hash__(self) -> int:
        return hash((id(self.target), self.classifier))

    def conv(self, narrow: ConvLayer, wide: ConvLayer, params: Any, *, reads_image: bool = False) -> Any:
        height, width = (int(np.ravel(each)[0]) for each in narrow.in_size)  # alike for all kernels
        rows = []
        for high, across, above, left in np.broadcast(*narrow.kernel, *narrow.padding):
            kernel, padding = (int(high), int(across)), (int(above), int(left))
            less, more = (
                each._replace(kernel=kernel, padding=padding, in_size=(height, width)) for each in (narrow, wide)
            )
            rows.append(self._least(less, more, reads_image))
        return rows[0] if len(rows) == 1 else np.concatenate(rows)

    def _least(self, narrow: ConvLayer, wide: ConvLayer, reads_image: bool) -> Any:
        """The least of all kinds that convolutions of one kernel between these two may have."""
        if reads_image:
            return layer_ms(self.target, "image", narrow)
        kinds = _kinds(narrow, wide)
        return reduce(np.minimum, (np.where(mask, layer_ms(self.target, kind, narrow), np.inf) for kind, mask in kinds))

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


def _kinds(narrow: ConvLayer, wide: ConvLayer) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The kinds of convolutions between these two and where they are; they depend on channels in and groups."""
    rows = np.broadcast_arrays(narrow.in_width, narrow.groups, wide.in_width, wide.groups)
    found: dict[str, list[int]] = {}
    for index, row in enumerate(zip(*(each.ravel().tolist() for each in rows), strict=True)):
        less, fewer, more, most = map(int, row)
        ends = narrow._replace(in_width=less, groups=fewer), wide._replace(in_width=more, groups=most)
        for kind in kinds_between(*ends):
            found.setdefault(kind, []).append(index)
    for kind, where in found.items():
        mask = np.zeros(rows[0].size, dtype=np.bool_)
        mask[where] = True
        yield kind, mask.reshape(rows[0].shape)


def _each(function: Callable[..., float], *values: Any) -> NDArray[np.float64]:
    """A function of whole numbers, for each element of arrays that are broadcast against each other."""
    rows = np.broadcast_arrays(*values)
    found = [function(*map(int, row)) for row in zip(*(each.ravel().tolist() for each in rows), strict=True)]
    return np.array(found).reshape(rows[0].shape)
