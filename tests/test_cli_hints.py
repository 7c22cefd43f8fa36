"""Command lines that nearly say what was meant are answered with it."""

from __future__ import annotations

import pytest
from cli import Zen

SPEC = b'{"resolution":8,"num_classes":4,"blocks":[{"op":"conv","width":8}]}'


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["net.json"], "Did you mean `zen score net.json`?"),
        (["scroe"], "Did you mean 'score'?"),
        (["search", "mobile"], "Did you mean `--space mobile`?"),
        (["search", "cifar-1m"], "Did you mean `--preset cifar-1m`?"),
        (["score", "--draws", "1e9", "-"], "--draws: '1e9' is too large; use at most 1000000"),
        (
            ["score", "--resolution", "224xx224", "-"],
            "--resolution: '224xx224' is no size of an image; write it like 224",
        ),
        (["score", "--estimator", "mean-field", "--draws", "3", "-"], "--draws: has no effect on zen (mean-field)"),
        (["score", "--estimator", "mean-field", "--seed", "3", "-"], "--seed: has no effect"),
        (
            ["search", "--preset", "cifar-1m", "--algorithm", "evolution", "--gap", "1%"],
            "--gap: has no effect on evolution",
        ),
        (["search", "--preset", "cifar-1m", "--algorithm", "exact", "--patience", "3"], "--patience: has no effect"),
        (["search", "--preset", "cifar-1m", "--verify", "0", "--draws", "3"], "--draws: has no effect on zen"),
        (["search", "--preset", "cifar-1m", "--lineages", "9", "--budget", "5evals"], "--lineages: 9 propose more"),
        (["search", "--preset", "cifar-1m", "--limit", "speed=3"], "--limit: 'speed' cannot be limited"),
        (["search", "--preset", "cifar-1m", "--limit", "params"], "--limit: 'params' has no bound"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_line_says_what_was_meant(zen: Zen, words: list[str], hint: str) -> None:
    zen(*words, stdin=SPEC).fails(hint)


def test_any_metric_that_a_search_evaluates_can_be_limited(zen: Zen) -> None:
    words = ["search", "--preset", "cifar-1m", "--budget", "2000evals", "--verify", "0", "--top", "3"]
    done = zen(*words, "--limit", "activations=1M", "--limit", "entropy=1000")
    assert done.code == 0, done.err
    assert all(row["cost"]["activations"] <= 1_000_000 for row in done.rows)
    assert done.rows[0]["search"]["limits"]["activations"] == 1_000_000
    assert done.rows[0]["search"]["limits"]["entropy"] == 1000
