"""`even`: how evenly a network spends its MACs over units and over resolutions; the equation is in `evenness.py`.

Inside a limit of MACs it ranks trained networks better than the Zen-score does, see `docs/evidence.md`; it does not see
kernels, expansions, squeeze-and-excitation or how a unit is divided.
"""

from __future__ import annotations

from ...net.layers import side_key
from ..evenness import Evenness, network_evenness
from ..settings import ScoreSettings
from ..terms import NetworkTerms

NEEDS_BLOCKS = True


def closed_form(terms: NetworkTerms, settings: ScoreSettings) -> float:
    """E in nats of MACs."""
    return network_evenness(terms.genes, *terms.image).value


def details(terms: NetworkTerms) -> dict[str, float | int]:
    """The parts of E, its bound, and two ratios by which published networks are alike."""
    return parts(network_evenness(terms.genes, *terms.image))


def parts(found: Evenness) -> dict[str, float | int]:
    """The numbers that a record holds beside E, flat."""
    shares = {f"share_{side_key(side)}": round(share, 4) for side, share in found.shares}
    return {
        "bound": round(found.bound, 6),
        "unit_term": round(found.unit_term, 6),
        "level_term": round(found.level_term, 6),
        "depth_term": round(found.depth_term, 6),
        "units": found.units,
        "residual_units": found.residual_units,
        "best_units": round(found.best_units, 2),
        "effective_side": round(found.effective_side, 2),
        "map_ratio": round(found.map_ratio, 3),
        **shares,
    }
