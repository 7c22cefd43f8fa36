"""What the exact search is asked: a space, a seed network and limits, refused where they cannot be solved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ....errors import UsageError
from ....metrics.mean_field import log_delta
from ....net.layers import shrink
from ....net.ops import OPS
from ....net.spec import ArchSpec
from ...limits import Limits
from ...space import BlockSpace, Gene, WidthRange, genome_of

LAYERS_PER_SUBLAYER = {"basic": 2, "bottleneck": 6, "mbconv": 6}

MAX_DEPTH_STATES = 60
MAX_SUBLAYERS = 200

_INSTEAD = "use --algorithm evolution"


class Variant(NamedTuple):
    """A kind of block whose kernel, mid width and width are still open.

    The kernel of a basic unit weighs on both of its convolutions, so that each kernel is a variant of its own; that of
    the other ops weighs on the mid width alone and is chosen when the tables are made. `twins` are inverted residuals
    whose pairs have one width.
    """

    op: str
    kernels: tuple[int, ...]
    group_width: int = 0
    expansion: int = 0
    twins: bool = False

    @property
    def layers(self) -> int:
        """Convolutions of one sub-layer."""
        return LAYERS_PER_SUBLAYER[self.op]


class Stage(NamedTuple):
    """A stretch of blocks on maps of one size: the first block has the stride, the rest has none.

    `in_side` is the side in front of the stretch. The stage behind the stem has stride 1 and may be empty.
    """

    in_side: int
    stride: int

    @property
    def side(self) -> int:
        """Side of the maps behind the first block."""
        return shrink(self.in_side, self.stride)


@dataclass(frozen=True)
class Problem:
    """A search problem; make it with `read_problem`."""

    space: BlockSpace
    seed: ArchSpec
    limits: Limits
    convention: str
    norm: str
    alpha: float

    @cached_property
    def stem(self) -> Gene:
        """The stem of the seed network; its width may change."""
        return genome_of(self.seed)[0]

    @cached_property
    def head(self) -> Gene:
        """The head of the seed network; its width may change."""
        return genome_of(self.seed)[-1]

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stretches between stem and head."""
        side = shrink(self.seed.resolution, self.stem.stride)
        rows = [Stage(side, 1)]
        for gene in genome_of(self.seed)[1:-1]:
            if gene.stride > 1:
                rows.append(Stage(side, gene.stride))
                side = rows[-1].side
        return tuple(rows)

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """What a block can be."""
        space = self.space
        rows: list[Variant] = []
        if "basic" in space.ops:
            rows += [Variant("basic", (kernel,)) for kernel in sorted(set(space.kernels))]
        if "bottleneck" in space.ops:
            rows += [Variant("bottleneck", space.kernels, group_width=each) for each in sorted(set(space.group_widths))]
        if "mbconv" in space.ops:
            twins = not space.pair_widths
            rows += [Variant("mbconv", space.kernels, 0, each, twins) for each in sorted(set(space.expansions))]
        return tuple(rows)

    @cached_property
    def depths(self) -> Depths:
        """The depths between stem and head."""
        return Depths.within(self)

    def log_delta(self, state: Depth) -> float:
        """log Delta behind this depth on a last map of one element, in nats."""
        layers = state.layers + self.stem.depth + self.head.depth
        return log_delta(self.norm, self.alpha, layers, 1, 1)

    @property
    def log_map_factor(self) -> float:
        """The exponent of the last map's elements in Delta."""
        return 1.0 if self.norm == "l1" else 0.5

    def conv_spans(self) -> tuple[tuple[int, WidthRange | None], tuple[int, WidthRange | None]]:
        """(width in the seed network, range or None) of stem and head."""
        return (self.stem.width, self.space.stem_width), (self.head.width, self.space.head_width)


class Depth(NamedTuple):
    """Depth between stem and head: sub-layers, and convolutions (the most there can be, where depths are merged)."""

    sublayers: int
    layers: int


@dataclass(frozen=True)
class Depths:
    """The depths that a path can have, as numbered states, the shallowest first.

    Attributes:
        states: the depth of each state.
        most: the most sub-layers that there can be.
        exact: whether a state knows both its sub-layers and its convolutions. Otherwise it counts what is limited, and
            log Delta is bounded from above by that of the most convolutions.
        steps: block depths in sub-layers.
        kinds: by layers per sub-layer, the number of a kind of block: those of a kind lead from state to state alike.
        next: next[kind][state][i] is the state behind a block of steps[i] sub-layers, or the number of states where
            it is too deep.
    """

    states: tuple[Depth, ...]
    most: int
    exact: bool
    steps: range
    kinds: dict[int, int]
    next: list[list[list[int]]]

    @classmethod
    def within(cls, problem: Problem) -> Depths:
        """The depths that a problem's limits on sub-layers and layers allow."""
        space, limits = problem.space, problem.limits
        kinds = sorted({LAYERS_PER_SUBLAYER[op] for op in space.ops})
        ends = problem.stem.depth + problem.head.depth
        sublayers = math.inf if limits.sublayers is None else limits.sublayers - ends
        layers = math.inf if limits.layers is None else limits.layers - ends
        most = int(max(0, min(sublayers, layers // kinds[0])))
        rows = sorted(_reachable(most, layers, kinds))
        exact = len(rows) <= MAX_DEPTH_STATES or (limits.sublayers is not None and limits.layers is not None)
        if not exact and limits.layers is None:
            rows = [Depth(count, count * kinds[-1]) for count in range(most + 1)]
        elif not exact:
            rows = sorted({Depth(0, row.layers) for row in rows})
        index = {_key(row, exact, limits): number for number, row in enumerate(rows)}
        steps = range(space.depth.min, max(space.depth.min, min(space.depth.max, most)) + 1)
        table = [
            [
                [
                    index.get(_key(Depth(row.sublayers + n, row.layers + n * layer), exact, limits), len(rows))
                    for n in steps
                ]
                for row in rows
            ]
            for layer in kinds
        ]
        if not exact and limits.layers is None:  # all lead alike
            return cls(tuple(rows), most, exact, steps, dict.fromkeys(kinds, 0), table[:1])
        return cls(tuple(rows), most, exact, steps, {layer: kind for kind, layer in enumerate(kinds)}, table)


def _reachable(most: int, layers: float, kinds: list[int]) -> set[Depth]:
    rows = {Depth(0, 0)}
    front = rows
    for _ in range(most):
        front = {Depth(row.sublayers + 1, row.layers + kind) for row in front for kind in kinds}
        front = {row for row in front if row.layers <= layers}
        rows = rows | front
    return rows


def _key(depth: Depth, exact: bool, limits: Limits) -> tuple[int, ...]:
    """What tells a state from others."""
    if exact:
        return depth
    return (depth.sublayers,) if limits.layers is None else (depth.layers,)


def check_exact(space: object, limits: Limits, seed: ArchSpec | None = None) -> None:
    """Whether the exact search can take a space and limits.

    Args:
        space: the space.
        limits: the limits.
        seed: the seed network, where it is known.

    Raises:
        UsageError: it cannot, with the reason and what to do.
    """
    if not isinstance(space, BlockSpace):
        name = getattr(space, "kind", type(space).__name__)
        raise UsageError(f"--algorithm exact: needs a space of free blocks, which {name} is not; {_INSTEAD}")
    if limits.depth_width_ratio is not None:
        raise UsageError(
            f"--max-depth-width-ratio: is no sum over blocks, which --algorithm exact needs; leave it out or {_INSTEAD}"
        )
    if limits.sublayers is None and limits.layers is None:
        raise UsageError(
            "--algorithm exact: needs a limit on the depth; give --max-sublayers or --max-layers, because the score "
            "grows with every layer"
        )
    for one in (*space.seeds, *(() if seed is None else (seed,))):
        if any(block.se is not None for block in one.blocks):
            raise UsageError(
                f"--algorithm exact: the score does not see squeeze-and-excitation, so that the best network has none; "
                f"take se out of the seeds or {_INSTEAD}"
            )
        if any(OPS[block.op].units_per_sublayer > 1 and block.depth % 2 for block in one.blocks):
            raise UsageError(f"--algorithm exact: a seed has an odd number of units in a block; {_INSTEAD}")


def read_problem(
    space: BlockSpace, seed: ArchSpec, limits: Limits, *, convention: str, norm: str, alpha: float
) -> Problem:
    """A problem, checked.

    Raises:
        UsageError: the exact search cannot take it, or nothing keeps its depth limits.
    """
    check_exact(space, limits, seed)
    problem = Problem(space, seed, limits, convention, norm, alpha)
    ends = problem.stem.depth + problem.head.depth
    blocks = max(1, len(problem.stages) - 1)
    least = blocks * space.depth.min
    layers = least * min(LAYERS_PER_SUBLAYER[op] for op in space.ops)
    for name, limit, needed in (
        ("sublayers", limits.sublayers, ends + least),
        ("layers", limits.layers, ends + layers),
    ):
        if limit is not None and limit < needed:
            raise UsageError(f"--max-{name}: {limit} is less than the {needed} of the shallowest network of the space")
    if problem.depths.steps.stop - 1 > MAX_SUBLAYERS or len(problem.depths.states) > MAX_SUBLAYERS * 10:
        raise UsageError(
            f"--algorithm exact: takes limits of up to {MAX_SUBLAYERS} sub-layers; give a lower one or {_INSTEAD}"
        )
    return problem
