"""What the exact search solves: a space, a seed network and limits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ....errors import UsageError
from ....metrics.mean_field import log_delta
from ....net.layers import ConvLayer, shrink
from ....net.ops import OPS, Block, Gene, block_units
from ....net.spec import ArchSpec
from ....target.latency import start_ms
from ...limits import Limits
from ...space import BlockSpace, WidthRange, genome_of
from .depths import MAX_STATES, Depth, Depths, make_depths
from .evenly import Evenly
from .first_cost import PARAMS, WEIGHTS, FirstCost, Milliseconds, Weights
from .support import INSTEAD, SUMS, unsupported

MAX_SUBLAYERS = 200
LEAST_MS = 1e-6  # a limit that no network keeps, where a target takes longer to begin


class Grid(NamedTuple):
    """Widths from `min` to `max`, all multiples of `step`."""

    min: int
    max: int
    step: int


class Variant(NamedTuple):
    """A kind of block whose widths, kernel and depth are still open.

    Attributes:
        gene: one sub-layer of it with stride 1; its widths and kernel mean nothing.
        kernels: the kernels that it can have; its first convolution is the same for all of them.
        mids: the values that `mid` can have.
        is_tied: whether `mid` is the width itself.
        layers: convolutions of one sub-layer.
    """

    gene: Gene
    kernels: tuple[int, ...]
    mids: Grid
    is_tied: bool
    layers: int


class Stage(NamedTuple):
    """Consecutive blocks on maps of one size: the first block has the stride, the others have none.

    `in_side` is the side of the map before the first block. The stage after the stem has stride 1 and may be empty.
    """

    in_side: int
    stride: int

    @property
    def side(self) -> int:
        """Side of the maps after the first block."""
        return shrink(self.in_side, self.stride)


@dataclass(frozen=True)
class Problem:
    """A search problem; make it with `read_problem`.

    `counts_blocks` says whether the depths count blocks too, so that no path has more than `max_blocks`. `evenness`
    says how evenness enters it, if it does: then depths count units, and a path has exactly `evenness.units` of them.
    """

    space: BlockSpace
    seed: ArchSpec
    limits: Limits
    convention: str
    norm: str
    alpha: float
    counts_blocks: bool = False
    evenness: Evenly | None = None

    @property
    def weight(self) -> float:
        """The weight of the score in the objective: 0 where evenness is the objective."""
        return 0.0 if self.evenness is not None and self.evenness.floor is None else 1.0

    @cached_property
    def first_cost(self) -> FirstCost:
        """The first cost: milliseconds where these are limited, else weights or parameters. Weights are fewer, so that
        they count where their limit is the lower one.
        """
        target = self.limits.target
        if "latency" in self.limits and target is not None:
            return Milliseconds(target, self.seed.classifier)
        return WEIGHTS if self.limits.elements("weights") < (self.limits.params or math.inf) else PARAMS

    @property
    def most_params(self) -> float | None:
        """The limit on the first cost."""
        cost = self.first_cost
        if isinstance(cost, Milliseconds):
            return max(self.limits.lowered("latency") - start_ms(cost.target), LEAST_MS)
        return self.limits.elements("weights") if isinstance(cost, Weights) else self.limits.params

    @property
    def unpriced(self) -> tuple[float, float]:
        """The limits on parameters and weights where the first cost is another one, which have no price."""
        cost, params = self.first_cost, self.limits.params
        is_timed = isinstance(cost, Milliseconds)
        return (
            math.inf if params is None or not (is_timed or isinstance(cost, Weights)) else params,
            self.limits.elements("weights") if is_timed else math.inf,
        )

    @cached_property
    def most_live(self) -> float:
        """The most elements of live tensors."""
        return self.limits.elements("memory")

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
        """The stages between stem and head."""
        side = shrink(self.seed.side, self.stem.stride)
        rows = [Stage(side, 1)]
        for gene in genome_of(self.seed)[1:-1]:
            if gene.stride > 1:
                rows.append(Stage(side, gene.stride))
                side = rows[-1].side
        return tuple(rows)

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """What a block can be."""
        return tuple(make_variants(self.space, genome_of(self.seed)[1]))

    @cached_property
    def depths(self) -> Depths:
        """The depths between stem and head."""
        ends = self.stem.sublayers + self.head.sublayers
        sublayers, layers = self.limits.sublayers, self.limits.layers
        return make_depths(
            sorted({self.length(variant) for variant in self.variants}),
            (self.space.depth.min, self.space.depth.max),
            sublayers=None if sublayers is None or self.evenness else sublayers - ends,
            layers=self.evenness.units if self.evenness else None if layers is None else layers - ends,
            blocks=self.max_blocks,
            counts_blocks=self.counts_blocks,
        )

    @property
    def max_blocks(self) -> int:
        """The most blocks between stem and head."""
        return self.space.max_blocks - 2

    def variant_of(self, gene: Gene) -> int:
        """The number of a block's variant."""
        for index, (one, kernels, *_) in enumerate(self.variants):
            if gene.kernel in kernels and gene._replace(kernel=0, width=0, stride=1, depth=one.depth, mid=0) == one:
                return index
        raise ValueError(f"a block of no variant: {gene}")

    def length(self, variant: Variant) -> int:
        """What a sub-layer adds to `Depth.layers`: convolutions, or units where evenness counts."""
        return variant.gene.kind.units_per_sublayer if self.evenness else variant.layers

    def log_delta(self, state: Depth) -> float:
        """log Delta at this depth for a last map of one element, in nats; minus infinity where no path may end."""
        layers = state.layers
        if self.evenness is not None:
            if layers != self.evenness.units:
                return -math.inf
            layers *= max(variant.layers // self.length(variant) for variant in self.variants)
        ends = self.stem.depth + self.head.depth
        return self.weight * log_delta(self.norm, self.alpha, layers + ends, 1, 1)

    @property
    def log_map_factor(self) -> float:
        """The exponent of the last map's elements in Delta."""
        return 1.0 if self.norm == "l1" else 0.5

    def conv_spans(self) -> tuple[tuple[int, WidthRange | None], tuple[int, WidthRange | None]]:
        """(width in the seed network, range or None) of stem and head."""
        return (self.stem.width, self.space.stem_span), (self.head.width, self.space.head_span)


def make_variants(space: BlockSpace, gene: Gene) -> Iterator[Variant]:
    """The variants of all ops of a space; `gene` is a block of it, for what a block has beside its numbers."""
    for op in (op for op in OPS if op in space.ops):
        kind = OPS[op]
        rows = [kind.converted(gene, space, each) for each in sorted(set(space.expansions)) or (0,)]
        if "group_width" in kind.free_fields(space):
            rows = [row._replace(group_width=each) for row in rows for each in sorted(set(space.group_widths))]
        for row in dict.fromkeys(row._replace(kernel=0, width=0, stride=1, mid=0).with_sublayers(1) for row in rows):
            grid = _mids(space, row)
            by_entry: dict[ConvLayer, list[int]] = {}
            layers = 0
            for kernel in sorted(set(kernels_of(space, kind))):
                sample = row._replace(kernel=kernel, width=space.width.max, mid=grid.max)
                chains = [unit.layers(space.seeds[0].side) for unit in block_units(sample, 1)]
                by_entry.setdefault(chains[0][0], []).append(kernel)
                layers = sum(map(len, chains))
            is_tied = kind.has_pairs and "mid" not in free_fields(space, kind)
            for kernels in by_entry.values():
                yield Variant(row, tuple(kernels), grid, is_tied, layers)


def kernels_of(space: BlockSpace, kind: type[Block]) -> tuple[int, ...]:
    """The kernels that blocks of an op may have, by the space and its rules."""
    return space.kernels if space.rules is None else space.rules.kernels(kind, space.kernels)


def free_fields(space: BlockSpace, kind: type[Block]) -> tuple[str, ...]:
    """Which of `mid`, `expansion` and `group_width` are free in blocks of an op, by the space and its rules."""
    is_tied = space.rules is not None and space.rules.equal_pairs and kind.has_pairs
    return tuple(name for name in kind.free_fields(space) if not (is_tied and name == "mid"))


def _mids(space: BlockSpace, gene: Gene) -> Grid:
    """The values that `mid` can have: two or more whole groups where there are groups."""
    span, group = gene.kind.mid_span(space), gene.group_width
    step = math.lcm(span.step, group) if group else span.step
    least = -(-max(span.min, 2 * group) // step) * step
    return Grid(least, span.max // step * step, step)


def read_problem(
    space: BlockSpace,
    seed: ArchSpec,
    limits: Limits,
    *,
    convention: str,
    norm: str,
    alpha: float,
    is_even: bool = False,
) -> Problem:
    """A problem, checked.

    Raises:
        UsageError: the exact search cannot take it, or no network keeps its limits on the depth.
    """
    if reason := unsupported(space, limits, seed, is_even=is_even):
        raise UsageError(reason)
    for name in SUMS[:2]:
        limit = getattr(limits, name)
        if limit is not None and limit < 1:
            raise UsageError(f"max_{name}: {limit} is less than any network needs; raise it")
    problem = Problem(space, seed, limits, convention, norm, alpha)
    if is_even:
        return problem
    ends = problem.stem.depth + problem.head.depth
    least = max(1, len(problem.stages) - 1) * space.depth.min
    layers = least * min(variant.layers for variant in problem.variants)
    for name, limit, needed in (
        ("sublayers", limits.sublayers, ends + least),
        ("layers", limits.layers, ends + layers),
    ):
        if limit is not None and limit < needed:
            raise UsageError(f"max_{name}: {limit} is less than the {needed} of the shallowest network of the space")
    if problem.depths.steps.stop - 1 > MAX_SUBLAYERS or len(problem.depths.states) > MAX_STATES:
        raise UsageError(
            f"max_sublayers: the exact search takes up to {MAX_SUBLAYERS} sub-layers; give less or {INSTEAD}"
        )
    return problem
