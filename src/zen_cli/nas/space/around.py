"""The space around a network: its blocks stay, their widths, depths, kernels and what is inside of units may change."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ...errors import SpecError
from ...net.ops import MAX_WIDTH, OPS, Gene
from ...net.spec import ArchSpec
from .blocks import BlockSpace
from .genes import to_spec
from .inside import inside_of
from .ranges import DepthRange, WidthRange
from .rules import Rules

STEP = 8
ROOM = 2  # times the widest and the deepest block
LEAST_DEPTH = 8
EXPANSIONS = (2, 3, 4, 6)  # of published networks; those between the network's own least and greatest are allowed


def space_around(network: ArchSpec, name: str) -> BlockSpace:
    """The space of networks like this one.

    Each block keeps its op, stride, groups and whatever else a spec says of it; the stem (all before the first residual
    block) and the head (all after the last) stay as they are. Kernels, expansions and ratios of widths are those that
    the network has. It keeps each design rule that the network keeps.

    Args:
        network: the network, which is the seed.
        name: of the space.

    Raises:
        SpecError: there is nothing between stem and head that may change.
    """
    seed = _joined(network)
    genes = seed.genes
    first, last = _ends(genes)
    inner = [gene for gene in genes[first:last] if gene.kind.is_searchable]
    if not inner:
        raise SpecError("from_: the network has no block between stem and head; give one with residual units")
    grouped = next((gene for gene in inner if gene.group_width and gene.kind.groups_input), None)
    if grouped is not None:
        what = f"{grouped.op} block with groups between stem and head"
        raise SpecError(f"from_: the network has a {what}, whose widths a search cannot change; use bottlenecks")
    insides = [inside_of(gene) for gene in inner]
    ratios = sorted({inside / gene.width for gene, inside in zip(inner, insides, strict=True) if inside})
    width = _range([gene.width for gene in inner])
    step = _step(inside for inside in insides if inside)
    most = min(MAX_WIDTH, math.ceil(max(ratios, default=1.0) * width.max))
    depths = [gene.depth for gene in inner]
    return BlockSpace(
        kind="blocks",
        name=name,
        summary="Networks like its seed: other widths, depths, kernels and expansions; all else stays.",
        seeds=(seed,),
        ops=tuple(dict.fromkeys(gene.op for gene in inner)),
        kernels=tuple(sorted({gene.kernel for gene in inner})),
        expansions=_expansions(inner),
        group_widths=tuple(sorted({gene.group_width for gene in inner})),
        pair_widths=False,
        width=width,
        mid_width=WidthRange(min=step, max=most // step * step, step=step),
        depth=DepthRange(max=min(500, max(LEAST_DEPTH, ROOM * max(depths)))),
        split_at=None,
        max_blocks=max(3, len(genes)),
        stem_blocks=first,
        head_blocks=len(genes) - last,
        mid_ratios=tuple(ratios),
        odd_depths=True,
        fixed_blocks=True,
        rules=_rules(inner),
    )


def _joined(network: ArchSpec) -> ArchSpec:
    """The network with blocks that follow each other as one block, where that is the same network."""
    rows: list[Gene] = []
    for gene in network.genes:
        joined = rows[-1]._replace(depth=rows[-1].depth + gene.depth) if rows else gene
        if rows and gene._replace(depth=0) == rows[-1]._replace(depth=0, stride=1):
            whole = to_spec((*rows[:-1], joined), network)
            apart = to_spec((*rows, gene), network)
            if whole.id == apart.id:
                rows[-1] = joined
                continue
        rows.append(gene)
    return to_spec(tuple(rows), network, network.name)


def _ends(genes: Sequence[Gene]) -> tuple[int, int]:
    """The indices of the first block after the stem and of the first one of the head."""
    residual = [index for index, gene in enumerate(genes) if gene.kind.is_residual]
    if residual:
        return max(1, residual[0]), residual[-1] + 1
    last = genes[-1]
    return 1, len(genes) - (len(genes) > 2 and last.kernel == 1 and last.kind.is_searchable)


def _range(widths: Sequence[int]) -> WidthRange:
    """Widths from half of the least to twice the greatest, in steps that all of them take."""
    step = _step(widths)
    moves = tuple(sign * count * max(1, STEP // step) for sign, count in ((-1, 2), (-1, 1), (1, 1), (1, 2)))
    least = max(step, min(widths) // 2 // step * step)
    return WidthRange(min=least, max=min(MAX_WIDTH, ROOM * max(widths)) // step * step, step=step, steps=moves)


def _step(widths: Iterable[int]) -> int:
    return math.gcd(STEP, *widths)


def _expansions(genes: Sequence[Gene]) -> tuple[int, ...]:
    own = {gene.expansion for gene in genes if gene.expansion}
    if not own:
        # inverted residuals need some, although the widths inside are those of ratios
        return (1,) if any(OPS[gene.op].has_pairs for gene in genes) else ()
    return tuple(sorted(own | {value for value in EXPANSIONS if min(own) <= value <= max(own)}))


def _rules(genes: Sequence[Gene]) -> Rules:
    """The default rules, without those that the network breaks; widths inside follow ratios instead of a rule."""
    rules = Rules(inside_over_width=None, width_over_inside=None)
    dense, depthwise = ({gene.kernel for gene in genes if gene.kind.is_depthwise == kind} for kind in (False, True))
    return rules.model_copy(
        update={
            "never_narrower": rules.narrower(gene.width for gene in genes) is None,
            "equal_pairs": all(gene.mid == gene.width for gene in genes if gene.kind.has_pairs),
            "dense_kernels": tuple(sorted({*(rules.dense_kernels or ()), *dense})),
            "depthwise_kernels": tuple(sorted({*(rules.depthwise_kernels or ()), *depthwise})),
        }
    )
