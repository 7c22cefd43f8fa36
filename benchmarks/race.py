"""The race of finalists against equal draws for all that end by the same rule, on problems with known means."""

from __future__ import annotations

import math
from random import Random

from report import publish, table

from zen_cli.nas.race import CERTAINTY, GROWTH, Race, Sample, radius

PROBLEMS = 30
FIRST_DRAWS = 4


def main() -> None:
    rows = []
    for finalists in (4, 8, 16):
        for tolerance in (0.0, 0.1, 0.3):
            right = raced = equal = least = 0
            for seed in range(PROBLEMS):
                random = Random(seed)
                means = [random.uniform(0, 4) for _ in range(finalists)]
                deviations = [random.uniform(0.5, 1.5) for _ in means]
                if not tolerance:
                    means[0] = max(means) + 0.1
                state = run(means, deviations, seed, tolerance, equal=False)
                assert state.standing is not None  # it is decided
                right += max(means) - means[state.standing.first] <= tolerance
                raced += state.total
                equal += run(means, deviations, seed, tolerance, equal=True).total
                least += told(means, deviations, seed, tolerance)
            shares = [f"{raced / equal:.2f}", f"{least / equal:.2f}"]
            rows.append([finalists, tolerance, f"{right} of {PROBLEMS}", f"{raced:,}", *shares])
    publish(
        "race",
        f"Draws until the best of some finalists is known at 95%, in all of {PROBLEMS} problems: means within 4 nats, "
        "draws with a standard deviation of 0.5 to 1.5. Equal draws for all end by the same rule. Without a tolerance "
        "the best is 0.1 nats clear of the second. The last column is a race that is told which one is the best, and "
        "only has to prove it by the same intervals, against each other alone; no order of draws does much better.",
        table(["finalists", "tolerance", "right", "draws", "of equal draws", "told the best"], rows),
    )


def run(means: list[float], deviations: list[float], seed: int, tolerance: float, *, equal: bool) -> Race:
    """A race of normal draws until it is decided."""
    streams = [Random(f"{seed}/{index}") for index in range(len(means))]
    state = Race(len(means), tolerance=tolerance, first_draws=FIRST_DRAWS)
    while state.decided is None:
        if equal:
            state.running = list(range(len(means)))
        _, count = state.wanted
        state.tell({i: [streams[i].gauss(means[i], deviations[i]) for _ in range(count)] for i in state.running})
    return state


def told(means: list[float], deviations: list[float], seed: int, tolerance: float) -> int:
    """Draws until every finalist is shown to be at most the tolerance above the best, which is known."""
    streams = [Random(f"{seed}/{index}") for index in range(len(means))]
    best, count, looks = max(range(len(means)), key=means.__getitem__), FIRST_DRAWS, 0
    draws: list[list[float]] = [[] for _ in means]
    running = set(range(len(means)))
    while len(running) > 1:
        looks += 1
        for i in running:
            draws[i] += [streams[i].gauss(means[i], deviations[i]) for _ in range(count - len(draws[i]))]
        error = (1 - CERTAINTY) * 6 / (math.pi * looks) ** 2 / (len(means) - 1)
        samples = {i: Sample.of(draws[i]) for i in running}
        above = {i: row.mean - samples[best].mean + radius(samples[best], row, error) for i, row in samples.items()}
        running = {i for i in running if i == best or above[i] > tolerance}
        count += math.ceil(count * (GROWTH - 1))
    return sum(map(len, draws))


if __name__ == "__main__":
    main()
