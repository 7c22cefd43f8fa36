"""Random networks to measure: members of spaces, of all sizes that a search may be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ..nas.members import random_members
from ..nas.request import check_request
from ..net.spec import ArchSpec

SPACES = ("mobile", "resnet", "regnet")
SMALLEST, LARGEST = 15e6, 800e6  # MACs
RESOLUTIONS = (96, 128, 160, 192, 224)


def draw_probes(count: int, seed: int, spaces: Sequence[str] = SPACES, largest: float = LARGEST) -> list[ArchSpec]:
    """So many networks, the spaces by turns; MACs are spread evenly on a logarithmic scale.

    Args:
        count: of networks.
        seed: of all that is random.
        spaces: names or files.
        largest: the most MACs.

    Raises:
        UsageError: a space that is not known.
    """
    random, rows = Random(seed), []
    for index in range(count):
        macs = SMALLEST * (largest / SMALLEST) ** random.random()
        space = spaces[index % len(spaces)]
        resolution = random.choice([side for side in RESOLUTIONS if macs > 6e6 or side <= 160])
        settings = check_request(
            {
                "space": space,
                "max_macs": str(round(macs * (1 if space == "mobile" else 2))),
                "resolution": resolution,
                "seed": seed * 1000 + index,
                "algorithm": "evolution",
            }
        )
        rows += random_members(settings, 1)
    return rows
