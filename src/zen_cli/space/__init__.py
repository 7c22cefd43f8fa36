"""Search spaces as data (`zen-space/1`): a seed network and what may change."""

from .blocks import BlockSpace
from .genes import Gene, Genome, genome_of, to_spec
from .ranges import DepthRange, WidthRange

__all__ = ["BlockSpace", "DepthRange", "Gene", "Genome", "WidthRange", "genome_of", "to_spec"]
