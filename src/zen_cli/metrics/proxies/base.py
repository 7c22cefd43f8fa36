"""What a proxy is: a name, the direction in which it is better, and how to compute it. No torch.

A proxy says something about a network that was never trained. One with a closed form is a function of the additive
terms of a network and drives a search at full speed; any other is measured on random networks, draw by draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from ...errors import RunError, ScoreError
from ...net.spec import ArchSpec
from ..records import ProxyRow
from ..settings import ScoreSettings
from ..terms import NetworkTerms, spec_terms

Direction: TypeAlias = Literal["higher", "lower"]
Setting: TypeAlias = str | int | float | bool | None
ClosedForm: TypeAlias = Callable[[NetworkTerms, ScoreSettings], float]


class Measurement(NamedTuple):
    """One network's value, its standard error (None where nothing or one network was drawn), and what defines it."""

    value: float
    std_error: float | None = None
    settings: Mapping[str, Setting] = {}  # a default that nobody writes to


class ProxyResult(NamedTuple):
    """The value of one proxy on one network."""

    spec: ArchSpec
    proxy: Proxy
    measurement: Measurement

    @property
    def row(self) -> ProxyRow:
        """What a record holds of it."""
        value, std_error, settings = self.measurement
        return ProxyRow.model_validate(
            {"value": value, "std_error": std_error, "direction": self.proxy.direction, **settings}
        )


Evaluate: TypeAlias = Callable[[ArchSpec, ScoreSettings], Measurement]


@dataclass(frozen=True)
class Proxy:
    """A zero-shot score.

    Attributes:
        name: what `--proxies` and `--proxy` call it.
        direction: whether `higher` or `lower` is better.
        summary: one line for a listing.
        source: where the definition stands.
        closed_form: its value from a network's terms, made in the settings' convention; None if it has no closed form.
        measure: its value on a network, for one without a closed form. The same spec and settings give the same value.
        settings: which settings define a closed form, by name.
    """

    name: str
    direction: Direction
    summary: str
    source: str
    closed_form: ClosedForm | None = None
    measure: Evaluate | None = None
    settings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if (self.closed_form is None) == (self.measure is None):
            raise TypeError(f"proxy {self.name}: give either closed_form or measure, and not both")
        if self.direction not in ("higher", "lower"):
            raise TypeError(f"proxy {self.name}: direction is {self.direction!r}; use 'higher' or 'lower'")

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is: a search maximises sign x value."""
        return 1 if self.direction == "higher" else -1

    def evaluate(self, spec: ArchSpec, settings: ScoreSettings) -> ProxyResult:
        """The proxy on one network.

        Args:
            spec: the network.
            settings: `batch_size`, `draws`, `seed` and `device` of what is measured; `convention`, `norm`, `alpha` of
                the Zen-score.

        Raises:
            UsageError: the device does not exist.
            RunError: the network does not fit into memory, or the value is not finite.
        """
        if self.closed_form is not None:
            value = self.closed_form(spec_terms(spec, settings.convention), settings)
            result = Measurement(value, None, {name: getattr(settings, name) for name in self.settings})
        else:
            assert self.measure is not None  # checked when it was made
            result = self.measure(spec, settings)
        for number in (result.value, result.std_error or 0.0):
            if not math.isfinite(number):
                raise ScoreError(f"{spec.name or spec.id}: {self.name} is {number}")
        return ProxyResult(spec, self, result)

    def evaluate_all(self, specs: Iterable[ArchSpec], settings: ScoreSettings) -> Iterator[ProxyResult | RunError]:
        """The proxy on many networks, in order; an error takes the place of a result that could not be made.

        Raises:
            UsageError: the device does not exist.
        """
        for spec in specs:
            try:
                yield self.evaluate(spec, settings)
            except RunError as error:
                yield error


def average(values: Sequence[float], settings: Mapping[str, Any]) -> Measurement:
    """The mean of independent draws with its standard error."""
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Measurement(mean, None, settings)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return Measurement(mean, math.sqrt(variance / len(values)), settings)
