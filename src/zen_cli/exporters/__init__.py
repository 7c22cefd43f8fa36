"""Export: a network as files that other programs run. One target a file, one registry, every file checked.

    layout      how a network is divided and named
    pysource    Python source that `torch` and `timm` files share
    to_*        one target each
    registry    the targets, and what must be installed for them
    check       compares what was exported with the module it came from; `checker` is the script that runs alone
    run         plan, make, check, write

torch is imported only by what computes, so `json`, `plainnet`, `mermaid` and `svg` need no second.
"""

from .registry import TARGETS, Target, find_targets
from .run import Export, Wish, export

__all__ = ["TARGETS", "Export", "Target", "Wish", "export", "find_targets"]
