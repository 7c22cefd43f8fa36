"""Published networks as specs, by name: `find("mobilenet_v2").spec`.

Each has exactly the parameters and MACs of the network that its name means in torchvision or timm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain

from ..errors import SourceError, closest, shorten
from .base import Accuracy, Published
from .efficient import edge_efficientnets, efficientnets, efficientnets_v2, tinynets
from .fbnets import fbnets
from .genets import genets
from .mobile import edge_mobilenets, lcnets, mobilenets
from .regnets import regnets, regnetzs
from .repvggs import repvggs
from .resnets import resnets
from .searched import hardcore, searched
from .vggs import vggs

__all__ = ["Accuracy", "Published", "find", "names", "networks"]

FAMILIES: tuple[Callable[[], Iterator[Published]], ...] = (
    resnets,
    regnets,
    regnetzs,
    genets,
    mobilenets,
    edge_mobilenets,
    searched,
    hardcore,
    efficientnets,
    edge_efficientnets,
    efficientnets_v2,
    tinynets,
    lcnets,
    vggs,
    repvggs,
    fbnets,
)


@cache
def networks() -> tuple[Published, ...]:
    """All published networks, family by family."""
    return tuple(chain.from_iterable(family() for family in FAMILIES))


@cache
def _table() -> dict[str, Published]:
    return {name: network for network in networks() for name in (network.name, *network.aliases)}


def names() -> tuple[str, ...]:
    """All names, other names of one network included."""
    return tuple(_table())


def find(name: str) -> Published:
    """The network of a name.

    Raises:
        SourceError: there is none.
    """
    if name not in _table():
        near = closest(name.lower().replace("-", "_"), names())
        hint = f'did you mean "{near}"?' if near else "zen score --list-networks lists them"
        raise SourceError(f"{shorten(name)}: no published network has this name; {hint}")
    return _table()[name]
