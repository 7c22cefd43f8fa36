"""The ops: one file each, registered in `OPS`; what counts, scores, builds, draws or mutates a block calls its op.

To add an op, add one file with a class that `@register` decorates, and import it here.
"""

from .base import MAX_WIDTH, OPS, Block, Gene, Unit, Width, register
from .basic import BasicBlock
from .bottleneck import BottleneckBlock
from .bounds import SearchBounds, Span
from .conv import ConvBlock
from .details import Activation, Details, Gate, Style, round_to_8
from .fused import FusedBlock
from .mbconv import MBConvBlock
from .repvgg import RepVGGBlock
from .units import block_units, reading_unit, repeated_units, walk

__all__ = [
    "MAX_WIDTH",
    "OPS",
    "Activation",
    "BasicBlock",
    "Block",
    "BottleneckBlock",
    "ConvBlock",
    "Details",
    "FusedBlock",
    "Gate",
    "Gene",
    "MBConvBlock",
    "RepVGGBlock",
    "SearchBounds",
    "Span",
    "Style",
    "Unit",
    "Width",
    "block_units",
    "reading_unit",
    "register",
    "repeated_units",
    "round_to_8",
    "walk",
]
