"""What a network may cost: limits on additive terms and on the depth-to-width ratio."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, NamedTuple, TypeAlias

from pydantic import Field

from ..metrics.proxies.depth_width_ratio import depth_width_ratio
from ..metrics.terms import Terms
from ..units import LARGEST

Count: TypeAlias = Annotated[int, Field(ge=1, le=LARGEST)]


class Limits(NamedTuple):
    """Upper limits, each None where there is none.

    `depth_width_ratio` is the effectiveness of DeepMAD (arXiv 2303.02165): layers over the geometric mean of the
    layers' widths, the width of a layer being the weights that one of its output elements reads.
    """

    params: Count | None = None
    macs: Count | None = None
    layers: Count | None = None
    sublayers: Count | None = None
    depth_width_ratio: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @staticmethod
    def options() -> dict[str, str]:
        """The command's option for each limit."""
        return {name: "--max-" + name.replace("_", "-") for name in Limits._fields}

    @property
    def bounds_depth(self) -> bool:
        """Whether something keeps the depth from growing without end."""
        return self.layers is not None or self.sublayers is not None or self.depth_width_ratio is not None

    @property
    def sums(self) -> tuple[tuple[int, float], ...]:
        """(index in `Terms`, limit) of the limits on sums over blocks."""
        return _sums(self)

    def usage(self, total: Terms) -> list[tuple[str, float, float]]:
        """(name, value, limit) of each limit that there is."""
        values = (total.params, total.macs, total.layers, total.sublayers, depth_width_ratio(total))
        rows = zip(self._fields, values, self, strict=True)
        return [(name, value, limit) for name, value, limit in rows if limit is not None]

    def admits(self, total: Terms) -> bool:
        """Whether a network with these terms, classifier included, keeps every limit."""
        return (
            (self.params is None or total.params <= self.params)
            and (self.macs is None or total.macs <= self.macs)
            and (self.layers is None or total.layers <= self.layers)
            and (self.sublayers is None or total.sublayers <= self.sublayers)
            and (self.depth_width_ratio is None or depth_width_ratio(total) <= self.depth_width_ratio)
        )


@lru_cache(maxsize=16)
def _sums(limits: Limits) -> tuple[tuple[int, float], ...]:
    rows = zip(limits._fields, limits, strict=True)
    return tuple((Terms._fields.index(name), limit) for name, limit in rows if limit and name in Terms._fields)
