"""Search spaces as data (`zen-space/1`): which networks there are, and the moves between them.

To add a kind of space, add one file with a model that has the methods of `Space`, and its line in the table of
`load.py`.
"""

from ...net.ops import Gene
from .blocks import BlockSpace
from .genes import Genome, genome_of, to_spec
from .line import RegNetGenome
from .load import BUILTIN, load_space, parse_space
from .protocol import Space
from .ranges import DepthRange, WidthRange
from .regnet import RegNetSpace
from .rules import Rules

__all__ = [
    "BUILTIN",
    "BlockSpace",
    "DepthRange",
    "Gene",
    "Genome",
    "RegNetGenome",
    "RegNetSpace",
    "Rules",
    "Space",
    "WidthRange",
    "genome_of",
    "load_space",
    "parse_space",
    "to_spec",
]
