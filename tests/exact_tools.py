"""Tiny spaces that can be listed in full, and the list: an independent judge of the exact search."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache

from zen_cli.metrics.block_terms import Terms, block_terms
from zen_cli.metrics.mean_field import log_delta
from zen_cli.metrics.terms import NetworkTerms, spec_terms
from zen_cli.nas.limits import Limits
from zen_cli.nas.space import BlockSpace, Gene, Genome, genome_of, to_spec
from zen_cli.net.ops import OPS
from zen_cli.net.spec import ArchSpec

STEM = {"op": "conv", "kernel": 3, "width": 8, "stride": 1, "depth": 1}
HEAD = {"op": "conv", "kernel": 1, "width": 16, "stride": 1, "depth": 1}
FIRST = {
    "basic": {"op": "basic", "kernel": 3, "width": 8, "mid_width": 8, "depth": 1},
    "bottleneck": {"op": "bottleneck", "kernel": 3, "width": 8, "mid_width": 8, "depth": 2},
    "mbconv": {"op": "mbconv", "kernel": 3, "width": 8, "expansion": 1, "depth": 2},
}


def tiny_space(
    *ops: str, strides: tuple[int, ...] = (2,), block: dict[str, int] | None = None, **changes: object
) -> BlockSpace:
    """A space of a few thousand networks on 8 x 8 images."""
    first = {**FIRST[ops[0]], **(block or {})}
    blocks = [STEM, *({**first, "stride": stride} for stride in strides), HEAD]
    fields = {
        "kind": "blocks",
        "name": "tiny",
        "seeds": [{"resolution": 8, "num_classes": 5, "blocks": blocks}],
        "ops": ops,
        "kernels": [3, 5],
        "expansions": [1, 2] if "mbconv" in ops else [],
        "width": {"min": 8, "max": 24},
        "mid_width": {"min": 8, "max": 16},
        "stem_width": {"min": 8, "max": 16},
        "head_width": {"min": 8, "max": 16},
        **changes,
    }
    return BlockSpace.model_validate(fields)


def members(space: BlockSpace, sublayers: int) -> Iterator[Genome]:
    """Every genome of a space whose blocks between stem and head have at most so many sub-layers."""
    seed = genome_of(space.seeds[0])
    strides = tuple(gene.stride for gene in seed[1:-1] if gene.stride > 1)
    stems, heads = (
        [gene] if span is None else [gene._replace(width=w) for w in range(span.min, span.max + 1, span.step)]
        for gene, span in ((seed[0], space.stem_span), (seed[-1], space.head_span))
    )
    for body in _bodies(space, strides, sublayers):
        if 0 < len(body) <= space.max_blocks - 2:
            if space.rules is not None and space.excludes((stems[0], *body, heads[0]), space.seeds[0]):
                continue
            for stem in stems:
                for head in heads:
                    yield stem, *body, head


def _bodies(space: BlockSpace, strides: tuple[int, ...], sublayers: int) -> Iterator[Genome]:
    if not strides:
        yield ()
    for depth in range(space.depth.min, min(sublayers, space.depth.max) + 1):
        for gene in _genes(space, depth):
            for rest in _bodies(space, strides, sublayers - depth):
                yield gene, *rest
            if strides:
                for rest in _bodies(space, strides[1:], sublayers - depth):
                    yield gene._replace(stride=strides[0]), *rest


@lru_cache
def _genes_of(text: str, depth: int) -> tuple[Gene, ...]:
    space = BlockSpace.model_validate_json(text)
    rows = []
    widths, mids = (range(span.min, span.max + 1, span.step) for span in (space.width, space.mid_width))
    for op in space.ops:
        for kernel in space.kernels:
            for width in widths:
                for mid in widths if op == "mbconv" else mids if OPS[op].has_mid else (0,):
                    for expansion in space.expansions if op == "mbconv" else (0,):
                        for group in space.group_widths if op == "bottleneck" else (0,):
                            units = depth * OPS[op].units_per_sublayer
                            if group and (mid % group or mid == group):
                                continue
                            if op == "mbconv" and mid != width and not space.pair_widths:
                                continue
                            rows.append(Gene(op, kernel, width, 1, units, mid, expansion, group))
    return tuple(rows)


def _genes(space: BlockSpace, depth: int) -> tuple[Gene, ...]:
    return _genes_of(space.model_dump_json(by_alias=True), depth)


@cache
def _terms(gene: Gene, width: int, side: int, convention: str, first: bool) -> tuple[Terms, int]:
    return block_terms(gene, width, side, convention, first=first)


def measure(genome: Genome, seed: ArchSpec, convention: str) -> tuple[Terms, int, int]:
    """(terms with the classifier, width, side) of a genome."""
    width, side, rows = seed.in_channels, seed.resolution, []
    for index, gene in enumerate(genome):
        terms, side = _terms(gene, width, side, convention, index == 0)
        rows.append(terms)
        width = gene.width
    linear = width * seed.num_classes
    rows.append(Terms(params=linear + seed.num_classes, macs=linear))
    return Terms(*map(sum, zip(*rows, strict=True))), width, side


def admits(limits: Limits, row: tuple[Terms, int, int]) -> bool:
    """Whether a network that was measured keeps the limits."""
    return limits.admits(NetworkTerms(*row, (), (), (0, 0), ()))


def value(terms: Terms, width: int, side: int, norm: str) -> float:
    """The closed-form score with alpha 0.01."""
    return terms.log_gain + log_delta(norm, 0.01, terms.layers, width, side * side)


def check_measure(genome: Genome, seed: ArchSpec) -> None:
    """The list's arithmetic is that of the spec."""
    terms = spec_terms(to_spec(genome, seed))
    assert measure(genome, seed, "paper") == (terms.total, terms.width, terms.side)
