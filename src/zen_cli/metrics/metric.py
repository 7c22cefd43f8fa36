"""What a metric is: a number of a network with a name, a unit, a direction, and ways to compute it. No torch.

Three kinds: *additive*, a sum over blocks; *closed form*, a function of a network's sums; *measured*, which needs a
forward pass or a device. A search evaluates the first two at full speed and can limit any of them; the Zen-score has
both a closed form and a measured form, and the estimator says which one is meant.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from ..errors import RunError, ScoreError, UsageError
from ..net.network import Network, label
from ..trace.blocks import as_blocks
from .records import MetricRow
from .settings import Estimator, ScoreSettings
from .terms import NetworkTerms, chain_terms, spec_terms

if TYPE_CHECKING:
    from .monte_carlo.executors import Executor

Direction: TypeAlias = Literal["higher", "lower"]
Kind: TypeAlias = Literal["additive", "closed form", "measured"]
Setting: TypeAlias = str | int | float | bool | None

DRAWN = ("batch_size", "draws", "seed", "device")


def setting_of(settings: ScoreSettings, name: str) -> Setting:
    """A setting as a record holds it: a target by its name."""
    value = getattr(settings, name)
    return value if isinstance(value, (str, int, float, bool, NoneType)) else str(value)


class Measurement(NamedTuple):
    """One network's value, its standard error (None where nothing or one network was drawn), and what defines it."""

    value: float
    std_error: float | None = None
    settings: Mapping[str, Setting] = {}  # a default that nobody writes to


ClosedForm: TypeAlias = Callable[[NetworkTerms, ScoreSettings], float]
Details: TypeAlias = Callable[[NetworkTerms], Mapping[str, Setting]]
Measure: TypeAlias = Callable[[Network, ScoreSettings], Measurement]
OnDraw: TypeAlias = Callable[[int], None]


class MeasureAll(Protocol):
    """Measures many networks, in order; `on_draw` is called with the number of draws that were finished."""

    def __call__(
        self, networks: Iterable[Network], settings: ScoreSettings, *, on_draw: OnDraw | None = None
    ) -> Iterator[Measurement | RunError]: ...


@dataclass(frozen=True)
class Metric:
    """A number of a network.

    Attributes:
        name: what lists, options and records call it.
        direction: whether `higher` or `lower` is better.
        summary: one line for a listing, without the unit.
        source: where the definition is.
        closed_form: its value from a network's terms, made in the settings' convention; None if it has no closed form.
        measure: its value on a network; None if it has no measured form. The same network and settings give the same
            value.
        settings: the settings that the closed form uses, by name.
        unit: of the value, such as `nats`; empty for a plain number.
        measured_with: the settings that the measured form uses.
        measure_all: the measured form for many networks at once, in order, where that is faster than one by one.
        details: what a record holds beside the closed form's value, flat; None for nothing.
        needs_blocks: whether the closed form looks at blocks or stages, which a traced network does not have.
        distributes: whether `measure_all` takes an `executor`, which computes its draws elsewhere.
        is_additive: whether the closed form is a sum over blocks, the field of `Terms` of the same name.
    """

    name: str
    direction: Direction
    summary: str
    source: str
    closed_form: ClosedForm | None = None
    measure: Measure | None = None
    settings: tuple[str, ...] = ()
    unit: str = ""
    measured_with: tuple[str, ...] = DRAWN
    measure_all: MeasureAll | None = None
    is_additive: bool = False
    needs_blocks: bool = False
    distributes: bool = False
    details: Details | None = None

    def __post_init__(self) -> None:
        if self.closed_form is None and self.measure is None and self.measure_all is None:
            raise TypeError(f"metric {self.name}: give closed_form, measure or measure_all")
        if self.direction not in ("higher", "lower"):
            raise TypeError(f"metric {self.name}: direction is {self.direction!r}; use 'higher' or 'lower'")
        unknown = {*self.settings, *self.measured_with} - {*ScoreSettings.model_fields}
        if unknown:
            raise TypeError(f"metric {self.name}: uses unknown settings {sorted(unknown)}")

    @property
    def kind(self) -> Kind:
        """What it takes to compute it, the quicker way of two."""
        return "additive" if self.is_additive else "measured" if self.closed_form is None else "closed form"

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is: a search maximises sign x value."""
        return 1 if self.direction == "higher" else -1

    @property
    def description(self) -> str:
        """The summary with the unit."""
        return f"{self.summary}, {self.unit}" if self.unit else self.summary

    @property
    def estimators(self) -> tuple[Estimator, ...]:
        """The ways to compute it: `mean-field` for a closed form, `monte-carlo` for a measured one."""
        closed: tuple[Estimator, ...] = () if self.closed_form is None else ("mean-field",)
        return closed if self.measure is None and self.measure_all is None else (*closed, "monte-carlo")

    def estimator(self, wanted: Estimator) -> Estimator:
        """The way that is taken where one is wanted: that one, or the only one there is."""
        return wanted if wanted in self.estimators else self.estimators[0]

    def uses(self, wanted: Estimator) -> tuple[str, ...]:
        """The settings that its value depends on, computed by `estimator(wanted)`; any other has no effect."""
        return self.settings if self.estimator(wanted) == "mean-field" else self.measured_with

    def value_of(self, terms: NetworkTerms, settings: ScoreSettings) -> float:
        """The closed form.

        Args:
            terms: of a network, made in the settings' convention.
            settings: those that `settings` names are used.

        Raises:
            UsageError: there is no closed form.
        """
        if self.closed_form is None:
            raise UsageError(f"{self.name}: has no closed form; it is measured on networks")
        return self.closed_form(terms, settings)

    def evaluate(self, network: Network, settings: ScoreSettings) -> Measurement:
        """The metric on one network.

        Args:
            network: a spec, or another network.
            settings: the estimator, where the metric has two, and those that `uses` names.

        Raises:
            UsageError: the device does not exist.
            RunError: the network does not fit into memory, has no such value, or the value is not finite.
        """
        for result in self.evaluate_all([network], settings):
            if isinstance(result, RunError):
                raise result
            return result
        raise AssertionError("one network gives one result")

    def evaluate_all(
        self,
        networks: Iterable[Network],
        settings: ScoreSettings,
        *,
        on_draw: OnDraw | None = None,
        executor: Executor | None = None,
    ) -> Iterator[Measurement | RunError]:
        """The metric on many networks, in order; an error takes the place of a value that could not be made.

        Args:
            networks: some are read before they are measured.
            settings: as for `evaluate`.
            on_draw: called with the number of draws that were finished, where something is drawn.
            executor: where draws are computed, of a metric that `distributes`; by default on this machine.

        Raises:
            UsageError: the device does not exist.
        """
        names: deque[str] = deque()  # of the networks that were read and have no result yet

        def named() -> Iterator[Network]:
            for network in networks:
                names.append(label(network))
                yield network

        for result in self._results(named(), settings, on_draw, executor):
            name = names.popleft()
            if isinstance(result, RunError) or all(map(math.isfinite, (result.value, result.std_error or 0.0))):
                yield result
            else:
                yield ScoreError(f"{name}: {self.name} is {result.value}, its standard error {result.std_error}")

    def row(self, measurement: Measurement) -> MetricRow:
        """What a record holds of a measurement."""
        value, std_error, settings = measurement
        return MetricRow.model_validate(
            {"value": value, "std_error": std_error, "direction": self.direction, **settings}
        )

    def _results(
        self,
        networks: Iterable[Network],
        settings: ScoreSettings,
        on_draw: OnDraw | None,
        executor: Executor | None,
    ) -> Iterator[Measurement | RunError]:
        if self.measure_all is not None and self.estimator(settings.estimator) == "monte-carlo":
            more: dict[str, Any] = {"executor": executor} if self.distributes and executor is not None else {}
            yield from self.measure_all(networks, settings, on_draw=on_draw, **more)
            return
        for network in networks:
            try:
                yield self._one(network, settings)
            except RunError as error:
                yield error

    def _one(self, network: Network, settings: ScoreSettings) -> Measurement:
        if self.is_additive and network.spec is None:
            return Measurement(getattr(network.cost, self.name))
        if self.estimator(settings.estimator) == "mean-field":
            if network.spec is None and not self.needs_blocks:
                terms = chain_terms(network, settings.convention)
            else:
                terms = spec_terms(as_blocks(network, self.name), settings.convention)
            used = {name: setting_of(settings, name) for name in self.settings}
            extra = self.details(terms) if self.details is not None else {}
            return Measurement(self.value_of(terms, settings), None, {**used, **extra})
        assert self.measure is not None  # or it would have no such estimator
        return self.measure(network, settings)
