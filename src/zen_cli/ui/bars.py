"""Pictures of numbers on one line of text."""

from __future__ import annotations

from collections.abc import Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉"
_HEIGHTS = "▁▂▃▄▅▆▇█"


def bar(share: float, width: int) -> str:
    """A horizontal bar of a share in 0 to 1, in eighths of a character."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """A line of bars: the smallest value is low, the largest high; of a long line each bar is one of several values."""
    if len(values) > width:
        values = [values[round(index * (len(values) - 1) / max(1, width - 1))] for index in range(width)]
    low, high = min(values), max(values)
    steps = len(_HEIGHTS) - 1
    return "".join(_HEIGHTS[round((value - low) / (high - low or 1) * steps)] for value in values)
