"""What the exact search cannot take, and why."""

from __future__ import annotations

from ....metrics.block_terms import Terms
from ....net.ops import OPS
from ....net.spec import ArchSpec
from ...limits import Limits
from ...settings import SearchSettings
from ...space import BlockSpace, RegNetSpace

SUMS = ("params", "macs", "layers", "sublayers")
DEVICE = ("memory", "weights", "latency")
FREE_FIELDS = {"mid", "expansion", "group_width"}
INSTEAD = "use the evolution"
MAX_LISTED = 40  # units of the deepest network of a list


def unsupported_settings(settings: SearchSettings) -> str:
    """Why the exact search cannot take a problem, whatever its budget; empty if it can."""
    if settings.proxy not in (None, "even"):
        return f"proxy: the exact search knows zen and even, not {settings.proxy}; use the evolution"
    if settings.proxy is None and settings.score.estimator != "mean-field":
        return "estimator: the exact search knows the Zen-score's closed form only; use the evolution"
    is_even = settings.proxy == "even" or settings.evenness is not None
    return unsupported(settings.space, settings.limits, settings.seed_network(), is_even=is_even)


def unsupported(space: object, limits: Limits, seed: ArchSpec | None = None, *, is_even: bool = False) -> str:
    """Why the exact search cannot take a problem, as `field: fault; fix`; empty if it can.

    Args:
        space: the space.
        limits: the limits.
        seed: the seed network, where it is known.
        is_even: whether evenness is the objective or limited.
    """
    if isinstance(space, RegNetSpace):
        return _unsupported_listing(space, limits, is_even)
    if not isinstance(space, BlockSpace):
        name = getattr(space, "kind", type(space).__name__)
        return f"algorithm: the exact search needs a space of free blocks, which {name} is not; {INSTEAD}"
    if space.stem_blocks != 1 or space.heads != 1 or space.counts_units or space.mid_ratios or space.fixed_blocks:
        return (
            "algorithm: the exact search needs free blocks that count in sub-layers, between a stem and a head of one "
            f"block each; {INSTEAD}"
        )
    for name in limits:
        if name not in (*SUMS, *DEVICE):
            return f"max_{name}: is no sum over blocks, which the exact search needs; leave it out or {INSTEAD}"
    if reason := _unsupported_depth(space, limits, is_even):
        return reason
    for op in space.ops:
        kind = OPS[op]
        if not kind.is_monotone:
            return f"algorithm: the exact search does not know whether op {op} is monotone; {INSTEAD}"
        if not set(kind.free_fields(space)) <= FREE_FIELDS:
            return f"algorithm: the exact search does not know all that may change in op {op}; {INSTEAD}"
    seeds = (*space.seeds, *(() if seed is None else (seed,)))
    if not all(one.classifier.is_plain for one in seeds):
        return f"algorithm: the exact search knows no classifier but one linear layer on the mean of a map; {INSTEAD}"
    for block in (block for one in seeds for block in one.blocks):
        if block.gene.style is not None or OPS[block.op].is_parallel:
            return (
                f"algorithm: the exact search knows the units of ZenNets only, and a block of op {block.op} has other "
                f"shortcuts, activations, gates or a pooling; {INSTEAD}"
            )
        if block.se is not None:
            return (
                "algorithm: the score does not see squeeze-and-excitation, so that the best network has none; "
                f"take se out of the seeds or {INSTEAD}"
            )
        if block.depth % OPS[block.op].units_per_sublayer:
            return f"algorithm: the exact search takes no seed with an odd number of units in a block; {INSTEAD}"
    return ""


def _unsupported_listing(space: RegNetSpace, limits: Limits, is_even: bool) -> str:
    """Why a space of RegNets cannot be listed."""
    for name in limits:
        if name not in Terms._fields or name == "sublayers":
            return f"max_{name}: is no sum over units, which a listing of {space.name} needs; leave it out or {INSTEAD}"
    if is_even and limits.macs is None:
        return f"max_macs: is missing, which the exact search needs for evenness; give it or {INSTEAD}"
    if not is_even and space.depth.max > MAX_LISTED:
        return (
            f"algorithm: without evenness there are too many networks of up to {space.depth.max} units to list; "
            f"lower depth.max of the space to {MAX_LISTED} or {INSTEAD}"
        )
    return ""


def _unsupported_depth(space: BlockSpace, limits: Limits, is_even: bool) -> str:
    """What is missing to bound the depth: a limit on it, or for evenness one on MACs and nothing but residual units."""
    if not is_even:
        if limits.sublayers is None and limits.layers is None:
            return (
                "algorithm: the exact search needs a limit on the depth, because the score grows with every layer; "
                "give max_sublayers or max_layers"
            )
        return ""
    if limits.macs is None:
        return f"max_macs: is missing, which the exact search needs for evenness; give it or {INSTEAD}"
    for name in ("sublayers", "layers"):
        if name in limits:
            return f"max_{name}: the exact search cannot limit it together with evenness; leave it out or {INSTEAD}"
    if any(not OPS[op].is_residual for op in space.ops):
        return f"algorithm: evenness in the exact search needs residual ops; {INSTEAD}"
    for seed in space.seeds:
        stem, head = seed.genes[0], seed.genes[-1]
        if stem.depth > 1 or head.kernel > 1 or head.stride > 1:
            return f"algorithm: evenness in the exact search needs a stem of one layer and a 1x1 head; {INSTEAD}"
    return ""
