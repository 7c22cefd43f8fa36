"""Searches under a latency on this machine: which answers keep it when measured, beside those of a limit of MACs.

    python benchmarks/under_latency.py --target laptop.json --count 20 --seconds 6

Limits are spread on a logarithmic scale, the spaces by turns. All searches are of the default algorithm and have the
same seconds. An answer is what a user gets: the best network of those that keep the limit when they are measured after
the search. It is compared with three searches under limits of MACs, which are chosen so that their answers take a bit
less and a bit more than it does. At the end all networks are measured once more, by turns. The score that a limit of
MACs reaches in the time of the answer is interpolated between the scores of these three, by the logarithm of the time.
Searches run on all cores at once, and measurements alone. The last line compares proposals a second with and without a
latency.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import log
from typing import Any, NamedTuple

from latency import known_target, problem

from zen_cli.nas.answer import search
from zen_cli.nas.outcome import Outcome
from zen_cli.nas.request import check_request
from zen_cli.nas.settings import SearchSettings
from zen_cli.net.spec import ArchSpec
from zen_cli.profiling.finalists import measure, measure_until_kept
from zen_cli.profiling.machine import usable_cores
from zen_cli.target.latency import latency_ms
from zen_cli.target.model import Target

STEPS = (0.9, 1.1)  # times the limit of MACs that takes as long as the answer, as predicted
SPEED_EVALUATIONS = 20_000


class Answer(NamedTuple):
    """A network and its score."""

    spec: ArchSpec
    score: float


def settings_of(index: int, target: Target, seconds: float) -> SearchSettings:
    """A search under a latency."""
    limit = 0.8 * 8 ** ((index * 0.618) % 1)
    return check_request({**common(index, seconds), "target": target, "max_latency": f"{limit}ms", "max_macs": "2G"})


def common(index: int, seconds: float) -> dict[str, Any]:
    """What searches under a latency and under MACs have in common."""
    return {**problem(index, 1), "budget": [f"{seconds}s"], "top": 1}


def rivals(index: int, seconds: float, best: ArchSpec, target: Target) -> list[Answer]:
    """The answers of three limits of MACs that take about as long as a network, as predicted."""
    found = [best_below(index, seconds, best.cost.macs)]
    same = best.cost.macs * latency_ms(target, best) / latency_ms(target, found[0].spec)
    return found + [best_below(index, seconds, step * same) for step in STEPS]


def best_below(index: int, seconds: float, macs: float) -> Answer:
    """The best network below so many MACs."""
    best = search(check_request({**common(index, seconds), "max_macs": str(round(macs))})).candidates[0]
    return Answer(best.spec, best.score)


def score_at(ms: float, rows: list[tuple[float, float]]) -> float | None:
    """The score at a time, interpolated between (time, score); None where all take longer, or all less."""
    below = max((row for row in rows if row[0] <= ms), default=None)
    above = min((row for row in rows if row[0] > ms), default=None)
    if below is None or above is None:
        return None
    share = log(ms / below[0]) / log(above[0] / below[0])
    return (1 - share) * below[1] + share * above[1]


def main() -> None:
    """Prints a row a search, and the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="here", type=known_target, metavar="FILE")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    target, line = options.target
    print(line)
    alone = target.model_copy(update={"references": {}})  # their drift plays no part here
    settings = [settings_of(index, alone, options.seconds) for index in range(options.count)]
    with ProcessPoolExecutor(usable_cores()) as pool:
        outcomes = list(pool.map(search, settings))
        answers = [answer_of(*row) for row in zip(settings, outcomes, strict=True)]
        best = [(index, row.spec) for index, (row, _) in enumerate(answers) if row is not None]
        find = partial(find_rivals, seconds=options.seconds, target=alone)
        others = dict(zip([index for index, _ in best], pool.map(find, best), strict=True))
    specs = [row.spec for index, spec in best for row in (Answer(spec, 0), *others[index])]
    times = iter(row.ms for row in measure(specs, alone, seed=1))
    kept = better = compared = 0
    for index, (row, left_out) in enumerate(answers):
        limit, space = settings[index].limits["latency"], problem(index, 1)["space"]
        if row is None:
            print(f"{space:7} {limit:5.2f} ms: no answer kept it, {left_out} took longer")
            continue
        ms = next(times)
        rival = score_at(ms, [(next(times), other.score) for other in others[index]])
        kept += ms <= limit
        compared, better = compared + (rival is not None), better + (rival is not None and row.score > rival)
        words = "no limit of MACs takes as long" if rival is None else f"{rival:.1f} by MACs"
        print(
            f"{space:7} {limit:5.2f} ms: predicted {latency_ms(target, row.spec):5.2f}, measured {ms:5.2f}, "
            f"{left_out} left out, {row.score:.1f} nats, {words}"
        )
    print(f"{kept} of {options.count} answers keep the limit; {better} of {compared} are better than by MACs")
    speeds = [speed(alone if timed else None) for timed in (False, True)]
    print(f"{speeds[0]:,.0f} proposals a second, {speeds[1]:,.0f} under a latency: {speeds[1] / speeds[0]:.0%}")


def answer_of(settings: SearchSettings, outcome: Outcome) -> tuple[Answer | None, int]:
    """The best network of a search that keeps the limit when measured, and how many do not."""
    found = measure_until_kept(settings, outcome, lambda changed, _: search(changed))
    rows = found.outcome.candidates[:1]
    return (Answer(rows[0].spec, rows[0].score) if rows else None), found.rejected


def find_rivals(row: tuple[int, ArchSpec], seconds: float, target: Target) -> list[Answer]:
    """`rivals` of (index, network)."""
    return rivals(row[0], seconds, row[1], target)


def speed(target: Target | None) -> float:
    """Proposals of the evolution in a second of processor time, under a latency that seldom decides or none."""
    timed = {} if target is None else {"target": target, "max_latency": "5ms"}
    request = {**problem(0, SPEED_EVALUATIONS), "algorithm": "evolution", "max_macs": "2G", **timed}
    began = time.process_time()
    outcome = search(check_request(request))
    return outcome.evaluations / (time.process_time() - began)


if __name__ == "__main__":
    main()
