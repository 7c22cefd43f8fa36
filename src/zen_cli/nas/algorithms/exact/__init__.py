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
    search    all of this together

docs/exact.md explains why the bound holds. Arrays are numpy's; nothing here imports torch.
"""

from .problem import check_exact, unsupported
from .search import ExactResult, Progress, solve, upper_bound

__all__ = ["ExactResult", "Progress", "check_exact", "solve", "unsupported", "upper_bound"]
