"""Joins the parts: architectures and settings in, records out. torch is imported where Monte-Carlo begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import RunError, ZenError
from ..net.counting import Cost
from ..net.spec import ArchSpec
from .mean_field import score_chain
from .prefetch import groups
from .records import Breakdown, CostRow, LayerRow, ScoreRecord, Zen
from .settings import ScoreSettings, check_settings
from .terms import score_and_count

if TYPE_CHECKING:
    from .proxies import Proxy

Scored: TypeAlias = tuple[ArchSpec, Zen | ZenError, Cost | None]  # the cost where it came along with the score
GROUP = 1024  # networks that the engine gets at once, if so many are at hand


def score(spec: ArchSpec, *, proxies: Sequence[str] = (), breakdown: bool = False, **settings: Any) -> ScoreRecord:
    """The Zen-score of one architecture with its cost, as the record that `zen score` writes.

    Args:
        spec: the architecture.
        proxies: names of other zero-shot scores to add, such as `phi`.
        breakdown: whether to add the layer-by-layer shares of the closed form.
        settings: `estimator`, `convention`, `norm`, `alpha`, `batch_size`, `draws`, `precision`, `precision_mode`,
            `seed`, `device`, as the options of the command.

    Raises:
        UsageError: a setting that cannot be.
        RunError: the network does not fit into memory, or its score is not finite.
    """
    from .proxies import find

    checked, others = check_settings(**settings), [find(name) for name in proxies]
    for result in add_proxies(score_all([spec], checked, breakdown=breakdown), others, checked):
        if isinstance(result, ZenError):
            raise result
        return result
    raise AssertionError("one architecture gives one result")


def score_all(
    specs: Iterable[ArchSpec],
    settings: ScoreSettings,
    *,
    breakdown: bool = False,
    on_draw: Callable[[int], None] | None = None,
) -> Iterator[ScoreRecord | ZenError]:
    """Records of many architectures, in order; an error takes the place of a record that could not be made.

    Args:
        specs: a stream of any length takes constant memory; Monte-Carlo reads up to `GROUP` of them ahead, in a thread,
            and never waits for more while it has one.
        settings: what defines the score.
        breakdown: whether to add the layers' shares.
        on_draw: called with the number of Monte-Carlo draws finished.

    Raises:
        UsageError: the device does not exist.
    """
    closed = settings.estimator == "mean-field"
    for spec, zen, total in _mean_field(specs, settings) if closed else _monte_carlo(specs, settings, on_draw):
        try:
            yield zen if isinstance(zen, ZenError) else _record(spec, zen, total or spec.cost, settings, breakdown)
        except ZenError as error:
            yield error


def add_proxies(
    results: Iterable[ScoreRecord | ZenError], proxies: Sequence[Proxy], settings: ScoreSettings
) -> Iterator[ScoreRecord | ZenError]:
    """The records with other zero-shot scores added; where one fails its error takes the place of the record.

    Args:
        results: records, or errors, which pass through.
        proxies: what to add, see `proxies.find`.
        settings: `batch_size`, `draws`, `seed` and `device` are those of the proxies too.

    Raises:
        UsageError: the device does not exist.
    """
    for result in results:
        if isinstance(result, ZenError) or not proxies:
            yield result
            continue
        try:
            rows = {proxy.name: proxy.evaluate(result.arch, settings).row for proxy in proxies}
            yield result.model_copy(update={"proxies": rows})
        except RunError as error:
            yield error


def _record(spec: ArchSpec, zen: Zen, total: Cost, settings: ScoreSettings, breakdown: bool) -> ScoreRecord:
    return ScoreRecord(
        id=spec.id,
        name=spec.name,
        zen=zen,
        cost=CostRow.of(total),
        breakdown=break_down(spec, settings) if breakdown else None,
        arch=spec,
    )


def break_down(spec: ArchSpec, settings: ScoreSettings) -> Breakdown:
    """The closed form layer by layer: log sigma, the running total, and how far the halves have drifted apart."""
    terms = score_chain(spec.chain, convention=settings.convention, norm=settings.norm, alpha=settings.alpha)
    rows, total = [], 0.0
    for index, term in enumerate(terms.layers, start=1):
        total += term.log_sigma
        layer = term.layer
        rows.append(
            LayerRow(
                layer=index,
                kernel=layer.kernel[0],
                stride=layer.stride[0],
                groups=layer.groups,
                in_width=layer.in_width,
                out_width=layer.out_width,
                out_side=layer.out_size[0],
                log_sigma=term.log_sigma,
                total=total,
                decorrelation=term.decorrelation,
            )
        )
    return Breakdown(log_delta=terms.log_delta, saturation_layer=terms.saturation_layer, layers=tuple(rows))


def _mean_field(specs: Iterable[ArchSpec], settings: ScoreSettings) -> Iterator[Scored]:
    for spec in specs:
        try:
            value, total = score_and_count(
                spec, convention=settings.convention, norm=settings.norm, alpha=settings.alpha
            )
        except ZenError as error:
            yield spec, error, None
            continue
        yield (
            spec,
            Zen(
                value=value,
                std_error=None,
                estimator="mean-field",
                convention=settings.convention,
                norm=settings.norm,
                alpha=settings.alpha,
            ),
            total,
        )


def _monte_carlo(
    specs: Iterable[ArchSpec], settings: ScoreSettings, on_draw: Callable[[int], None] | None
) -> Iterator[Scored]:
    """Scores what is at hand together and hands each result on as soon as it and those before it are there."""
    from ..devices import resolve_device
    from .monte_carlo import Network, estimate, resolve_mode

    device = resolve_device(settings.device)
    mode = resolve_mode(settings, device)
    for group in groups(specs, GROUP):
        networks = [Network(spec.id, spec.chain, spec.name or spec.id) for spec in group]
        for spec, result in zip(group, estimate(networks, settings, on_draw=on_draw), strict=True):
            if isinstance(result, ZenError):
                yield spec, result, None
                continue
            yield (
                spec,
                Zen(
                    value=result.value,
                    std_error=result.std_error,
                    estimator="monte-carlo",
                    convention=settings.convention,
                    norm=settings.norm,
                    alpha=settings.alpha,
                    batch_size=settings.batch_size,
                    draws=len(result.draws),
                    seed=settings.seed,
                    device=str(device),
                    precision_mode=mode,
                ),
                None,
            )
