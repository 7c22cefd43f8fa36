"""Networks that are even by construction, for a local search to begin with.

The evenest networks, and those in a band below them, spend about the same MACs on every unit. So a division of units
among the stages and an op for each stage nearly say what a network is: the widths follow. From a dozen of these the
local search ends at networks that an evolution takes minutes to find, or does not find.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ....metrics.evenness import best_units, block_sums
from ....net.ops import OPS, Gene
from ...space import Genome
from .polish import Polisher
from .problem import Problem, Variant, kernels_of

SHARE = 0.93  # of the limit on MACs that the units get; stem, head and projections need the rest
SPREAD = 2  # units more or less than N*, where evenness is the objective
SEED = 1
NEAR, KICK = 4, 4  # ends that are changed, each of another shape, and by how many moves at most


def even_networks(problem: Problem, count: int, most_units: float | None) -> Iterator[Genome]:
    """So many networks of random divisions and ops.

    Args:
        problem: with a limit on MACs.
        count: how many.
        most_units: of a network in a band of evenness, where the deepest ones have the best score; None where
            evenness is the objective.
    """
    random, macs = Random(SEED), float(problem.limits.macs or 0)
    best = best_units(macs)
    least, most = (best - SPREAD, best + SPREAD) if most_units is None else ((best + most_units) / 2, most_units)
    for _ in range(count):
        units = max(len(problem.stages), round(least + (most - least) * random.random()))
        yield _even_network(problem, random, units, SHARE * macs / units)


def search_evenly(polisher: Polisher, count: int) -> None:
    """Local searches from so many networks that are even by construction, and from near the best ones of their ends.

    Source: Martin, Otto and Felten, *Large-step Markov chains for the traveling salesman problem* (1991).
    """
    aim, random = polisher.aim, Random(SEED)
    most_units = None if aim is None or aim.floor is None else aim.most_units
    for genome in even_networks(polisher.problem, count, most_units):
        polisher.descend(genome)
    for _ in range(count):
        ends = polisher.best_of_shapes(NEAR)
        if not ends:
            return
        genome = ends[int(random.random() * len(ends))]
        for _ in range(1 + int(random.random() * KICK)):
            genome = polisher.problem.space.neighbour(genome, random)
        polisher.descend(genome)


def _even_network(problem: Problem, random: Random, units: int, macs: float) -> Genome:
    """A network of about so many units of so many MACs each."""
    shares = [random.random() + 0.5 for _ in problem.stages]
    shares[0] -= 0.5  # the stage after the stem may be empty
    genes = [problem.stem]
    for index, (stage, share) in enumerate(zip(problem.stages, shares, strict=True)):
        variant = problem.variants[int(random.random() * len(problem.variants))]
        sublayers = round(units * share / sum(shares) / OPS[variant.gene.op].units_per_sublayer)
        if sublayers or index:
            gene = _block(problem, variant, random, stage.side, macs)
            width = max(gene.width, genes[-1].width if index and len(genes) > 1 else 0)
            span = problem.space.depth
            depth = max(span.min, min(span.max, sublayers))
            genes.append(_fitted(problem, variant, gene, width)._replace(stride=stage.stride).with_sublayers(depth))
    return (*genes, problem.head)


def _block(problem: Problem, variant: Variant, random: Random, side: int, macs: float) -> Gene:
    """A block of the width at which a unit has so many MACs, or of the nearest one."""
    kernels = [each for each in kernels_of(problem.space, OPS[variant.gene.op]) if each in variant.kernels]
    gene = variant.gene._replace(kernel=kernels[int(random.random() * len(kernels))])
    span = problem.space.width
    low, high = span.min // span.step, span.max // span.step
    while low < high:
        middle = (low + high) // 2
        wide = _fitted(problem, variant, gene, middle * span.step)
        low, high = (low, middle) if block_sums(wide, wide.width, side, False).macs >= macs else (middle + 1, high)
    return _fitted(problem, variant, gene, low * span.step)


def _fitted(problem: Problem, variant: Variant, gene: Gene, width: int) -> Gene:
    """The block as wide inside as outside, as far as its range and the rules allow."""
    mids, rules = variant.mids, problem.space.rules
    mid = width if variant.is_tied else max(mids.min, min(mids.max, round(width / mids.step) * mids.step))
    wide = gene._replace(width=width, mid=mid)
    return wide if rules is None else rules.fit(wide, gene.kind.mid_span(problem.space), problem.space.kernels)
