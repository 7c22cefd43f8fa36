"""Published networks of about a given cost, on given images: what a found network is compared with."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ..errors import SpecError
from ..net.spec import ArchSpec, parse_spec
from . import networks
from .base import Published

SPREAD = 1.6  # the most by which the MACs of such a network differ, as a factor
LEAST_SIDE = 2  # of the last map, in pixels: below it a network is not used on such images


class Near(NamedTuple):
    """A published network, and its spec on the images and classes that were asked for."""

    published: Published
    spec: ArchSpec

    @property
    def word(self) -> str:
        """What a command line calls it."""
        own, word = self.published.spec, self.published.name
        if own.resolution != self.spec.resolution:
            word += f" --resolution {self.spec.resolution}"
        return word if own.num_classes == self.spec.num_classes else f"{word} --num-classes {self.spec.num_classes}"

    @property
    def top1(self) -> float | None:
        """The accuracy on ImageNet that is published for just this network, in percent."""
        same = self.spec.id == self.published.spec.id
        return self.published.accuracy.top1 if same and self.published.accuracy else None


def near(like: Sequence[ArchSpec], count: int, *, known: Collection[str] = ()) -> list[Near]:
    """Published networks with about the MACs of others, each of another paper.

    Those with an accuracy that is published for just such images come first, and then those with the nearest cost.

    Args:
        like: networks on the same images and classes; the first one's are taken. None gives none.
        count: the most networks for each of `like`.
        known: ids of networks to leave out.
    """
    found, papers = list[Near](), set[str]()
    rows = list(_placed(like[0])) if like else []
    for network in like:
        alike = [row for row in rows if row.spec.id not in known and _distance(row.spec, network) <= math.log(SPREAD)]
        alike.sort(key=lambda row: (row.top1 is None, _distance(row.spec, network)))
        taken = 0
        for row in alike:
            if taken < count and row.published.paper not in papers:
                papers.add(row.published.paper)
                found.append(row)
                taken += 1
    return found


def _placed(like: ArchSpec) -> Iterator[Near]:
    """The published networks on the images and classes of another network, where their maps do not vanish."""
    place = {"resolution": like.resolution, "in_channels": like.in_channels, "num_classes": like.num_classes}
    for published in networks():
        try:
            spec = parse_spec({"name": published.name, **published.document, **place}, published.name)
        except SpecError:  # such images are too small for it
            continue
        if min(spec.chain[-1].out_size) >= LEAST_SIDE:
            yield Near(published, spec)


def _distance(one: ArchSpec, other: ArchSpec) -> float:
    return abs(math.log(max(1, one.cost.macs) / max(1, other.cost.macs)))
