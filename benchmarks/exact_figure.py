"""The figure of docs/exact.md: the bound, the exact search and an evolution on the CIFAR problem, for many limits.

    python benchmarks/exact_figure.py              docs/figures/exact.svg, by the runs that its title and legend name
    python benchmarks/exact_figure.py FILE.svg     ... another file

The exact search stops at a gap of 0.1% or after 30 CPU seconds; the evolution is `zen search --algorithm evolution`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from exact import TASKS, built_in, run
from svg import Series, draw_chart

from zen_cli.metrics.terms import score_spec
from zen_cli.nas.limits import Limits
from zen_cli.net.spec import ArchSpec, parse_spec

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "exact.svg"
NORM, SPACE = "l1", "zennet-resnet"
MACS, SUBLAYERS = 160_000_000, 18
SIZES = [round(200_000 * 2 ** (step / 3)) for step in range(13)]  # of the exact search, in parameters
EVERY, SEEDS, EVALUATIONS = 2, range(3), 40_000  # of the evolution: every second size


def main() -> None:
    """Solves, searches and draws."""
    bound, exact, evolved = [], [], []
    for index, params in enumerate(SIZES):
        result, taken = run(built_in(SPACE), 32, Limits(params=params, macs=MACS, sublayers=SUBLAYERS), NORM, 0.001, 30)
        bound.append((params / 1e6, result.bound))
        exact.append((result.networks[0].cost.params / 1e6, result.values[0]))
        found = [point(evolution(params, seed)) for seed in SEEDS] if index % EVERY == 0 else []
        evolved += found
        others = ", ".join(f"{value:.2f}" for _, value in found) or "not run"
        print(
            f"{params:,} parameters: {exact[-1][1]:.2f} of {result.bound:.2f} in {taken:.1f} s; evolution: {others}",
            flush=True,
        )
    published = [spec for task in TASKS if task.space == SPACE and (spec := task.read_published())]
    series = [
        Series("bound: nothing exceeds it", bound, "line"),
        Series("exact search", exact, "dot"),
        Series(f"evolution, {EVALUATIONS // 1000}k, seeds {SEEDS[0]} to {SEEDS[-1]}", evolved, "cross"),
        Series("published networks", [point(spec) for spec in published], "square"),
    ]
    text = draw_chart(
        series,
        title=f"CIFAR problem: 32x32, 100 classes, at most {SUBLAYERS} sub-layers and {MACS // 10**6}M MACs",
        x_label="parameters (millions)",
        y_label=f"Zen-score, closed form, {NORM} norm (nats)",
    )
    figure = Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURE
    figure.write_text(text, encoding="utf-8")
    print(f"wrote {figure}")


def evolution(params: int, seed: int) -> ArchSpec:
    """The best network that an evolution finds within so many parameters."""
    problem = ["--space", SPACE, "--rules", "none", "--resolution", "32", "--num-classes", "100", "--norm", NORM]
    limits = ["--max-params", str(params), "--max-macs", str(MACS), "--max-sublayers", str(SUBLAYERS)]
    how = ["--algorithm", "evolution", "--seed", str(seed), "--budget", f"{EVALUATIONS}evals", "--verify", "0"]
    words = ["search", *problem, *limits, *how, "--top", "1", "--no-keep", "--quiet"]
    done = subprocess.run([sys.executable, "-m", "zen_cli", *words], capture_output=True, check=True)
    return parse_spec(json.loads(done.stdout)["arch"])


def point(spec: ArchSpec) -> tuple[float, float]:
    """Parameters in millions, and the score."""
    return spec.cost.params / 1e6, score_spec(spec, norm=NORM)


if __name__ == "__main__":
    main()
