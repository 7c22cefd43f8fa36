"""`zen`: the Zen-score, as a metric like any other.

    Zen = log Delta + sum_i log sigma_i        (nats)

Its closed form is the limit of wide layers, see `mean_field.py`; its measured form is the Monte-Carlo engine.

Source: Lin et al., *Zen-NAS* (arXiv 2102.01063), algorithm 1.

What known implementations get wrong: the published code never resets its running variance between repeats, so its score
drifts with the number of repeats; and a network that fails gets -9999 and stays in the population.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...errors import RunError
from ...net.network import Network, label
from ..metric import Measurement, OnDraw
from ..settings import ScoreSettings
from ..terms import NetworkTerms


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """The score in nats, for the convention that the terms were made with."""
    return terms.zen(settings.norm, settings.alpha)


def measure_all(
    networks: Iterable[Network], settings: ScoreSettings, *, on_draw: OnDraw | None = None
) -> Iterator[Measurement | RunError]:
    """The scores in nats, each the mean of random networks with its standard error; see `monte_carlo.estimate`.

    Args:
        networks: in a list where there are many, because some are read ahead.
        settings: all but the estimator.
        on_draw: called with the number of draws that were finished.

    Raises:
        UsageError: the device does not exist, or does not have the precision mode.
    """
    from ...devices import resolve_device
    from ..monte_carlo import KeyedChain, estimate, resolve_mode

    device = resolve_device(settings.device)
    mode = resolve_mode(settings, device)
    chains = (KeyedChain(network.id, network.chain, label(network)) for network in networks)
    for result in estimate(chains, settings, on_draw=on_draw):
        if isinstance(result, RunError):
            yield result
            continue
        definition = {
            "convention": settings.convention,
            "norm": settings.norm,
            "alpha": settings.alpha,
            "batch_size": settings.batch_size,
            "draws": len(result.draws),
            "seed": settings.seed,
            "device": str(device),
            "precision_mode": mode,
        }
        yield Measurement(result.value, result.std_error, definition)
