"""`zen`: the Zen-score, as a metric like any other.

    Zen = log Delta + sum_i log sigma_i        (nats)

Its closed form is the limit of wide layers, see `mean_field.py`; its measured form is the Monte-Carlo engine.

Source: Lin et al., *Zen-NAS* (arXiv 2102.01063), algorithm 1.

What known implementations get wrong: the published code never resets its running variance between repeats, so its score
drifts with the number of repeats; and a network that fails gets -9999 and stays in the population.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ...errors import RunError
from ...net.network import Network, label
from ..metric import Measurement, OnDraw
from ..settings import ScoreSettings
from ..sums import mean_and_error
from ..terms import NetworkTerms

if TYPE_CHECKING:
    from ..monte_carlo.executors import Executor


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """The score in nats, for the convention that the terms were made with."""
    return terms.zen(settings.norm, settings.alpha)


def measure_all(
    networks: Iterable[Network],
    settings: ScoreSettings,
    *,
    on_draw: OnDraw | None = None,
    executor: Executor | None = None,
) -> Iterator[Measurement | RunError]:
    """The scores in nats, each the mean of random networks with its standard error; see `monte_carlo.estimate`.

    Args:
        networks: in a list where there are many, because some are read ahead.
        settings: all but the estimator.
        on_draw: called with the number of draws that were finished.
        executor: where draws are computed; by default on the devices of this machine that the settings name.

    Raises:
        UsageError: the device does not exist, or does not have the precision mode.
    """
    for draws in draw_all(networks, settings, on_draw=on_draw, executor=executor):
        yield draws if isinstance(draws, RunError) else measurement(draws, settings, executor)


def draw_all(
    networks: Iterable[Network],
    settings: ScoreSettings,
    *,
    first: int = 0,
    on_draw: OnDraw | None = None,
    executor: Executor | None = None,
) -> Iterator[tuple[float, ...] | RunError]:
    """The scores of single draws, from number `first` on; arguments and errors as for `measure_all`."""
    from ..monte_carlo import KeyedChain, estimate

    chains = (KeyedChain(network.id, network.chain, label(network)) for network in networks)
    for result in estimate(chains, settings, first=first, on_draw=on_draw, executor=executor):
        yield result if isinstance(result, RunError) else result.draws


def measurement(draws: Sequence[float], settings: ScoreSettings, executor: Executor | None = None) -> Measurement:
    """What the draws of a network from number 0 on say of its score."""
    from ..monte_carlo import resolve_mode
    from ..monte_carlo.executors import chosen

    kind = chosen(executor, settings.device).kind
    definition = {
        "convention": settings.convention,
        "norm": settings.norm,
        "alpha": settings.alpha,
        "batch_size": settings.batch_size,
        "draws": len(draws),
        "seed": settings.seed,
        "device": kind,
        "precision_mode": resolve_mode(settings, kind),
    }
    return Measurement(*mean_and_error(draws), definition)
