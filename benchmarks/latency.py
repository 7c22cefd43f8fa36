"""Predicted against measured latency of networks that searches found, on this machine, with the noise beside it.

    python benchmarks/latency.py --target laptop.json                        print tables
    python benchmarks/latency.py --target laptop.json folded.json --write    ... and keep them in results/latency.md

Targets have to be of this machine. Networks come from evolutions under limits of MACs that are spread on a logarithmic
scale, the spaces by turns; each is measured in three to five rounds among the others and the references of the target,
see `zen_cli.profiling.finalists`. Errors are those of predictions as they are, and of predictions times the drift of
the machine since its profile, as the references say it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from report import machine, table

from zen_cli.errors import ZenError
from zen_cli.metrics.records import MeasuredTime
from zen_cli.nas.answer import search
from zen_cli.nas.request import check_request
from zen_cli.net.spec import ArchSpec
from zen_cli.profiling.finalists import measure
from zen_cli.profiling.fitting import quantile, rank_correlation, relative_errors
from zen_cli.profiling.kept import load_target
from zen_cli.target.latency import latency_ms
from zen_cli.target.model import Target

RESULTS = Path(__file__).parent / "results" / "latency.md"
SPACES = ("mobile", "resnet", "regnet")


def problem(index: int, evaluations: int) -> dict[str, Any]:
    """A search but for its limit: spaces and sizes of images by turns."""
    return {
        "space": SPACES[index % len(SPACES)],
        "resolution": (128, 160, 224)[index // 3 % 3],
        "budget": [f"{evaluations}evals"],
        "seed": index,
        "evenness": "off",
        "max_sublayers": "14",
        "verify": 0,
    }


def found(index: int, evaluations: int) -> ArchSpec:
    """The best network of one search."""
    macs = round(30e6 * 20 ** ((index * 0.618) % 1))
    return search(check_request({**problem(index, evaluations), "max_macs": str(macs)})).candidates[0].spec


def summary(guesses: Sequence[float], times: Sequence[MeasuredTime]) -> str:
    """The errors in each space and in all, with the noise."""
    rows = []
    for name in (*SPACES, "all"):
        chosen = [row for row in range(len(times)) if name in ("all", SPACES[row % len(SPACES)])]
        theirs = [times[row].ms for row in chosen]
        for words, ours in (
            ("as predicted", [guesses[row] for row in chosen]),
            ("times drift", [guesses[row] * (times[row].drift or 1.0) for row in chosen]),
        ):
            errors = relative_errors(ours, theirs)
            middle, most = f"{median(errors):.1%}", f"{quantile(errors, 0.9):.1%}"
            noise = f"{median(times[row].spread for row in chosen):.1%}"
            rows.append([name, words, len(chosen), middle, most, f"{rank_correlation(ours, theirs):.3f}", noise])
    return table(["space", "prediction", "n", "median error", "nine in ten", "rank correlation", "spread"], rows)


def each(specs: Sequence[ArchSpec], guesses: Sequence[float], times: Sequence[MeasuredTime]) -> str:
    """A row a network."""
    rows = []
    for index, (spec, guess, time) in enumerate(zip(specs, guesses, times, strict=True)):
        network = [SPACES[index % len(SPACES)], spec.resolution, f"{spec.cost.macs / 1e6:.0f}M"]
        rows.append([*network, f"{guess:.2f}", f"{time.ms:.2f}", f"{time.spread:.1%}", f"{(time.drift or 1) - 1:+.1%}"])
    return table(["space", "side", "MACs", "predicted, ms", "measured, ms", "spread", "drift"], rows)


def known_target(text: str) -> tuple[Target, str]:
    """A target and a line about it, as the value of an option."""
    try:
        return load_target(text)
    except ZenError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main() -> None:
    """Prints the summary of each target, and a row a network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", nargs="+", type=known_target, metavar="FILE", help="a profile (default: here)")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--evaluations", type=int, default=4000)
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    specs = [found(index, options.evaluations) for index in range(options.count)]
    parts = ["# Latency: predicted and measured", f"`python benchmarks/latency.py --write`, {machine()}"]
    parts.append("What the columns mean is in its docstring; `spread` is half the range of the rounds of a network.")
    for target, line in options.target or [known_target("here")]:
        times = measure(specs, target, seed=0)
        guesses = [latency_ms(target, spec) for spec in specs]
        parts += [f"## {target.backend}", f"{line[0].upper()}{line[1:]}.", summary(guesses, times)]
        parts.append(each(specs, guesses, times))
        print("\n\n".join(parts[-4:]), flush=True)
    if options.write:
        RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
