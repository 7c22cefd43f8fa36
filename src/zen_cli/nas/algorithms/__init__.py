"""How a search proposes networks: one algorithm a module, all with one protocol, and the table of them.

To add an algorithm, add a module that defines `ALGORITHM`, and its line in `ALGORITHMS`. One that goes on step by step
(propose, tell, state, restore, population; see `proposer`) is driven by `nas.drive`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from ...errors import UsageError, nearest

if TYPE_CHECKING:
    from ..outcome import Callbacks, Outcome
    from ..rundir import RunDirectory
    from ..settings import SearchSettings

ALGORITHMS = {
    "auto": f"{__name__}.auto",
    "evolution": f"{__name__}.evolution",
    "exact": f"{__name__}.exact.algorithm",
}


class Algorithm(Protocol):
    """A way to search.

    Attributes:
        summary: one line for listings.
        unit: what it counts as evaluations.
        uses: the fields of the settings that it uses beside those of the problem, the budget and the answer.
    """

    @property
    def summary(self) -> str:
        """One line for listings."""

    @property
    def unit(self) -> str:
        """What `Outcome.evaluations` counts."""

    @property
    def uses(self) -> frozenset[str]:
        """Fields of the settings that only some algorithms use, and this one does."""

    def supports(self, settings: SearchSettings) -> str:
        """Why it cannot solve a problem, as `field: fault; fix`; empty if it can."""

    def search(self, settings: SearchSettings, run: RunDirectory | None, callbacks: Callbacks) -> Outcome:
        """Searches.

        Args:
            settings: a problem that it supports.
            run: where checkpoints and history go, if anywhere; goes on from its checkpoint if it has one.
            callbacks: what it calls on the way.

        Raises:
            SpecError: no network of the space keeps the limits.
            UsageError: an unknown metric or device.
            SourceError: the run directory has no usable checkpoint.
            RunError: nothing can be scored.
        """


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of a name.

    Raises:
        UsageError: there is none; the message gives the nearest.
    """
    if name not in ALGORITHMS:
        raise UsageError(f"algorithm: unknown {name!r}; {nearest(name, ALGORITHMS)}")
    algorithm: Algorithm = import_module(ALGORITHMS[name]).ALGORITHM
    return algorithm
