"""What a network is to everything that scores, records or shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .counting import Cost
from .layers import Chain
from .spec import ArchSpec

if TYPE_CHECKING:
    from torch import nn


class Network(Protocol):
    """Something with an identity, a chain of layers and a cost: a spec, or what was read from another program's model.

    A metric of the chain or of the cost works on every network. What needs blocks takes `spec`, what needs a forward
    pass takes `module` or builds the spec, and either refuses a network that has neither.
    """

    @property
    def id(self) -> str:
        """16 hex digits that are equal for equal networks; they seed its random draws."""

    @property
    def name(self) -> str | None:
        """What people call it, if anything."""

    @property
    def chain(self) -> Chain:
        """The layers that a score sees, from the image to the last feature map."""

    @property
    def cost(self) -> Cost:
        """Exact parameters, MACs, activations, layers and sub-layers, for one image."""

    @property
    def layer_names(self) -> tuple[str, ...]:
        """What the source calls each layer of the chain; empty for a spec."""

    @property
    def source(self) -> str | None:
        """Where a network came from that is not written as blocks, such as a model's name; None for a spec."""

    @property
    def spec(self) -> ArchSpec | None:
        """The network as blocks, if it can be written so."""

    @property
    def module(self) -> nn.Module | None:
        """The module that it was read from, if any."""


def label(network: Network) -> str:
    """What messages call a network: its name, or else its id."""
    return network.name or network.id


def cost(network: Network) -> Cost:
    """The exact cost of a network for one image.

    Raises:
        SpecError: a number that does not fit into 64 bits, which readers of JSON could not hold.
    """
    return network.cost
