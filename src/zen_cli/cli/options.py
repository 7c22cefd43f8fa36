"""Options that several commands share; records and tables are imported where they are written, help needs none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias, get_args

import typer

from ..errors import OutputError, UsageError, nearest

Format: TypeAlias = Literal["table", "json", "jsonl", "csv"]

FORMATS: tuple[Format, ...] = get_args(Format)

SCORE_PANEL = "What defines the score"
OUTPUT_PANEL = "Output"


def choices(*words: str) -> Callable[[str], list[str]]:
    """Completes an option that takes these words, one or several with commas between them."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + word for word in words if word.startswith(last) and word not in before.split(",")]

    return complete


Estimator = Annotated[
    str,
    typer.Option(
        metavar="monte-carlo|mean-field",
        autocompletion=choices("monte-carlo", "mean-field"),
        help="Random networks with an error bar, or the closed form, which needs milliseconds and no torch.",
        rich_help_panel=SCORE_PANEL,
    ),
]
Convention = Annotated[
    str,
    typer.Option(
        metavar="paper|zennas",
        autocompletion=choices("paper", "zennas"),
        help="The definition of the paper, or what its published code computes.",
        rich_help_panel=SCORE_PANEL,
    ),
]
NormOption = Annotated[
    str | None,
    typer.Option(
        metavar="frobenius|l1",
        autocompletion=choices("frobenius", "l1"),
        help="Norm of the difference (default: frobenius for paper, l1 for zennas).",
        rich_help_panel=SCORE_PANEL,
    ),
]
Alpha = Annotated[float, typer.Option(help="Size of the perturbation.", rich_help_panel=SCORE_PANEL)]
BatchSize = Annotated[int, typer.Option(help="Images in a draw.", rich_help_panel=SCORE_PANEL)]
Draws = Annotated[
    int | None, typer.Option(help="Independent draws to average (default: 4).", rich_help_panel=SCORE_PANEL)
]
Precision = Annotated[
    float | None,
    typer.Option(metavar="NATS", help="Draw until the standard error is this small.", rich_help_panel=SCORE_PANEL),
]
PrecisionMode = Annotated[
    str,
    typer.Option(
        metavar="auto|float64|float32|tf32|float16|bfloat16",
        help="What a draw is computed in (auto: float32, or float64 for a tiny alpha); a GPU has the short ones.",
        rich_help_panel=SCORE_PANEL,
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.", rich_help_panel=SCORE_PANEL)]
Device = Annotated[
    str, typer.Option(metavar="auto|cpu|cuda[:i]", help="Where to compute.", rich_help_panel=SCORE_PANEL)
]
# The same for a search, where what is not written may come from a preset or from a stored run.
SearchEstimator = Annotated[
    str | None,
    typer.Option(
        metavar="mean-field|monte-carlo",
        autocompletion=choices("mean-field", "monte-carlo"),
        help="Search by the closed form (default), or by random networks.",
        rich_help_panel=SCORE_PANEL,
    ),
]
SearchConvention = Annotated[
    str | None,
    typer.Option(
        metavar="paper|zennas",
        autocompletion=choices("paper", "zennas"),
        help="The definition of the paper (default), or what its published code computes.",
        rich_help_panel=SCORE_PANEL,
    ),
]
SearchAlpha = Annotated[
    float | None, typer.Option(help="Size of the perturbation (default: 0.01).", rich_help_panel=SCORE_PANEL)
]
SearchBatchSize = Annotated[
    int | None, typer.Option(help="Images in a draw (default: 16).", rich_help_panel=SCORE_PANEL)
]
SearchSeed = Annotated[
    int | None, typer.Option(help="Seed of all random numbers (default: 0).", rich_help_panel=SCORE_PANEL)
]
SearchPrecisionMode = Annotated[
    str | None,
    typer.Option(
        metavar="auto|float64|float32|tf32|float16|bfloat16",
        help="What a draw is computed in (default: auto).",
        rich_help_panel=SCORE_PANEL,
    ),
]
SearchDevice = Annotated[
    str | None,
    typer.Option(metavar="auto|cpu|cuda[:i]", help="Where to compute (default: auto).", rich_help_panel=SCORE_PANEL),
]
Resolution = Annotated[
    int | None, typer.Option(help="Side of the input image, instead of the spec's.", show_default=False)
]
NumClasses = Annotated[int | None, typer.Option(help="Classes, instead of the spec's.", show_default=False)]
OutputFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="|".join(FORMATS),
        autocompletion=choices(*FORMATS),
        help="Default: table on a terminal, jsonl in a pipe.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.", rich_help_panel=OUTPUT_PANEL)]


def check_format(name: str | None) -> Format:
    """The output format, by default what suits where stdout goes.

    Raises:
        UsageError: an unknown format.
    """
    if name is None:
        return "table" if sys.stdout is not None and sys.stdout.isatty() else "jsonl"
    for known in FORMATS:
        if name == known:
            return known
    raise UsageError(f"--format: unknown {name!r}; {nearest(name, FORMATS)}")


def report(message: str, code: int) -> int:
    """Prints an error as a message on stderr and passes the exit code through."""
    from ..ui.terminal import say

    say(message)
    return code


def emit(data: bytes) -> None:
    """Writes bytes to stdout now.

    Raises:
        OutputError: stdout is closed; a full disk or a broken pipe is an OSError, which ends the command elsewhere.
    """
    if sys.stdout is None:
        raise OutputError("stdout: is closed; send it somewhere, or to /dev/null")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
