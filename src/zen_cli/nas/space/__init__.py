"""Search spaces as data (`zen-space/1`): a seed network and what may change."""

from ...net.ops import Gene
from .blocks import BlockSpace
from .genes import Genome, genome_of, to_spec
from .load import BUILTIN, Space, load_space, parse_space
from .ranges import DepthRange, WidthRange
from .regnet import RegNetGenome, RegNetSpace

__all__ = [
    "BUILTIN",
    "BlockSpace",
    "DepthRange",
    "Gene",
    "Genome",
    "RegNetGenome",
    "RegNetSpace",
    "Space",
    "WidthRange",
    "genome_of",
    "load_space",
    "parse_space",
    "to_spec",
]
