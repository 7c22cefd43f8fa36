"""What may be set of a search beside the problem: the one home of its bounds, defaults and descriptions.

The command line reads this when it starts, so nothing here imports what a search needs.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

DEFAULT_EVALUATIONS = 480_000
DEFAULT_POPULATION = 512
CLOSED_FORM_LINEAGES = 4
BATCH_LINEAGES = 32
DEFAULT_VERIFY = 8
DEFAULT_TOLERANCE = 0.1
DEFAULT_TOP = 5
DEFAULT_GAP = 0.005  # of a bound above the score, as a share: what is within it counts as proven
FRONT_TOP = 10
FRONT_LINEAGES, BAND_LINEAGES = 32, 20
DEFAULT_SPACE = "mobile"
DEFAULT_ALGORITHM = "auto"
# Fields that only some algorithms use; see `Algorithm.uses`.
ONLY_SOME = frozenset({"population", "lineages", "patience", "gap", "evenness"})

# What only says when to stop and what to hand over; a resumed run may be given others.
FREE = ("budget", "patience", "verify", "tolerance", "top", "similar", "gap")


class SearchOptions(BaseModel):
    """The options of a search; `SearchSettings` adds the problem and the score."""

    resolution: int = Field(ge=1, le=16_384, description="Side of the input image.")
    num_classes: int = Field(ge=1, le=10_000_000, description="Classes.")
    proxy: str | None = Field(default=None, description="What to maximise: zen, even, balanced or another metric.")
    front: tuple[str, ...] = Field(
        default=(), max_length=4, description="Costs: find the best networks below many limits of them, in one search."
    )
    evenness: float | None = Field(
        default=None, ge=0, le=10, description="Keep the evenness of MACs within so many nats of the best, or off."
    )
    population: int = Field(default=DEFAULT_POPULATION, ge=1, le=1_000_000, description="Networks remembered.")
    lineages: int = Field(ge=1, le=65_536, description="Networks that change side by side, one batch.")
    patience: int | None = Field(
        default=None, ge=1, le=1000, description="End after so many rounds without a better network."
    )
    verify: int = Field(
        default=DEFAULT_VERIFY, ge=0, le=10_000, description="Give the K best a Monte-Carlo score, and rank by it."
    )
    tolerance: float = Field(
        default=DEFAULT_TOLERANCE,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="Verify until the first is within so many nats of the best, at 95%.",
    )
    top: int = Field(default=DEFAULT_TOP, ge=1, le=100_000, description="Networks in the answer.")
    similar: bool = Field(default=False, description="The best networks, also where they are of one shape.")
    gap: float | None = Field(default=None, ge=0, le=1, description="Exact search: stop at this gap.")


def front_lineages(top: int, *, is_banded: bool) -> int:
    """How many lineages evolve a front of so many networks, each below a limit of its own.

    At most 32, or 20 where local searches in bands take longer; the limits of the answer are among theirs where it has
    no more networks.
    """
    steps, most = top - 1, BAND_LINEAGES if is_banded else FRONT_LINEAGES
    return 1 + (most - 1) // steps * steps if 1 <= steps < most else most
