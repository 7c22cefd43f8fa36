"""Options that several commands share; records and tables are imported where they are written, help needs none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from ..errors import OutputError, UsageError, nearest

if TYPE_CHECKING:
    from ..metrics.records import ScoreRecord

Format: TypeAlias = Literal["table", "json", "jsonl"]

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
        metavar="table|json|jsonl",
        autocompletion=choices("table", "json", "jsonl"),
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
    match name:
        case "table" | "json" | "jsonl":
            return name
    raise UsageError(f"--format: unknown {name!r}; {nearest(name, ('table', 'json', 'jsonl'))}")


class Writer:
    """Writes records to stdout: JSON lines as they come, an array or a table at the end."""

    def __init__(self, style: Format) -> None:
        self._style = style
        self._records: list[ScoreRecord] = []

    def write(self, record: ScoreRecord) -> None:
        """Takes one record."""
        from ..metrics.records import to_bytes

        if self._style == "jsonl":
            emit(to_bytes(record) + b"\n")
        else:
            self._records.append(record)

    def close(self) -> None:
        """Writes what waits for the end."""
        if self._style == "table":
            from ..ui.tables import print_records

            print_records(self._records)
        elif self._style == "json":
            from ..metrics.records import to_bytes

            body = b",\n".join(to_bytes(record, indent=True) for record in self._records)
            emit(b"[\n" + body + b"\n]\n" if body else b"[]\n")


@contextmanager
def records(style: Format) -> Iterator[Writer]:
    """A writer that is closed also when an error ends the command, so that what was computed is not lost."""
    writer = Writer(style)
    try:
        yield writer
    finally:
        writer.close()


def report(message: str, code: int) -> int:
    """Prints an error as one line on stderr and passes the exit code through."""
    if sys.stderr is not None:
        print("zen: " + " ".join(message.split()), file=sys.stderr)
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
