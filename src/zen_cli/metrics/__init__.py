"""Numbers of a network: the Zen-score in closed form and by Monte-Carlo, other zero-shot scores, exact costs.

To add a metric, add one file in `proxies/` and its line in the table of `registry.py`, or an entry point in another
package. Names are imported where they are first used, because the command line needs only the settings.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .metric import Measurement, Metric
    from .registry import find, find_all, installed, limitable, names, refuse_unused

__all__ = ["Measurement", "Metric", "find", "find_all", "installed", "limitable", "names", "refuse_unused"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "metric" if name in ("Measurement", "Metric") else "registry"
    return getattr(import_module(f".{home}", __name__), name)
