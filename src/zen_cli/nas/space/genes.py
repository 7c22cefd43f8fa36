"""Members of a search space as a search sees them: tuples of bare blocks that count and score like those of a spec."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from ...errors import SpecError
from ...net.blocks import UNITS_PER_SUBLAYER, Block, round_to_8
from ...net.spec import ArchSpec, parse_spec


class Gene(NamedTuple):
    """A block as a search sees it: bare, hashable, quick to make. It lays out its units like the block it becomes.

    `mid` is `mid_width` of basic and bottleneck units and `pair_width` of inverted residuals; zero where there is none,
    and so are `expansion` and `group_width`.
    """

    op: str
    kernel: int
    width: int
    stride: int
    depth: int
    mid: int = 0
    expansion: int = 0
    group_width: int = 0
    se: float | None = None

    @property
    def sublayers(self) -> int:
        """Sub-layers as published searches count them."""
        return -(-self.depth // UNITS_PER_SUBLAYER[self.op])

    def widths(self, index: int) -> tuple[int, int, int]:
        """(mid_width, width, groups) of unit `index`."""
        if self.op == "mbconv":
            width = self.mid if index % 2 == 0 else self.width
            inside = round_to_8(self.expansion, width)
            return inside, width, inside
        if self.op == "conv":
            return self.width, self.width, 1
        return self.mid, self.width, self.mid // self.group_width if self.group_width else 1

    def resized(self, width: int, mid: int) -> Gene:
        """The gene with these widths; a search does this all the time, and `_replace` takes twice as long."""
        op, kernel, _, stride, depth, _, expansion, group_width, se = self
        return Gene(op, kernel, width, stride, depth, mid, expansion, group_width, se)

    def to_block(self) -> dict[str, Any]:
        """The block of a spec, as JSON types."""
        row: dict[str, Any] = {"op": self.op, "kernel": self.kernel, "width": self.width, "stride": self.stride}
        row["depth"] = self.depth
        if self.op == "mbconv":
            row["expansion"] = self.expansion
            if self.mid != self.width:
                row["pair_width"] = self.mid
        elif self.op != "conv":
            row["mid_width"] = self.mid
        if self.group_width:
            row["group_width"] = self.group_width
        return row if self.se is None else {**row, "se": self.se}


Genome: TypeAlias = tuple[Gene, ...]


def gene_of(block: Block) -> Gene:
    """The gene of a block.

    Raises:
        SpecError: an inverted residual with `mid_width`, which no space has.
    """
    row = block.model_dump()
    if block.op == "mbconv":
        if row["expansion"] is None:
            raise SpecError("an inverted residual of a search space has expansion, not mid_width")
        row["mid"] = row["pair_width"] or block.width
    elif block.op != "conv":
        row["mid"] = row["mid_width"]
        mid, _, groups = block.widths(0)
        row["group_width"] = 0 if groups == 1 else mid // groups
    keep = {key: value for key, value in row.items() if key in Gene._fields and value is not None}
    return Gene(**keep)


def genome_of(spec: ArchSpec) -> Genome:
    """The genome of a spec.

    Raises:
        SpecError: a block that no space has.
    """
    return tuple(gene_of(block) for block in spec.blocks)


def to_spec(genome: Genome, base: ArchSpec, name: str | None = None) -> ArchSpec:
    """The spec of a genome, with the resolution, channels in and classes of `base`."""
    fields = base.model_dump(by_alias=True, exclude={"blocks", "name"})
    return parse_spec({**fields, "name": name, "blocks": [gene.to_block() for gene in genome]})
