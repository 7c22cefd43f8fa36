"""The network that a search began from, when it looks for better ones at the same cost: its space, limits and score."""

from __future__ import annotations

from typing import Any

from ..errors import SpecError, printable
from ..net.spec import ArchSpec
from ..units import format_count
from .climb import make_scorer
from .limits import Limits
from .outcome import Candidate
from .scorers import Evaluator
from .settings import SearchSettings
from .space.around import space_around

ROLE = "original"


def problem_around(network: ArchSpec) -> dict[str, Any]:
    """What a network says of a search around it: the space, the input, and its own name.

    Raises:
        SpecError: nothing of it may change.
    """
    name = printable(network.name or network.id)
    return {
        "space_document": space_around(network, f"from-{name.removeprefix('from-')}"[:100]).to_dict(),
        "resolution": network.side,
        "num_classes": network.num_classes,
        "origin": name,
    }


def limits_of(network: ArchSpec, limits: Limits) -> tuple[Limits, str]:
    """The network's own cost as limits where there are none, its own MACs where there are others; a line about that.

    Args:
        network: the network, for the input of the search.
        limits: what was given.
    """
    cost, name = network.cost, printable(network.name or network.id)
    if limits.macs is not None:
        return limits, ""
    if limits:
        return limits.replace(macs=cost.macs), f"MACs limited to the {format_count(cost.macs)} of {name}; see max_macs"
    own = f"{format_count(cost.params)} parameters and {format_count(cost.macs)} MACs of {name}"
    return limits.replace(params=cost.params, macs=cost.macs), f"limited to the {own}; see max_params and max_macs"


def original_of(settings: SearchSettings) -> Candidate | None:
    """The network that the search began from, with its score as the search computes it; None if there is none.

    Raises:
        RunError: it has no score.
    """
    if settings.origin is None:
        return None
    space, seed = settings.space, settings.seed_network()
    free = settings.model_copy(update={"limits": Limits()})
    evaluator = Evaluator(space, seed, settings.score.convention)
    sign, scorer = make_scorer(free, evaluator)
    genome = space.start(seed)
    (rating,), _ = scorer.rate([genome], lambda: False)
    if rating is None:
        raise SpecError(f"from_: {settings.origin} has no score; use another estimator or objective")
    return Candidate(evaluator.spec(genome, settings.origin), sign * rating.score)
