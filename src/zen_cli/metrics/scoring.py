"""Networks and settings in, records out. torch is imported where something is measured."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, tee
from typing import TYPE_CHECKING, TypeAlias, cast

from ..errors import UsageError, ZenError
from ..net.counting import Cost
from ..net.layers import Pair
from ..net.network import Network
from ..target.model import Target
from .mean_field import score_chain
from .metric import Measurement, Metric
from .prefetch import Groups
from .records import Breakdown, CostRow, LayerRow, MetricRow, ScoreRecord, Zen
from .registry import find, refuse_unused
from .settings import Convention, Dtype, Estimator, Norm, PrecisionMode, ScoreSettings, check_settings
from .terms import score_and_count

if TYPE_CHECKING:
    from torch import nn

    from .monte_carlo.executors import Executor

Scored: TypeAlias = tuple[Network, Zen | ZenError, Cost | None]  # the cost where it came along with the score
OnProgress: TypeAlias = Callable[[int, int | None], None]
GROUP = 1024  # networks that the engine gets at once, if so many have arrived
SPREAD = 256  # scored networks whose other metrics an executor measures together


def score(
    network: Network | nn.Module,
    *,
    input_size: tuple[int, int, int] | None = None,
    proxies: Sequence[str] = (),
    breakdown: bool = False,
    estimator: Estimator | None = None,
    convention: Convention | None = None,
    norm: Norm | None = None,
    alpha: float | None = None,
    batch_size: int | None = None,
    draws: int | None = None,
    precision: float | None = None,
    precision_mode: PrecisionMode | None = None,
    seed: int | None = None,
    device: str | None = None,
    dtype: Dtype | None = None,
    target: Target | None = None,
    on_progress: OnProgress | None = None,
) -> ScoreRecord:
    """The Zen-score of one network with its cost, as the record that `zen score` writes.

    Args:
        network: a spec, another network, or a module of PyTorch that takes a batch of images.
        input_size: of a module, channels, height and width of an image.
        proxies: names of metrics to add, such as `phi`.
        breakdown: whether to add the layer-by-layer shares of the closed form.
        estimator: `monte-carlo` or `mean-field`; this and what follows is as in `ScoreSettings`.
        convention: `paper` or `zennas`.
        norm: `frobenius` or `l1`; by default that of the convention.
        alpha: size of the perturbation, in standard deviations of the input.
        batch_size: images in a draw.
        draws: independent draws to average.
        precision: a standard error in nats to draw until, in place of `draws`.
        precision_mode: what a draw is computed in.
        seed: of all random numbers.
        device: `auto`, `cpu`, `cuda` or `cuda:1`.
        dtype: what weights and activations are on the device, for the bytes in the cost.
        target: the device, as `load_target` reads it; where it predicts times, the record has `latency`.
        on_progress: see `score_all`.

    Raises:
        UsageError: a setting that cannot be, or that has no effect.
        TraceError: a module cannot be run on such an image, or a chain does not stand for it.
        RunError: the network does not fit into memory, or its score is not finite.
    """
    traced = network_of(network, input_size)
    given = {
        "estimator": estimator,
        "convention": convention,
        "norm": norm,
        "alpha": alpha,
        "batch_size": batch_size,
        "draws": draws,
        "precision": precision,
        "precision_mode": precision_mode,
        "seed": seed,
        "device": device,
        "dtype": dtype,
        "target": target,
    }
    names = (*proxies, *(("latency",) if target is not None and target.predicts and "latency" not in proxies else ()))
    settings, others = check_settings(**given), [find(name) for name in names]
    refuse_unused([name for name, value in given.items() if value is not None], [find("zen"), *others], settings)
    for result in score_all([traced], settings, proxies=others, breakdown=breakdown, on_progress=on_progress):
        if isinstance(result, ZenError):
            raise result
        return result
    raise AssertionError("one network gives one result")


def network_of(network: Network | nn.Module, input_size: tuple[int, int, int] | None = None) -> Network:
    """A network as it is, or what a module of PyTorch is traced to; arguments and errors as for `score`."""
    torch = sys.modules.get("torch")  # a module is there only where somebody has imported it
    if torch is None or not isinstance(network, torch.nn.Module):
        if input_size is not None:
            raise UsageError("input_size: has no effect on what is no module of PyTorch; leave it out")
        return cast("Network", network)
    if input_size is None:
        raise UsageError("input_size: a module does not say which images it takes; give it, such as (3, 224, 224)")
    if len(input_size) != 3 or min(input_size) < 1:
        raise UsageError(f"input_size: {input_size!r} is no channels, height and width; give it like (3, 224, 224)")
    from ..trace.modules import network_of_module

    kind = type(network)
    return network_of_module(network, input_size, source=f"{kind.__module__}.{kind.__qualname__}", name=kind.__name__)


def score_all(
    networks: Iterable[Network],
    settings: ScoreSettings,
    *,
    proxies: Sequence[Metric] = (),
    breakdown: bool = False,
    on_progress: OnProgress | None = None,
    executor: Executor | None = None,
) -> Iterator[ScoreRecord | ZenError]:
    """Records of many networks, in order; an error takes the place of a record that could not be made.

    Args:
        networks: a stream of any length takes constant memory; Monte-Carlo reads up to `GROUP` of them before they are
            scored, in a thread, and never waits for more while it has one.
        settings: what defines the score and the other metrics.
        proxies: metrics to add, see `registry.find`; one with a closed form is added as that, whatever the estimator of
            the score. Where one fails, its error takes the place of the record.
        breakdown: whether to add the layers' shares.
        on_progress: called with how many Monte-Carlo draws are finished, or networks by the closed form, and how many
            there are in all, None while that is not known. A network that fails counts as all of its draws.
        executor: where draws are computed; by default on the devices of this machine that the settings name. With one
            that is given, a stream is read without pauses between groups.

    Raises:
        UsageError: the device does not exist.
    """
    tell = on_progress or (lambda *_: None)
    closed = settings.estimator == "mean-field"
    scored = _mean_field(networks, settings, tell) if closed else _monte_carlo(networks, settings, tell, executor)
    spread = executor is not None and any(metric.distributes for metric in proxies)
    for group in _grouped(scored, SPREAD if spread else 1):
        measured = _beside(group, proxies, settings, executor)
        for (network, zen, total), others in zip(group, measured, strict=True):
            try:
                if isinstance(zen, ZenError):
                    raise zen
                yield ScoreRecord.of(
                    network,
                    zen=zen,
                    proxies=dict(_rows(proxies, others)) or None,
                    cost=CostRow.of(network, network.cost if total is None else total, settings.dtype),
                    breakdown=break_down(network, settings) if breakdown else None,
                )
            except ZenError as error:
                yield error


def _grouped(scored: Iterable[Scored], size: int) -> Iterator[list[Scored]]:
    """Groups of what comes, each as soon as it is full."""
    rows = iter(scored)
    while group := list(islice(rows, size)):
        yield group


def _beside(
    group: Sequence[Scored], metrics: Sequence[Metric], settings: ScoreSettings, executor: Executor | None
) -> list[tuple[Measurement | ZenError, ...]]:
    """What other metrics say of networks, a tuple each; nothing of networks that have no score."""
    beside = settings.model_copy(update={"estimator": "mean-field"})
    good = [network for network, zen, _ in group if not isinstance(zen, ZenError)]
    columns = [_measure(metric, good, beside, executor) for metric in metrics]
    rows = iter(zip(*columns, strict=True))
    return [() if isinstance(zen, ZenError) or not metrics else next(rows) for _, zen, _ in group]


def _measure(
    metric: Metric, networks: Sequence[Network], settings: ScoreSettings, executor: Executor | None
) -> list[Measurement | ZenError]:
    """A metric on some networks; an error of the user's, such as a network that is not written as blocks, is one's."""
    if len(networks) > 1 and metric.distributes:
        return list(metric.evaluate_all(networks, settings, executor=executor))
    found: list[Measurement | ZenError] = []
    for network in networks:
        try:
            (row,) = metric.evaluate_all([network], settings, executor=executor)
            found.append(row)
        except ZenError as error:
            found.append(error)
    return found


def _rows(metrics: Sequence[Metric], found: Sequence[Measurement | ZenError]) -> Iterator[tuple[str, MetricRow]]:
    for metric, row in zip(metrics, found, strict=True):
        if isinstance(row, ZenError):
            raise row
        yield metric.name, metric.row(row)


def zen_of(measurement: Measurement) -> Zen:
    """What a record holds of a Monte-Carlo score."""
    value, std_error, definition = measurement
    return Zen.model_validate({"value": value, "std_error": std_error, "estimator": "monte-carlo", **definition})


def break_down(network: Network, settings: ScoreSettings) -> Breakdown:
    """The closed form layer by layer: log sigma, the running total, and the decorrelation of the two copies."""
    terms = score_chain(network.chain, convention=settings.convention, norm=settings.norm, alpha=settings.alpha)
    rows, total, names = [], 0.0, network.layer_names
    for index, term in enumerate(terms.layers, start=1):
        total += term.log_sigma
        layer = term.layer
        rows.append(
            LayerRow(
                layer=index,
                module=names[index - 1] if names else None,
                kernel=_number(layer.kernel),
                stride=_number(layer.stride),
                groups=layer.groups,
                in_width=layer.in_width,
                out_width=layer.out_width,
                out_side=_number(layer.out_size),
                log_sigma=term.log_sigma,
                total=total,
                decorrelation=term.decorrelation,
            )
        )
    return Breakdown(log_delta=terms.log_delta, saturation_layer=terms.saturation_layer, layers=tuple(rows))


def _number(pair: Pair) -> int | Pair:
    """One number where height and width agree."""
    return pair[0] if pair[0] == pair[1] else pair


def _mean_field(networks: Iterable[Network], settings: ScoreSettings, on_progress: OnProgress) -> Iterator[Scored]:
    definition = {name: getattr(settings, name) for name in ("convention", "norm", "alpha")}
    total = len(networks) if isinstance(networks, Sequence) else None
    for number, network in enumerate(networks, start=1):
        try:
            value, cost = score_and_count(network, **definition)
        except ZenError as error:
            yield network, error, None
        else:
            yield network, Zen(value=value, std_error=None, estimator="mean-field", **definition), cost
        on_progress(number, total)


def _monte_carlo(
    networks: Iterable[Network], settings: ScoreSettings, on_progress: OnProgress, executor: Executor | None
) -> Iterator[Scored]:
    """Scores what has arrived together and hands each result on as soon as it and those before it are there."""
    from .proxies.zen import measure_all

    groups, done = Groups(networks, GROUP), 0

    def drew(count: int) -> None:
        nonlocal done
        done += count
        total = groups.total if settings.precision is None else None
        on_progress(done, None if total is None else total * settings.draws)

    # many workers would wait for the last draws of every group
    parts: Iterable[Iterable[Network]] = groups if executor is None else [chain.from_iterable(groups)]
    try:
        for part in parts:
            ahead, given = tee(part)
            results = measure_all(given, settings, on_draw=drew, executor=executor)
            for result, network in zip(results, ahead, strict=False):
                yield network, result if isinstance(result, ZenError) else zen_of(result), None
    finally:
        groups.close()
