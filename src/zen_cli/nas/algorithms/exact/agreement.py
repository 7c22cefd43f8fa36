"""Whether the tables of an op have what the op itself counts."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from ....metrics.block_terms import block_terms
from ....net.ops import Block
from .graph import make_gene, singles
from .problem import Problem, Stage, Variant
from .tables import sublayer_tables


def check_tables(problem: Problem) -> str:
    """Why the tables of an op are not right, as `field: fault; fix`, by a sample of each variant; empty if they are."""
    widths = problem.space.width.min, problem.space.width.max
    for variant, stage in product(problem.variants, problem.stages):
        if not _agree(variant, stage, *widths, problem.convention, variant.gene.kind):
            return f"algorithm: the exact search and the counts of op {variant.gene.op} differ; use the evolution"
    return ""


@lru_cache(maxsize=4096)
def _agree(
    variant: Variant,
    stage: Stage,
    least: int,
    most: int,
    convention: str,
    kind: type[Block],  # noqa: ARG001  # an op that is registered anew has the same name and another class
) -> bool:
    """Whether a block has the same terms by tables and by count, from the least width in to the most width out."""
    gene = make_gene(variant, variant.kernels[-1], most, variant.mids.min, stage.stride, sublayers=3)
    cells = [singles([each], 1) for each in (least, gene.mid, most)]
    rows = sublayer_tables(variant, stage, stage.stride, cells[0], cells[1], cells[2], convention)
    block = rows.entry.plus(rows.across).plus(rows.first).plus(rows.more, times=2)
    found = [float(np.ravel(each)[-1]) for each in block[:3]]
    terms, _ = block_terms(gene, least, stage.in_side, convention, first=False)
    return np.allclose(found, [terms.log_gain, terms.params, terms.macs], rtol=1e-12)
