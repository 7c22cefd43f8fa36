"""All metrics by name: the built-in ones as a table, and those of installed packages.

A metric of a package is loaded when a name is wanted that is not built in, or when all are listed; see `plugins.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import RunError, UsageError, nearest
from .block_terms import Terms
from .metric import DRAWN, Direction, Measurement, Metric
from .plugins import entry_points, load, package_of
from .settings import DEPLOYMENT, ScoreSettings

ZEN = ("convention", "norm", "alpha")
ENGINE = (*ZEN, *DRAWN, "precision", "precision_mode")


class _Entry(NamedTuple):
    """A built-in metric without its code, which is in the module of its name in `proxies/`.

    `closed` are the settings of the closed form, None where there is none, and `measured` those of the measured form. A
    sum is a field of `Terms` and has no module.
    """

    direction: Direction
    unit: str
    summary: str
    source: str
    closed: tuple[str, ...] | None = None
    measured: tuple[str, ...] | None = None


# fmt: off
BUILT_IN = {
    "zen": _Entry("higher", "nats", "the Zen-score's own closed form", "arXiv 2102.01063", ZEN, ENGINE),
    "even": _Entry("higher", "nats", "evenness of MACs over units and resolutions", "docs/evidence.md", ()),
    "balanced": _Entry("higher", "nats", "log of depth + mean log gain + mean log map", "docs/proxies.md", ZEN[:1]),
    "entropy": _Entry("higher", "nats^2", "entropy bound of the last feature map", "DeepMAD, arXiv 2303.02165", ()),
    "entropy_stages": _Entry("higher", "nats^2", "the same summed over resolutions, last x8", "DeepMAD", ()),
    "params": _Entry("higher", "", "parameters of the training form", "exact count", ()),
    "macs": _Entry("higher", "", "multiply-adds of the training form, one image", "exact count", ()),
    "activations": _Entry("higher", "", "output elements of convolutions, one image", "RegNet, arXiv 2003.13678", ()),
    "layers": _Entry("higher", "", "convolutions of the chain", "exact count", ()),
    "sublayers": _Entry("higher", "", "sub-layers as published searches count them", "exact count", ()),
    "memory": _Entry("lower", "bytes", "peak of live activations, one image", "docs/devices.md", ("dtype",)),
    "weights": _Entry("lower", "bytes", "parameters on a device, BN folded", "docs/devices.md", ("dtype",)),
    "latency": _Entry("lower", "ms", "predicted time on a target", "docs/devices.md", ("target",)),
    "depth_width_ratio": _Entry("lower", "", "layers over their mean width", "DeepMAD, arXiv 2303.02165", ()),
    "phi": _Entry("higher", "nats", "log gradient norm of the chain without BN", "arXiv 2102.01063", None, DRAWN),
    "grad_norm": _Entry("higher", "", "gradient norm of the loss on random data", "arXiv 2101.08134", None, DRAWN),
    "snip": _Entry("higher", "", "sum of |weight x gradient| on random data", "arXiv 1810.02340", None, DRAWN),
    "synflow": _Entry("higher", "", "log of the summed strength of all paths", "arXiv 2006.05467", None, DRAWN[1:]),
    "naswot": _Entry("higher", "", "log-determinant of the ReLU codes' agreement", "arXiv 2006.04647", None, DRAWN),
    "ntk": _Entry("lower", "", "condition number of the neural tangent kernel", "arXiv 2102.11535", None, DRAWN),
    "random": _Entry("higher", "", "a number from seed and id: the baseline to beat", "none", None, ("seed",)),
}
# fmt: on


def names() -> tuple[str, ...]:
    """The built-in metrics, those with a closed form first."""
    return tuple(BUILT_IN)


def limitable() -> tuple[str, ...]:
    """The built-in metrics that a search can limit at full speed: those with a closed form."""
    return tuple(name for name, entry in BUILT_IN.items() if entry.closed is not None)


def find(name: str, field: str = "proxies") -> Metric:
    """The metric of a name, built in or from an installed package.

    Args:
        name: such as `phi`.
        field: what an error message starts with.

    Raises:
        UsageError: no metric has this name; the message gives the nearest.
        RunError: an installed package has it, and it cannot be loaded.
    """
    if name in BUILT_IN:
        return _built_in(name)
    points = {point.name: point for point in entry_points()}
    if name not in points:
        raise UsageError(f"{field}: unknown {name!r}; {nearest(name, [*BUILT_IN, *points])}")
    return load(points[name])


def find_all(text: str, field: str = "proxies") -> tuple[Metric, ...]:
    """The metrics of a list such as `phi,synflow`, in its order, each once.

    Raises:
        UsageError: a name is unknown, or there is none.
        RunError: one of an installed package cannot be loaded.
    """
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not words:
        raise UsageError(f"{field}: names no metric; write some like phi,synflow")
    return tuple(find(word, field) for word in words)


def installed() -> Iterator[Metric | RunError]:
    """All metrics, built-in ones first; an error takes the place of one that cannot be loaded."""
    for name in BUILT_IN:
        yield _built_in(name)
    for point in entry_points():
        try:
            if point.name in BUILT_IN:
                raise RunError(f"metric {point.name} of {package_of(point)}: the name is built in; rename it there")
            yield load(point)
        except RunError as error:
            yield error


def refuse_unused(given: Iterable[str], metrics: Collection[Metric], settings: ScoreSettings) -> None:
    """Refuses settings that were given and that no metric uses.

    Args:
        given: names of settings that a user wrote.
        metrics: all that are computed with these settings.
        settings: the estimator says which way.

    Raises:
        UsageError: a setting that has no effect.
    """
    used = {"estimator", *DEPLOYMENT, *(name for metric in metrics for name in metric.uses(settings.estimator))}
    for name in given:
        if name in ScoreSettings.model_fields and name not in used:
            what = ", ".join(f"{metric.name} ({metric.estimator(settings.estimator)})" for metric in metrics)
            raise UsageError(f"{name}: has no effect on {what}; leave it out")


@cache  # a search asks for the metrics of its limits with each move
def _built_in(name: str) -> Metric:
    direction, unit, summary, source, closed, measured = BUILT_IN[name]
    is_additive = name in Terms._fields
    forms: dict[str, Any] = {"is_additive": is_additive}
    if is_additive:
        forms["closed_form"] = lambda terms, _: getattr(terms.total, name)
    elif closed is not None:
        code = _code_of(name)
        needs = getattr(code, "NEEDS_BLOCKS", False)
        forms |= {"closed_form": code.closed_form, "details": getattr(code, "details", None), "needs_blocks": needs}
    if measured is not None:

        def measure_all(*given: Any, **more: Any) -> Iterator[Measurement | RunError]:
            found: Iterator[Measurement | RunError] = _code_of(name).measure_all(*given, **more)
            return found

        forms |= {"measure_all": measure_all, "distributes": name != "random"}
    return Metric(
        name, direction, summary, source, settings=closed or (), unit=unit, measured_with=measured or (), **forms
    )


def _code_of(name: str) -> Any:
    """The module of a built-in metric."""
    return import_module(f".proxies.{name}", __package__)
