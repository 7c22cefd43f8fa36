"""Genomes: members of a space as tuples of genes, and the networks that they are."""

from __future__ import annotations

from typing import TypeAlias

from ...net.ops import Gene
from ...net.spec import ArchSpec, parse_spec

Genome: TypeAlias = tuple[Gene, ...]


def genome_of(spec: ArchSpec) -> Genome:
    """The genome of a spec."""
    return spec.genes


def to_spec(genome: Genome, base: ArchSpec, name: str | None = None) -> ArchSpec:
    """The spec of a genome, with the resolution, channels in and classes of `base`."""
    fields = base.model_dump(by_alias=True, exclude={"blocks", "name", "activation"})  # blocks say theirs themselves
    if base.head:
        fields["head_activation"] = base.head_activation or base.activation
    return parse_spec({**fields, "name": name, "blocks": [gene.to_block() for gene in genome]})
