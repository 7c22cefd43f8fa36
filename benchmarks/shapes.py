"""What default searches return, beside published networks: depth, widths of maps, and where the MACs are.

    python benchmarks/shapes.py                 all problems, two seeds each
    python benchmarks/shapes.py --only resnet   those whose name has this in it
    python benchmarks/shapes.py --write         ... and keep the table in benchmarks/results/shapes.md

Nothing is verified by Monte-Carlo. Seconds are CPU seconds of one process. A row keeps the ranges that networks have
which are known to train well: 12 to 28 residual units, r sqrt(weights / MACs) from 12 to 25 (at 224 pixels),
activations / (r sqrt(MACs)) from 0.25 to 2.2, and at most half of the MACs at one resolution.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path
from typing import Any, NamedTuple

from report import table

from zen_cli.metrics.evenness import Evenness, network_evenness
from zen_cli.metrics.terms import score_spec
from zen_cli.nas.answer import search
from zen_cli.nas.request import check_request
from zen_cli.net.spec import ArchSpec
from zen_cli.networks import find

RESULTS = Path(__file__).parent / "results" / "shapes.md"
PROBLEMS: dict[str, dict[str, Any]] = {
    "default, `--budget 0.5gpu-day`": {"budget": ("0.5gpu-day",)},
    **{f"`mobile`, {macs}M": {"max_macs": f"{macs}M"} for macs in (40, 150, 300, 600)},
    **{
        f"`{name}`, {macs}": {"space": name, "max_macs": macs}
        for name in ("resnet", "regnet")
        for macs in ("400M", "4G")
    },
    "`resnet`, 84M, 32 px": {"space": "resnet", "max_macs": "84M", "resolution": 32},
}
PUBLISHED = ("mobilenet_v2", "efficientnet_b0", "regnet_x_400mf", "regnet_x_4gf", "resnet50")
UNITS, SIDE, MAPS, SHARE = (12, 28), (12.0, 25.0), (0.25, 2.2), 0.5
LARGE = 224  # pixels of the images whose networks have such a side
HEAD = ["network", "MACs", "params", "units", "N*", "side", "maps", "% of MACs at each resolution", "E"]
FOUND = ["E* - E", "zen", "gap", "time", "in range"]


class Row(NamedTuple):
    """A network with its evenness."""

    name: str
    spec: ArchSpec
    found: Evenness

    def cells(self) -> list[str]:
        """The columns of `HEAD`."""
        found, cost = self.found, self.spec.cost
        return [
            self.name,
            f"{cost.macs / 1e6:,.0f}M",
            f"{cost.params / 1e6:.1f}M",
            str(found.residual_units),
            f"{found.best_units:.1f}",
            f"{found.effective_side:.1f}",
            f"{found.map_ratio:.2f}",
            " / ".join(f"{share:.0%}"[:-1] for _, share in found.shares),
            f"{found.value:.3f}",
        ]

    def faults(self) -> list[str]:
        """What is outside of the ranges."""
        found = self.found
        values = {
            "units": UNITS[0] <= found.residual_units <= UNITS[1],
            "side": found.resolution < LARGE or SIDE[0] <= found.effective_side <= SIDE[1],
            "maps": MAPS[0] <= found.map_ratio <= MAPS[1],
            "share": max(share for _, share in found.shares) <= SHARE,
        }
        return [name for name, keeps in values.items() if not keeps]


def row_of(name: str, spec: ArchSpec) -> Row:
    return Row(name, spec, network_evenness(spec.genes, spec.in_channels, spec.resolution))


def searched(name: str, request: dict[str, Any], seed: int) -> list[str]:
    """The row of a search."""
    settings = check_request({**request, "verify": 0, "seed": seed})
    began = time.process_time()
    outcome = search(settings)
    seconds = time.process_time() - began
    best = outcome.candidates[0]
    row = row_of(f"{name}, seed {seed}", best.spec)
    assert outcome.band is not None
    gap = "" if outcome.bound is None else f"{max(0.0, outcome.bound / best.score - 1):.2%}"
    below = f"{outcome.band.best - row.found.value:.3f}"
    return [*row.cells(), below, f"{best.score:.2f}", gap, f"{seconds:.0f} s", ", ".join(row.faults()) or "yes"]


def published(name: str) -> list[str]:
    """The row of a published network; it has no E*."""
    row = row_of(f"`{name}`", find(name).spec)
    return [*row.cells(), "", f"{score_spec(row.spec):.2f}", "", "", ", ".join(row.faults()) or "yes"]


def main() -> None:
    """Prints the table; keeps it under --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="problems whose name has this in it")
    parser.add_argument("--seeds", type=int, default=2, help="seeds of each problem")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    rows = []
    for name, request in PROBLEMS.items():
        for seed in range(options.seeds) if options.only in name else ():
            rows.append(searched(name, request, seed))
            print(" | ".join(rows[-1]), flush=True)
    rows += [published(name) for name in PUBLISHED]
    text = table([*HEAD, *FOUND], rows)
    print(text)
    if options.write:
        intro = (
            "# What default searches return, beside published networks\n\n"
            "`python benchmarks/shapes.py --write`; the columns and ranges are in its docstring. `side` is\n"
            "r sqrt(weights / MACs), `maps` activations / (r sqrt(MACs)). The last column names what is out of range.\n"
            f"{platform.machine()}, Python {platform.python_version()}, CPU seconds on a busy machine.\n\n"
        )
        RESULTS.write_text(f"{intro}{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
