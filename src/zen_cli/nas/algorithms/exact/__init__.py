"""The proven optimum: the best network of a space within limits, and a bound that no network of it exceeds.

    problem   what is to be solved, and why something cannot be
    depths    what a path must know of its depth
    graph     what is left of a problem: the blocks that each position can still have, widths in cells
    tables    gains and costs of a sub-layer, for all cells of its widths
    program   the dynamic program: the best path at given prices
    paths     the best path, and all that are good enough, one by one
    reduce    smaller graphs: what no good path uses is removed; the space is cut in two
    prices    the prices that make the bound lowest
    polish    local search from paths to networks within the limits
    search    branch and bound: all of this together
    solve     the exact search as functions
    algorithm the exact search as an entry of the table of algorithms

docs/exact.md explains why the bound holds. Arrays are numpy's, without linear algebra, so that nothing here uses a
second thread; torch is never imported.
"""

from .problem import unsupported
from .search import Progress
from .solve import ExactResult, solve, upper_bound

__all__ = ["ExactResult", "Progress", "solve", "unsupported", "upper_bound"]
