"""Searches under a latency on this machine: which answers keep it when measured, beside those of a limit of MACs.

    python benchmarks/under_latency.py --target laptop.json --count 20

Limits are spread on a logarithmic scale, the spaces by turns. An answer is measured once more after its search. It is
compared with the answers of several limits of MACs: with the best score among those that take no longer than it does.
The last line compares proposals a second with and without a latency.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from latency import problem

from zen_cli.nas.answer import search
from zen_cli.nas.request import check_request
from zen_cli.nas.settings import SearchSettings
from zen_cli.profiling.finalists import measure, measure_until_kept
from zen_cli.profiling.kept import load_target
from zen_cli.target.latency import latency_ms

STEPS = (0.8, 1.0, 1.25)  # times the MACs of the answer


def main() -> None:
    """Prints a row a search, and the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="here")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=3000)
    options = parser.parse_args()
    target, line = load_target(options.target)
    print(line)
    kept = better = compared = 0
    for index in range(options.count):
        limit = 0.8 * 8 ** ((index * 0.618) % 1)
        common = {**problem(index, options.evaluations), "algorithm": "evolution", "top": 1}
        settings = check_request({**common, "target": target, "max_latency": f"{limit}ms", "max_macs": "2G"})
        found = measure_until_kept(settings, search(settings), lambda changed, _: search(changed))
        if not found.outcome.candidates:
            print(f"{common['space']:7} {limit:5.2f} ms: no answer kept it, {found.rejected} took longer", flush=True)
            continue
        best = found.outcome.candidates[0]
        rivals = [best_of(common, round(step * best.spec.cost.macs)) for step in STEPS]
        again, *times = [row.ms for row in measure([best.spec, *(spec for spec, _ in rivals)], target, seed=1)]
        kept += again <= limit
        fast = [score for (_, score), ms in zip(rivals, times, strict=True) if ms <= again]
        compared, better = compared + bool(fast), better + (bool(fast) and best.score > max(fast))
        rival = f"{max(fast):.1f} by MACs" if fast else "none by MACs is as fast"
        print(
            f"{common['space']:7} {limit:5.2f} ms: predicted {latency_ms(target, best.spec):5.2f}, "
            f"measured {again:5.2f}, {found.rejected} left out, {best.score:.1f} nats, {rival}",
            flush=True,
        )
    print(f"{kept} of {options.count} answers keep the limit; {better} of {compared} are better than by MACs")
    speeds = [speed(check_request({**common, "max_macs": "2G", **more})) for more in ({}, timed(target))]
    print(f"{speeds[0]:,.0f} proposals a second, {speeds[1]:,.0f} under a latency: {speeds[1] / speeds[0]:.0%}")


def best_of(common: dict[str, Any], macs: int) -> tuple[Any, float]:
    """The best network below so many MACs, and its score."""
    best = search(check_request({**common, "max_macs": str(macs)})).candidates[0]
    return best.spec, best.score


def timed(target: Any) -> dict[str, Any]:
    """A limit on latency that seldom decides."""
    return {"target": target, "max_latency": "5ms"}


def speed(settings: SearchSettings) -> float:
    """Proposals a second of processor time."""
    began = time.process_time()
    outcome = search(settings)
    return outcome.evaluations / (time.process_time() - began)


if __name__ == "__main__":
    main()
