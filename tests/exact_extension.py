"""The exact search with an op of one's own: `python exact_extension.py [monotone] [irregular]` says what it does."""

from __future__ import annotations

import math
import sys

import extension_op

extension_op.SingleBlock.is_monotone = "monotone" in sys.argv
if "irregular" in sys.argv:  # units alternate although each is a sub-layer of its own
    extension_op.SingleBlock.unit_widths = lambda gene, index: (gene.width, gene.width + 8 * (index % 2 == 0), 1)

from exact_tools import FIRST, admits, measure, members, tiny_space, value  # noqa: E402  # after the op, which they must know

from zen_cli.errors import UsageError  # noqa: E402
from zen_cli.nas.algorithms.exact.solve import solve  # noqa: E402
from zen_cli.nas.limits import Limits  # noqa: E402

FIRST["single"] = {"op": "single", "kernel": 3, "width": 8, "depth": 1}


def main() -> None:
    space = tiny_space("single", "basic", width={"min": 8, "max": 16}, head_width=None)
    seed = space.seeds[0]
    solve(space, seed, Limits(params=10_000, sublayers=4), gap=0.5)  # what is refused is refused before all is listed
    rows = [measure(genome, seed, "paper") for genome in members(space, 3)]
    params = sorted(row[0].params for row in rows)
    for share in (0.1, 0.5, 0.9):
        limits = Limits(params=params[int(share * len(params))], sublayers=5)
        best = max(value(*row, "frobenius") for row in rows if admits(limits, row))
        result = solve(space, seed, limits, gap=0.0)
        assert result.stopped == "optimal"
        assert math.isclose(result.values[0], best, abs_tol=1e-9)
    print("solved")


try:
    main()
except UsageError as error:
    print(str(error).split(";")[0])
