"""`zen compare`: networks side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError, ZenError
from ..units import parse_count
from . import options as opt
from .writing import write_listing

if TYPE_CHECKING:
    from ..metrics.records import ScoreRecord
    from ..net.network import Network
    from ..networks.near import Near
    from ..report.comparison import Compared
    from ..target.model import Target

REFERENCES = 5  # the most published networks beside those that are compared


def compare(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="NETWORK...", help="Two networks or more; the others are compared with the first."),
    ] = None,
    draws: Annotated[
        str | None, typer.Option(metavar="N", help="Add the score by random networks, the mean of N draws.")
    ] = None,
    convention: opt.Convention = None,
    resolution: opt.Resolution = None,
    num_classes: opt.NumClasses = None,
    arg: opt.FactoryArgument = None,
    path: opt.FactoryPath = None,
    target: opt.TargetOption = None,
    references: opt.References = True,
    style: opt.OutputFormat = None,
    quiet: opt.Quiet = False,
) -> None:
    """Networks side by side: score, cost, stages, and what differs.

    With --target also their predicted latency.

    Examples: zen compare last last:2; zen compare old.json new.json --draws 16
    """
    from ..metrics.settings import ScoreSettings
    from .reading import read_sources

    format_ = opt.check_format(style)
    opt.parsed(ScoreSettings, {"convention": convention})
    count = None if draws is None else parse_count(draws, "draws")
    device = _timed(target, quiet=quiet)
    networks: list[Network] = []
    for item in read_sources(sources or [], opt.overrides_of(ctx.params), quiet=quiet):
        if item.error is not None:
            raise item.error
        if item.network is not None:
            networks.append(item.network)
    if len(networks) < 2:
        raise UsageError(f"{len(networks)} to compare; name at least two, such as last last:2 or two files")
    rows = _compared(networks, convention, count, device, quiet=quiet)
    if format_ == "csv":
        write_listing(format_, [_flat(row) for row in rows], lambda: None)
        return

    def show() -> None:
        from ..ui.comparison import print_comparison

        near = _references(networks, convention) if references else ()
        print_comparison(rows, convention or "paper", near, device)

    write_listing(format_, [row.to_dict() for row in rows], show)


def _timed(word: str | None, *, quiet: bool) -> Target | None:
    """The target, if one was named.

    Raises:
        UsageError: it predicts no times.
    """
    from ..metrics.proxies.latency import require_target
    from ..metrics.settings import check_settings

    if word is None:
        return None
    return require_target(check_settings(estimator="mean-field", **opt.deployment(word, None, quiet=quiet)))


def _compared(
    networks: list[Network], convention: str | None, draws: int | None, target: Target | None, *, quiet: bool
) -> list[Compared]:
    """The networks with all that is compared.

    Raises:
        ZenError: the score of one cannot be computed.
    """
    from ..metrics.scoring import score_all
    from ..metrics.settings import check_settings
    from ..report.comparison import compare as compare_one
    from ..ui.progress import Progress

    given: dict[str, Any] = {} if convention is None else {"convention": convention}
    closed = [_raised(row) for row in score_all(networks, check_settings(estimator="mean-field", **given))]
    measured: list[Any] = [None] * len(networks)
    if draws is not None:
        with Progress("scoring", quiet=quiet, unit="draws") as progress:
            settings = check_settings(draws=draws, **given)
            measured = [_raised(row) for row in score_all(networks, settings, on_progress=progress.update)]
    maps = any(network.spec is None for network in networks)
    return [compare_one(*row, maps=maps, target=target) for row in zip(networks, closed, measured, strict=True)]


def _references(networks: list[Network], convention: str | None) -> list[tuple[Near, ScoreRecord]]:
    """Published networks of about the cost of the first network that is written as blocks, with their scores."""
    from ..metrics.scoring import score_all
    from ..metrics.settings import check_settings
    from ..networks.near import near

    like = [network.spec for network in networks if network.spec is not None]
    found = near(like[:1], REFERENCES, known={network.id for network in networks})
    settings = check_settings(estimator="mean-field", convention=convention or "paper")
    return list(zip(found, map(_raised, score_all([row.spec for row in found], settings)), strict=True))


def _raised(row: Any) -> Any:
    if isinstance(row, ZenError):
        raise row
    return row


def _flat(row: Compared) -> dict[str, Any]:
    """A network as a row of CSV: its numbers, and MACs and width of each stage."""
    stages = {
        f"{stage.stage}_{name}": value
        for stage in row.stages
        for name, value in (("units", stage.units), ("params", stage.params), ("macs", stage.macs))
    }
    return {"network": row.label, "id": row.network.id, **row.numbers, **stages}
