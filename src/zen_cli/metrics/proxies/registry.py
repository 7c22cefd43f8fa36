"""All proxies by name: the built-in ones as a table, and those of installed packages.

A package adds one through the entry-point group `zen_cli.proxies`; the entry point names a `Proxy`:

    [project.entry-points."zen_cli.proxies"]
    my_score = "my_package.scores:MY_SCORE"

It is loaded when a name is asked for that is not built in, or when all are listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from ...errors import RunError, UsageError, nearest
from ...net.spec import ArchSpec
from ..settings import ScoreSettings
from ..terms import NetworkTerms
from .base import Direction, Measurement, Proxy

GROUP = "zen_cli.proxies"


class _Entry(NamedTuple):
    """A built-in proxy without its code, which stands in the module of its name.

    `settings` are those that define a closed form; None: it has no closed form.
    """

    direction: Direction
    summary: str
    source: str
    settings: tuple[str, ...] | None = None


BUILT_IN = {
    "zen": _Entry(
        "higher", "the Zen-score's own closed form, nats", "arXiv 2102.01063", ("convention", "norm", "alpha")
    ),
    "balanced": _Entry(
        "higher", "log of depth + mean log gain + mean log map, nats", "docs/proxies.md", ("convention",)
    ),
    "entropy": _Entry("higher", "entropy bound of the last feature map, nats^2", "DeepMAD, arXiv 2303.02165", ()),
    "entropy_stages": _Entry("higher", "the same summed over resolutions, last x8", "DeepMAD, arXiv 2303.02165", ()),
    "params": _Entry("higher", "parameters of the training form", "exact count", ()),
    "macs": _Entry("higher", "multiply-adds of the training form, one image", "exact count", ()),
    "activations": _Entry("higher", "output elements of convolutions, one image", "RegNet, arXiv 2003.13678", ()),
    "phi": _Entry("higher", "log gradient norm of the chain without BN, nats", "arXiv 2102.01063"),
    "grad_norm": _Entry("higher", "gradient norm of the loss on random data", "arXiv 2101.08134"),
    "snip": _Entry("higher", "sum of |weight x gradient| on random data", "arXiv 1810.02340"),
    "synflow": _Entry("higher", "log of the summed strength of all paths", "arXiv 2006.05467"),
    "naswot": _Entry("higher", "log-determinant of the ReLU codes' agreement", "arXiv 2006.04647"),
    "ntk": _Entry("lower", "condition number of the neural tangent kernel", "TE-NAS, arXiv 2102.11535"),
    "random": _Entry("higher", "a number from seed and id: the baseline to beat", "none"),
}


def names() -> tuple[str, ...]:
    """The built-in proxies, those with a closed form first."""
    return tuple(BUILT_IN)


def find(name: str, option: str = "--proxies") -> Proxy:
    """The proxy of a name, built in or from an installed package.

    Args:
        name: such as `phi`.
        option: what an error message starts with.

    Raises:
        UsageError: no proxy has this name; the message gives the nearest.
        RunError: an installed package has it, and it cannot be loaded.
    """
    if name in BUILT_IN:
        return _built_in(name)
    points = {point.name: point for point in _entry_points()}
    if name not in points:
        raise UsageError(f"{option}: unknown {name!r}; {nearest(name, [*BUILT_IN, *points])}")
    return _load(points[name])


def find_all(text: str, option: str = "--proxies") -> tuple[Proxy, ...]:
    """The proxies of a list such as `phi,synflow`, in its order, each once.

    Raises:
        UsageError: a name is unknown, or there is none.
        RunError: one of an installed package cannot be loaded.
    """
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not words:
        raise UsageError(f"{option}: names no proxy; write some like phi,synflow")
    return tuple(find(word, option) for word in words)


def installed() -> Iterator[Proxy | RunError]:
    """All proxies, built-in ones first; an error takes the place of one that cannot be loaded."""
    for name in BUILT_IN:
        yield _built_in(name)
    for point in _entry_points():
        try:
            if point.name in BUILT_IN:
                raise RunError(f"proxy {point.name} of {_package(point)}: the name is built in; rename it there")
            yield _load(point)
        except RunError as error:
            yield error


def _built_in(name: str) -> Proxy:
    entry = BUILT_IN[name]
    if entry.settings is not None:
        closed_form = import_module(f".{name}", __package__).closed_form
        return Proxy(name, entry.direction, entry.summary, entry.source, closed_form, settings=entry.settings)

    def measure(spec: ArchSpec, settings: ScoreSettings) -> Measurement:
        result: Measurement = import_module(f".{name}", __package__).measure(spec, settings)
        return result

    return Proxy(name, entry.direction, entry.summary, entry.source, measure=measure)


def _load(point: EntryPoint) -> Proxy:
    """The proxy of an installed package, under the entry point's name.

    Raises:
        RunError: importing it fails, or it is something else.
    """
    where = f"proxy {point.name} of {_package(point)} ({point.value})"
    try:
        proxy = point.load()
    except Exception as error:  # whatever a package does when it is imported
        raise RunError(f"{where}: cannot be loaded, {_one_line(error)}") from None
    if not isinstance(proxy, Proxy):
        raise RunError(f"{where}: is {type(proxy).__name__}, not a zen_cli.metrics.proxies.Proxy")
    closed_form, measure = proxy.closed_form, proxy.measure

    def guarded_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
        assert closed_form is not None
        try:
            return float(closed_form(terms, settings))
        except Exception as error:  # whatever a package does with a network
            raise RunError(f"{where}: failed, {_one_line(error)}") from None

    def guarded_measure(spec: ArchSpec, settings: ScoreSettings) -> Measurement:
        assert measure is not None
        try:
            result = measure(spec, settings)
        except RunError:
            raise
        except Exception as error:  # whatever a package does with a network
            raise RunError(f"{spec.name or spec.id}: {where} failed, {_one_line(error)}") from None
        if not isinstance(result, Measurement):
            raise RunError(f"{where}: gave {type(result).__name__}, not a Measurement")
        return result

    return replace(
        proxy,
        name=point.name,
        closed_form=None if closed_form is None else guarded_form,
        measure=None if measure is None else guarded_measure,
    )


def _entry_points() -> Iterable[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda point: point.name)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an installed package"


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
