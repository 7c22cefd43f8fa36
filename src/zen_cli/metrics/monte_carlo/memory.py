"""What a draw needs, estimated from above before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic

import torch

from ...devices import free_bytes
from ...errors import MemoryLimitError
from ...net.layers import Chain
from ...units import format_bytes
from .draws import T
from .seeds import image_count, weight_count


def draw_bytes(chain: Chain, batch_size: int, itemsize: int = 4, *, all_weights: bool = False) -> int:
    """Memory that one draw takes at its largest layer: its input, its output, a copy of the output, its weights.

    Args:
        chain: the layers.
        batch_size: images of one copy.
        itemsize: bytes of a number.
        all_weights: whether the weights of all layers are there at once, as on a GPU, or one layer's at a time.
    """
    peak = image_count(chain, batch_size)
    copies = 2 if itemsize >= 4 else 2 + 4 // itemsize  # statistics are taken in float32
    for layer in chain:
        (in_y, in_x), (out_y, out_x) = layer.in_size, layer.out_size
        maps = layer.in_width * in_y * in_x + copies * layer.out_width * out_y * out_x
        if layer.pool is not None:
            maps += layer.in_width * math.prod(layer.in_size) * math.prod(layer.pool.stride)
        peak = max(peak, 2 * batch_size * maps + (0 if all_weights else 2 * math.prod(layer.weight_shape)))
    last = chain[-1]
    ending = 2 * batch_size * last.out_width * math.prod(last.out_size)  # the difference of the copies, in float64
    peak = max(peak, ending + ending * 8 // itemsize)
    drawn = weight_count(chain) + image_count(chain, batch_size) if all_weights else 0
    return peak * itemsize + drawn * (itemsize + max(itemsize, 4))  # as drawn, in float32 at least, and as rounded


class Memory(Generic[T]):
    """How many draws fit side by side on a device, by what is free when that is looked at.

    Each draw that runs out of memory nevertheless halves the budget for those that follow.

    Args:
        device: whose memory.
        need: bytes for one draw of a network.
        draw: what messages call a draw, such as `one draw at batch size 16`.
        advice: what messages say to use instead.
    """

    def __init__(self, device: torch.device, need: Callable[[T], int], *, draw: str, advice: str) -> None:
        self._device, self._need = device, need
        self._draw, self._advice = draw, advice
        self._share = 1.0
        self._known: tuple[T, int] | None = None

    def need(self, task: T) -> int:
        """Bytes for one draw of a network; remembered until that of another is needed."""
        if self._known is None or self._known[0] is not task:
            self._known = task, self._need(task)
        return self._known[1]

    def budget(self) -> int:
        """Bytes for all draws side by side."""
        return int(free_bytes(self._device) * self._share)

    def halve(self) -> None:
        """Learns that the budget was too large."""
        self._share = max(self._share / 2, 1 / 1024)

    def too_large(self, task: T) -> MemoryLimitError | None:
        """The error of a network of which not even one draw fits, or None."""
        need, free = self.need(task), free_bytes(self._device)
        if need <= free:
            return None
        return MemoryLimitError(
            f"{task.name}: {self._draw} needs about {format_bytes(need)} and {self._device} has "
            f"{format_bytes(free)}; {self._advice}"
        )

    def exhausted(self, task: T) -> MemoryLimitError:
        """The error of a network of which one draw alone ran out of memory."""
        return MemoryLimitError(f"{task.name}: out of memory on {self._device}; {self._advice}")
