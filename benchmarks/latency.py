"""Predicted against measured latency of networks that searches found, on this machine, with the noise beside it.

    python benchmarks/latency.py --target laptop.json --count 20

The target has to be of this machine. Networks come from evolutions under limits of MACs that are spread on a
logarithmic scale, the spaces by turns; each is measured in four rounds among the others and the references of the
target, see `zen_cli.profiling.finalists`. Errors are those of predictions as they are, and of predictions times the
drift of the machine since its profile, as the references say it.
"""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any

from zen_cli.nas.answer import search
from zen_cli.nas.request import check_request
from zen_cli.net.spec import ArchSpec
from zen_cli.profiling.finalists import measure
from zen_cli.profiling.fitting import quantile, rank_correlation, relative_errors
from zen_cli.profiling.kept import load_target
from zen_cli.target.latency import latency_ms

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


def main() -> None:
    """Prints a row a network, and the summary of each space and of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="here")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--evaluations", type=int, default=4000)
    options = parser.parse_args()
    target, line = load_target(options.target)
    print(line)
    specs = [found(index, options.evaluations) for index in range(options.count)]
    times = measure(specs, target, seed=0)
    guesses = [latency_ms(target, spec) for spec in specs]
    for index, (spec, guess, time) in enumerate(zip(specs, guesses, times, strict=True)):
        macs = spec.cost.macs / 1e6
        print(
            f"{SPACES[index % 3]:7} {spec.resolution:4} {macs:7.0f}M predicted {guess:7.2f} ms, "
            f"measured {time.ms:7.2f} ms, spread {time.spread:5.1%}, drift {(time.drift or 1) - 1:+5.1%}"
        )
    for name in (*SPACES, "all"):
        rows = [row for row in range(len(specs)) if name in ("all", SPACES[row % 3])]
        theirs = [times[row].ms for row in rows]
        for words, ours in (
            ("as predicted", [guesses[row] for row in rows]),
            ("times drift", [guesses[row] * (times[row].drift or 1.0) for row in rows]),
        ):
            errors = relative_errors(ours, theirs)
            print(
                f"{name:7} n {len(rows)}, {words:12}: error median {median(errors):.1%}, "
                f"nine in ten {quantile(errors, 0.9):.1%}, rank correlation {rank_correlation(ours, theirs):.3f}, "
                f"spread {median(times[row].spread for row in rows):.1%}"
            )


if __name__ == "__main__":
    main()
