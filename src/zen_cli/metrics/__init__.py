"""Numbers of a network: the Zen-score in closed form and by Monte-Carlo, other zero-shot scores, exact costs.

To add a metric, add one file in `proxies/` and its line in the table of `registry.py`, or an entry point in another
package.
"""

from .metric import Measurement, Metric, average
from .registry import find, find_all, installed, limitable, names, refuse_unused

__all__ = ["Measurement", "Metric", "average", "find", "find_all", "installed", "limitable", "names", "refuse_unused"]
