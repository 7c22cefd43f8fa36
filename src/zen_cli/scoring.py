"""Joins the parts: architectures and settings in, records out. torch is imported where Monte-Carlo begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .chain import chain
from .cost import cost
from .errors import SpecError, ZenError
from .meanfield import score_chain, score_spec
from .records import Breakdown, CostRow, LayerRow, ScoreRecord, ScoreSettings, Zen, check_settings
from .spec import ArchSpec


def score(spec: ArchSpec, *, breakdown: bool = False, **settings: Any) -> ScoreRecord:
    """The Zen-score of one architecture with its cost, as the record that `zen score` writes.

    Args:
        spec: the architecture.
        breakdown: whether to add the layer-by-layer shares of the closed form.
        settings: `estimator`, `convention`, `norm`, `alpha`, `batch_size`, `draws`, `precision`, `seed`, `device`, as
            the options of the command.

    Raises:
        UsageError: a setting that cannot be.
        RunError: the network does not fit into memory, or its score is not finite.
    """
    for result in score_all([spec], check_settings(**settings), breakdown=breakdown):
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
        specs: read as results are asked for, so a stream of any length takes constant memory.
        settings: what defines the score.
        breakdown: whether to add the layers' shares.
        on_draw: called with the number of Monte-Carlo draws finished.

    Raises:
        UsageError: the device does not exist.
    """
    score_one = _mean_field if settings.estimator == "mean-field" else _monte_carlo(settings, on_draw)
    for spec in specs:
        try:
            zen = score_one(spec, settings)
            yield ScoreRecord(
                id=spec.id,
                name=spec.name,
                zen=zen,
                cost=_cost_row(spec),
                breakdown=break_down(spec, settings) if breakdown else None,
                arch=spec,
            )
        except ZenError as error:
            yield error


def break_down(spec: ArchSpec, settings: ScoreSettings) -> Breakdown:
    """The closed form layer by layer: log sigma, the running total, and how far the halves have drifted apart."""
    terms = score_chain(chain(spec), convention=settings.convention, norm=settings.norm, alpha=settings.alpha)
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


def _cost_row(spec: ArchSpec) -> CostRow:
    try:
        return CostRow.of(cost(spec))
    except SpecError as error:
        raise SpecError(f"{spec.name or spec.id}: {error}") from None


def _mean_field(spec: ArchSpec, settings: ScoreSettings) -> Zen:
    value = score_spec(spec, convention=settings.convention, norm=settings.norm, alpha=settings.alpha)
    return Zen(
        value=value,
        std_error=None,
        estimator="mean-field",
        convention=settings.convention,
        norm=settings.norm,
        alpha=settings.alpha,
    )


def _monte_carlo(
    settings: ScoreSettings, on_draw: Callable[[int], None] | None
) -> Callable[[ArchSpec, ScoreSettings], Zen]:
    from .devices import resolve_device
    from .engine import Network, estimate

    device = str(resolve_device(settings.device))

    def score_one(spec: ArchSpec, settings: ScoreSettings) -> Zen:
        network = Network(spec.id, chain(spec), spec.name or spec.id)
        (result,) = estimate([network], settings, on_draw=on_draw)
        if isinstance(result, ZenError):
            raise result
        return Zen(
            value=result.value,
            std_error=result.std_error,
            estimator="monte-carlo",
            convention=settings.convention,
            norm=settings.norm,
            alpha=settings.alpha,
            batch_size=settings.batch_size,
            draws=len(result.draws),
            seed=settings.seed,
            device=device,
        )

    return score_one
