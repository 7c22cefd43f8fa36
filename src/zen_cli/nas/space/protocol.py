"""What a space is to a search: networks as genomes, and moves from one to another."""

from __future__ import annotations

from collections.abc import Hashable
from random import Random
from typing import Any, ClassVar, Protocol

from ...net.ops import Gene
from ...net.spec import ArchSpec
from .rules import Rules


class Space(Protocol):
    """A set of networks, its members, each written as a genome: a hashable value that only the space understands.

    A space is checked when it is read: it has a member, every move leads from member to member, and what a move takes
    is bounded. Its document is JSON (`zen-space/1`).

    Attributes:
        bounds_depth: whether the space itself keeps networks from growing deeper without end.
    """

    bounds_depth: ClassVar[bool]

    @property
    def name(self) -> str:
        """What people call it; the beginning of its members' names."""

    @property
    def rules(self) -> Rules | None:
        """Design rules that every member keeps, if any."""

    def to_dict(self) -> dict[str, Any]:
        """Its document as JSON types, from which the space is read again."""

    def made_for(self) -> ArchSpec | None:
        """A network whose resolution and classes are those of the space, if it is made for one input only."""

    def seed(self, resolution: int) -> ArchSpec:
        """The network that says what surrounds the genome of a member, for images of this side.

        Raises:
            SpecError: the members halve their maps too often for this side.
        """

    def start(self, seed: ArchSpec) -> Any:
        """The genome that a search from this seed network begins with."""

    def smallest(self, seed: ArchSpec) -> tuple[Any, ...]:
        """Members that cost little, from which a search begins where the start breaks its limits."""

    def genes(self, genome: Any, seed: ArchSpec) -> tuple[Gene, ...]:
        """All blocks of a member."""

    def identity(self, genome: Any) -> Hashable:
        """Equal for members that are the same network; see `ArchSpec.id`."""

    def decode(self, rows: list[Any]) -> Any:
        """A genome from the JSON array that it is written as."""

    def neighbour(self, genome: Any, rng: Random) -> Any:
        """A member nearby: one or more changes."""

    def mutate(self, genome: Any, rng: Random) -> Any:
        """A member that differs in one change, or the same where the change leads out of the space."""

    def excludes(self, genome: Any, seed: ArchSpec) -> str:
        """Why a genome is not a member, as `place: fault`; empty if it is one."""
