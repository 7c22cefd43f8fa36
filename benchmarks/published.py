"""Both estimators against what the published code computes, in its own convention, on every published network.

The reference values stand in tests/data/published.json: means and standard deviations of single draws of the published
code on a fresh network. The Monte-Carlo score is drawn at the same batch size.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from report import publish, table

from zen_cli import parse_plainnet, score

PUBLISHED = Path(__file__).parents[1] / "tests" / "data" / "published.json"


def main() -> None:
    rows, worst = [], 0.0
    for fact in json.loads(PUBLISHED.read_text(encoding="utf-8")):
        spec = parse_plainnet(fact["structure"], resolution=fact["resolution"], num_classes=fact["num_classes"])
        drawn = score(spec, convention="zennas", batch_size=fact["batch_size"], draws=8).zen
        closed = score(spec, convention="zennas", estimator="mean-field").zen.value
        reference, error = fact["reference_zen_mean"], fact["reference_zen_std"] / math.sqrt(fact["draws"])
        assert drawn.std_error is not None
        apart = (drawn.value - reference) / math.hypot(drawn.std_error, error)
        worst = max(worst, abs(apart))
        rows.append(
            [
                fact["name"].removesuffix("-se"),
                fact["batch_size"],
                f"{reference:.2f} ± {error:.2f}",
                f"{drawn.value:.2f} ± {drawn.std_error:.2f}",
                f"{apart:+.1f}",
                f"{closed:.2f}",
                f"{100 * (closed / reference - 1):+.1f}%",
            ]
        )
        print(*rows[-1], file=sys.stderr)
    head = ["network", "images", "published code", "monte-carlo", "apart (s.e.)", "mean-field", "off by"]
    publish(
        "published",
        "The score in the `zennas` convention against the published code: at most "
        f"{worst:.1f} combined standard errors apart. The reference has 2 to 12 draws of each network.",
        table(head, rows),
    )


if __name__ == "__main__":
    main()
