"""The race of finalists against equal draws for all that end by the same rule, on problems with known means."""

from __future__ import annotations

from random import Random

from report import publish, table

from zen_cli.nas.race import Race

PROBLEMS = 30


def main() -> None:
    rows = []
    for finalists in (4, 8, 16):
        for tolerance in (0.0, 0.1, 0.3):
            right = raced = equal = 0
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
            rows.append([finalists, tolerance, f"{right} of {PROBLEMS}", f"{raced:,}", f"{raced / equal:.2f}"])
    publish(
        "race",
        f"Draws until the best of some finalists is known at 95%, in all of {PROBLEMS} problems: means within 4 nats, "
        "draws with a standard deviation of 0.5 to 1.5. Equal draws for all end by the same rule. Without a tolerance "
        "the best is 0.1 nats clear of the second.",
        table(["finalists", "tolerance", "right", "draws", "of equal draws"], rows),
    )


def run(means: list[float], deviations: list[float], seed: int, tolerance: float, *, equal: bool) -> Race:
    """A race of normal draws until it is decided."""
    streams = [Random(f"{seed}/{index}") for index in range(len(means))]
    state = Race(len(means), tolerance=tolerance, first_draws=4)
    while state.decided is None:
        if equal:
            state.running = list(range(len(means)))
        _, count = state.wanted
        state.tell({i: [streams[i].gauss(means[i], deviations[i]) for _ in range(count)] for i in state.running})
    return state


if __name__ == "__main__":
    main()
