"""What a search does where nothing is said: no search without a limit on its cost, and a band of evenness around it.

The limits are those of networks that people train: MobileNetV2 has 300M MACs at 224 pixels, ResNet-50 4.1G; MACs grow
with the area of the image. Where only parameters are limited, MACs = P (224 / 16)^2: at 224 pixels r sqrt(P / MACs) is
16, and published networks have 12 to 25; those published for CIFAR at 32 pixels have about as many MACs a parameter.
"""

from __future__ import annotations

from collections.abc import Set

from ..net.ops import OPS
from ..units import format_count
from .algorithms import find_algorithm
from .band import DEFAULT_WIDTH
from .budget import Budget
from .limits import Limits
from .options import DEFAULT_ALGORITHM
from .settings import SearchSettings
from .space import BlockSpace, Space

MOBILE_MACS = 300e6
OTHER_MACS = 4.1e9
SIDE = 224
EFFECTIVE_SIDE = 16
MOST_EVALUATIONS = 1_920_000  # of a search whose budget is only a time
DEFAULT_PATIENCE = 1
_OF_EVOLUTIONS = {"budget", "lineages", "population", "patience"}


def default_limits(space: Space, resolution: int, limits: Limits) -> tuple[Limits, str]:
    """The limits with a default one on MACs where they need it, and one line about it, empty where they do not."""
    if limits.macs is not None or (limits.params is not None and space.rules is None):
        return limits, ""
    if limits.params is not None:
        macs = round(limits.params * (SIDE / EFFECTIVE_SIDE) ** 2)
        why = "as published networks have for these parameters"
    else:
        macs = round((MOBILE_MACS if is_mobile(space) else OTHER_MACS) * (resolution / SIDE) ** 2)
        why = f"the default for {space.name} at {resolution} pixels"
    macs = max(1, macs)
    return limits.replace(macs=macs), f"MACs limited to {format_count(macs)}, {why}; max_macs sets another limit"


def is_mobile(space: Space) -> bool:
    """Whether all blocks of a space are depthwise."""
    return isinstance(space, BlockSpace) and all(OPS[op].is_depthwise for op in space.ops)


def default_evenness(space: Space, limits: Limits) -> float | None:
    """The width of the band of evenness in nats; None for spaces without design rules and problems without MACs."""
    return DEFAULT_WIDTH if space.rules is not None and limits.macs is not None else None


def with_ending(settings: SearchSettings, given: Set[str]) -> SearchSettings:
    """The settings with when the search ends, where the names of what is `given` leave that open.

    A budget of only a time is a ceiling where a search converges or is proven. A front that the exact search solves
    ends by itself.
    """
    if settings.front:
        is_open = not given & _OF_EVOLUTIONS and settings.algorithm == DEFAULT_ALGORITHM
        is_free = settings.evenness is None and "latency" not in settings.limits
        is_solved = is_open and is_free and _is_exact(settings)
        return settings.model_copy(update={"budget": Budget()}) if is_solved else settings
    if not _is_ceiling(settings):
        return settings
    budget = settings.budget._replace(evaluations=MOST_EVALUATIONS)
    return settings.model_copy(update={"budget": budget, "patience": settings.patience or DEFAULT_PATIENCE})


def _is_ceiling(settings: SearchSettings) -> bool:
    """Whether a budget is only a time that the search may end before, because it converges or is proven."""
    if settings.budget.evaluations is not None or find_algorithm(settings.algorithm).unit != "evaluations":
        return False
    if settings.evenness is not None:
        return True
    return settings.algorithm == DEFAULT_ALGORITHM and _is_exact(settings)


def _is_exact(settings: SearchSettings) -> bool:
    """Whether the exact search takes the problem."""
    from .algorithms.exact.support import unsupported_settings

    return not unsupported_settings(settings)
