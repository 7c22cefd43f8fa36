"""A network on one line."""

from __future__ import annotations

from .spec import ArchSpec


def notation(spec: ArchSpec) -> str:
    """A network on one line: `C3-88 B7-120/16x2 B7-192/16x6s2 ... C1-512`.

    A block is its op (C conv, R basic, B bottleneck, M mbconv, F fused, V repvgg), kernel, width, what is inside
    (`/mid_width`, `eN` for an expansion, `gN` channels per group), `xN` units and `sN` stride.
    """
    words = []
    for gene in spec.genes:
        word = f"{gene.kind.letter}{gene.kernel}-{gene.width}{gene.kind.details(gene)}"
        word += f"x{gene.depth}" if gene.depth > 1 else ""
        word += f"s{gene.stride}" if gene.stride > 1 else ""
        words.append(word)
    return " ".join(words)
