"""Metrics of installed packages: an entry point names one, and what it does wrong is one line that names its package.

[project.entry-points."zen_cli.metrics"]
my_score = "my_package.scores:MY_SCORE"
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import RunError
from ..net.network import Network, label
from .metric import Measurement, Metric, OnDraw, Setting
from .settings import ScoreSettings
from .terms import NetworkTerms

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUPS = ("zen_cli.metrics", "zen_cli.proxies")


def entry_points() -> list[EntryPoint]:
    """The entry points of metrics, by name; of two with one name that of the first group."""
    from importlib import metadata

    points = {point.name: point for group in reversed(GROUPS) for point in metadata.entry_points(group=group)}
    return [points[name] for name in sorted(points)]


def package_of(point: EntryPoint) -> str:
    """The name of the package that has an entry point."""
    return point.dist.name if point.dist is not None else "an installed package"


def load(point: EntryPoint) -> Metric:
    """The metric of an installed package, under the entry point's name.

    Raises:
        RunError: importing it fails, or it is something else.
    """
    where = f"metric {point.name} of {package_of(point)} ({point.value})"
    try:
        metric = point.load()
    except Exception as error:  # whatever a package does when it is imported
        raise RunError(f"{where}: cannot be loaded, {type(error).__name__}: {error}") from None
    if not isinstance(metric, Metric):
        raise RunError(f"{where}: is {type(metric).__name__}, not a zen_cli.metrics.Metric")
    closed_form, details, measure, measure_all = metric.closed_form, metric.details, metric.measure, metric.measure_all

    def guarded_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
        assert closed_form is not None
        with _guard(where):
            return float(closed_form(terms, settings))

    def guarded_details(terms: NetworkTerms) -> Mapping[str, Setting]:
        assert details is not None
        with _guard(where):
            return _checked(Measurement(0.0, None, details(terms)), metric).settings

    def guarded_measure(network: Network, settings: ScoreSettings) -> Measurement:
        assert measure is not None
        with _guard(f"{label(network)}: {where}"):
            return _checked(measure(network, settings), metric)

    def guarded_all(
        networks: Iterable[Network], settings: ScoreSettings, *, on_draw: OnDraw | None = None
    ) -> Iterator[Measurement | RunError]:
        assert measure_all is not None
        with _guard(where):
            for result in measure_all(networks, settings, on_draw=on_draw):
                yield result if isinstance(result, RunError) else _checked(result, metric)

    return replace(
        metric,
        name=point.name,
        closed_form=None if closed_form is None else guarded_form,
        details=None if details is None else guarded_details,
        measure=None if measure is None else guarded_measure,
        measure_all=None if measure_all is None else guarded_all,
    )


@contextmanager
def _guard(where: str) -> Iterator[None]:
    """Turns whatever a package does with a network into one line that names the package; RunError has its own."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        raise RunError(f"{where}: failed, {type(error).__name__}: {error}") from None


def _checked(result: object, metric: Metric) -> Measurement:
    """A result that a record can hold.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(result, Measurement):
        raise TypeError(f"gave {type(result).__name__}, not a Measurement")
    try:
        if all(map(math.isfinite, (result.value, result.std_error or 0.0))):  # or there is an error for it elsewhere
            metric.row(result)
    except ValueError:
        raise TypeError("gave settings that are not flat: use strings, finite numbers, booleans and None") from None
    return result
