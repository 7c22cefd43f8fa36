"""Whether an export fits into memory, estimated before anything is made."""

from __future__ import annotations

from ..devices import free_bytes
from ..errors import MemoryLimitError
from ..net.spec import ArchSpec
from ..units import format_bytes

IMAGES = 8
COPIES = 6  # of the weights: the module, that of the file, the file while it is made, and what a library holds of it


def check_memory(spec: ArchSpec, where: str) -> None:
    """Fails where making and checking the files of a network would need more memory than there is.

    Raises:
        MemoryLimitError: it does.
    """
    import torch

    need, free = export_bytes(spec), free_bytes(torch.device("cpu"))
    if need > free:
        raise MemoryLimitError(
            f"{where}: needs about {format_bytes(need)} to be made and checked, and there are {format_bytes(free)}; "
            "use a smaller resolution or network, or a target such as json"
        )


def export_bytes(spec: ArchSpec) -> int:
    """The largest maps of `IMAGES` images, with those of a shortcut beside them, and copies of the weights."""
    from ..metrics.monte_carlo.memory import draw_bytes

    return draw_bytes(spec.chain, IMAGES) + COPIES * 4 * spec.cost.params
