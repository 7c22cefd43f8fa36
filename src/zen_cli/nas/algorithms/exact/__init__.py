"""The proven optimum: the best network of a space within budgets, and a bound that no network of it exceeds.

    problem   what is asked, and what cannot be
    cells     widths in intervals; the bound holds for all of an interval
    tables    gains and costs of a sub-layer, for all cells of its widths
    graph     what is left of a problem: the blocks that may still stand at each place
    dynamic   the best path at given prices
    prune     what no good path passes is struck out
    dual      the prices that make the bound lowest
    branch    the space cut in two where the bound is not met
    listing   the last paths of a part, one by one
    polish    local search from paths to networks within the budgets
    search    all of this together
    api       the search as others call it

docs/exact.md explains why the bound holds.
"""

from .api import solve, upper_bound
from .problem import check_exact
from .search import ExactResult, Progress

__all__ = ["ExactResult", "Progress", "check_exact", "solve", "upper_bound"]
