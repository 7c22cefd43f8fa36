"""What a network may cost: upper bounds on metrics that a search evaluates for every proposal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, InstanceOf, PlainSerializer

from ..errors import UsageError, nearest
from ..metrics import Metric, find, limitable
from ..metrics.block_terms import Terms
from ..metrics.proxies.latency import require_target
from ..metrics.settings import DEPLOYMENT, ScoreSettings
from ..metrics.terms import NetworkTerms
from ..target.memory import ITEM_BYTES
from ..target.model import Target
from ..units import LARGEST, parse_bytes, parse_count, parse_milliseconds, parse_real

# Metrics that grow with depth; a limit on one of them keeps a search from going ever deeper.
DEPTH = ("layers", "sublayers", "depth_width_ratio")
_NO_SETTINGS = ScoreSettings(estimator="mean-field")
_DECIMALS = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "": 1.0}


class Limits(Mapping[str, float]):
    """Upper bounds by the name of the metric, immutable; a bound of None is none.

    A metric can be limited if it is a sum over blocks, or has a closed form that no setting of a score changes. `on`
    says on what the network runs, for limits in bytes and in milliseconds. The bound of a latency is lowered by the
    error of the target's predictions, so that nine in ten networks at the bound keep the limit.

    Raises:
        UsageError: no such metric, or a bound that is not positive and finite.
    """

    def __init__(self, bounds: Mapping[str, float | None] | None = None, /, **named: float | None) -> None:
        given = {**(bounds or {}), **named}
        known = limit_names()
        for name, bound in given.items():
            if name not in known:
                raise UsageError(f"limits: {name} cannot be limited; {nearest(name, known)}")
            if bound is not None and not (_is_number(bound) and 0 < bound <= LARGEST):
                raise UsageError(f"max_{name}: {bound!r} is out of range; use a positive number of at most 64 bits")
        self._bounds = {name: given[name] for name in known if given.get(name) is not None}
        self._settings = _NO_SETTINGS

    def on(self, settings: ScoreSettings) -> Limits:
        """These limits on the device of the settings.

        Raises:
            UsageError: a limit needs a device that is not there.
        """
        limits = Limits(self._bounds)
        limits._settings = ScoreSettings(
            estimator="mean-field", **{name: getattr(settings, name) for name in DEPLOYMENT}
        )
        if "latency" in limits:
            require_target(settings)
        return limits

    def __getitem__(self, name: str) -> float:
        return self._bounds[name]  # type: ignore[return-value]  # those of None were left out

    def __iter__(self) -> Iterator[str]:
        return iter(self._bounds)

    def __len__(self) -> int:
        return len(self._bounds)

    def __hash__(self) -> int:
        return hash(tuple(self._bounds.items()))

    def __repr__(self) -> str:
        return f"Limits({self._bounds})"

    def replace(self, **named: float | None) -> Limits:
        """These limits with some changed; None takes one away."""
        limits = Limits({**self._bounds, **named})
        limits._settings = self._settings
        return limits

    @property
    def params(self) -> int | None:
        """The most parameters."""
        return self._sum("params")

    @property
    def macs(self) -> int | None:
        """The most multiply-adds for one image."""
        return self._sum("macs")

    @property
    def layers(self) -> int | None:
        """The most convolutions of the chain."""
        return self._sum("layers")

    @property
    def sublayers(self) -> int | None:
        """The most sub-layers."""
        return self._sum("sublayers")

    def _sum(self, name: str) -> int | None:
        bound = self._bounds.get(name)
        return None if bound is None else int(bound)

    @property
    def bounds_depth(self) -> bool:
        """Whether something keeps the depth from growing without end."""
        return any(name in self._bounds for name in DEPTH)

    @cached_property
    def sums(self) -> tuple[tuple[int, float], ...]:
        """(index in `Terms`, bound) of the metrics that are sums over blocks."""
        return tuple((Terms._fields.index(name), bound) for name, bound in self.items() if name in Terms._fields)

    @cached_property
    def others(self) -> tuple[tuple[Metric, float], ...]:
        """(metric, bound) of the metrics that are functions of a network's sums."""
        return tuple((find(name), self.lowered(name)) for name in self if name not in Terms._fields)

    @cached_property
    def reads_stages(self) -> bool:
        """Whether one of these looks at a network's stages; what a network needs on a device looks at its blocks."""
        return any(not set(metric.settings) & set(DEPLOYMENT) for metric, _ in self.others)

    @property
    def target(self) -> Target | None:
        """The device of a limit on latency."""
        return self._settings.target

    def elements(self, name: str) -> float:
        """The most elements, of the dtype of the device, by a limit in bytes; infinite without that limit."""
        return self._bounds.get(name, math.inf) / ITEM_BYTES[self._settings.dtype]  # type: ignore[operator]  # none is None

    def lowered(self, name: str) -> float:
        """The bound that a search keeps: that of a latency is divided by 1 + the error of nine in ten predictions."""
        target = self._settings.target
        return self._bounds[name] / (1 + target.margin) if name == "latency" and target else self._bounds[name]  # type: ignore[operator,return-value]  # those of None were left out

    def usage(self, terms: NetworkTerms) -> list[tuple[str, float, float]]:
        """(name, value, lowered bound) of each limit."""
        return [(name, find(name).value_of(terms, self._settings), self.lowered(name)) for name in self]

    def admits(self, terms: NetworkTerms) -> bool:
        """Whether a network with these terms, classifier included, keeps every limit."""
        return all(terms.total[column] <= bound for column, bound in self.sums) and self.admits_others(terms)

    def admits_others(self, terms: NetworkTerms) -> bool:
        """Whether it keeps those that are no sums."""
        return all(metric.value_of(terms, self._settings) <= bound for metric, bound in self.others)


def limit_names() -> tuple[str, ...]:
    """The metrics that can be limited."""
    return tuple(name for name in limitable() if set(find(name).settings) <= set(DEPLOYMENT))


def parse_limit(name: str, text: str | float, field: str) -> float:
    """A bound from what a user wrote, by the unit of the metric: `320kB`, `5ms`, `1.05M` for a sum, or any number.

    Raises:
        UsageError: not a positive number, or another unit.
    """
    unit = find(name).unit
    if unit == "bytes":
        return parse_bytes(str(text), field)
    if unit == "ms":
        return parse_milliseconds(str(text), field)
    if name in Terms._fields[3:]:
        return parse_count(str(text), field)
    return parse_real(str(text), field, least=1e-12, most=float(LARGEST))


def write_limit(name: str, bound: float) -> str:
    """A bound as `parse_limit` reads it, to ten digits: `1M` for a sum, `320kB`, `5ms`, `0.5`."""
    unit = find(name).unit
    scales = _DECIMALS if unit == "bytes" or name in Terms._fields[3:] else {"": 1.0}
    suffix = next((suffix for suffix, scale in scales.items() if bound >= scale), "")
    return f"{bound / scales[suffix]:.10g}{suffix}" + {"bytes": "B", "ms": "ms"}.get(unit, "")


def write_least(name: str, value: float) -> str:
    """A value as the least bound of four digits that it keeps."""
    step = 10.0 ** (math.floor(math.log10(value)) - 3)
    return write_limit(name, step * math.ceil(value / step * (1 - 1e-12)))


def too_low(name: str, bound: float, least: float) -> str:
    """A bound that no network keeps, and the least that was found."""
    found = f"the smallest value found is {write_least(name, least)}"
    return f"max_{name}: {write_limit(name, bound)} is below every network of the space; {found}"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _read(value: Any) -> Any:
    if not isinstance(value, Mapping) or isinstance(value, Limits):
        return value
    try:
        return Limits(value)
    except UsageError as error:
        raise ValueError(str(error)) from None


LimitsField: TypeAlias = Annotated[
    InstanceOf[Limits], BeforeValidator(_read), PlainSerializer(lambda limits: dict(limits), return_type=dict)
]
