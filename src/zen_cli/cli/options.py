"""Options that several commands share; records and tables are imported where they are written, help needs none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

import typer
from pydantic import BaseModel
from typer.models import OptionInfo

from ..errors import OutputError, UsageError, nearest
from ..metrics.fields import bounds as field_bounds
from ..metrics.fields import choices as field_choices
from ..metrics.settings import DEFAULT_DRAWS, ScoreSettings
from ..units import LARGEST, parse_count, parse_real, parse_size
from .reporting import STDOUT
from .reporting import report as report

if TYPE_CHECKING:
    from ..formats.base import Overrides

Format: TypeAlias = Literal["table", "json", "jsonl", "csv"]

FORMATS: tuple[Format, ...] = get_args(Format)

SCORE_PANEL = "What defines the score"
OUTPUT_PANEL = "Output"
DEVICE_PANEL = "Device"
CLUSTER_PANEL = "Several machines"


def choices(*words: str) -> Callable[[str], list[str]]:
    """Completes an option that takes these words, one or several with commas between them."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + word for word in words if word.startswith(last) and word not in before.split(",")]

    return complete


def complete_metrics(incomplete: str) -> list[str]:
    """Completes a list of metrics."""
    from ..metrics import names

    return choices(*names())(incomplete)


def of_field(
    model: type[BaseModel], name: str, default: object, *, panel: str, metavar: str = "", more: str = ""
) -> OptionInfo:
    """The option of a field of a settings model: its help, its words and their completion come from the model.

    Args:
        model: the settings.
        name: the field.
        default: what the help says is taken where the option is not given; None says nothing.
        panel: of the help.
        metavar: how its value is called, where it has no words to choose from.
        more: what the help adds.
    """
    words = field_choices(model, name)
    text = f"{model.model_fields[name].description}{more}"
    if default is not None:
        text = f"{text.removesuffix('.')} (default: {default})."
    return typer.Option(  # type: ignore[no-any-return]  # typer's own type
        metavar="|".join(words) or metavar,
        autocompletion=choices(*words) if words else None,
        help=text,
        rich_help_panel=panel,
        show_default=False,
    )


def parsed(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """Options as values of a settings model: numbers are read by the one parser, within the bounds of the model.

    Raises:
        UsageError: not a number, or out of bounds.
    """
    values = {}
    for name, value in given.items():
        field = model.model_fields.get(name)
        if value is None or field is None:
            continue
        kinds = {field.annotation, *get_args(field.annotation)}
        least, most = field_bounds(model, name)
        if isinstance(value, str) and int in kinds:
            value = parse_count(value, name, least=int(least or 0), most=int(most or LARGEST))
        elif isinstance(value, str) and float in kinds:
            value = parse_real(value, name, least=float(least or 0), most=float(most or LARGEST))
        values[name] = value
    return values


def _score_field(name: str, default: object = None, **more: str) -> OptionInfo:
    return of_field(ScoreSettings, name, default, panel=SCORE_PANEL, **more)


Estimator = Annotated[str | None, _score_field("estimator", "monte-carlo")]
SearchEstimator = Annotated[str | None, _score_field("estimator", "mean-field")]
Convention = Annotated[str | None, _score_field("convention", "paper")]
NormOption = Annotated[str | None, _score_field("norm")]
Alpha = Annotated[str | None, _score_field("alpha", 0.01, metavar="X")]
BatchSize = Annotated[str | None, _score_field("batch_size", 16, metavar="N")]
Draws = Annotated[str | None, _score_field("draws", DEFAULT_DRAWS, metavar="N")]
Precision = Annotated[str | None, _score_field("precision", metavar="NATS")]
PrecisionMode = Annotated[str | None, _score_field("precision_mode", "auto")]
Seed = Annotated[str | None, _score_field("seed", 0, metavar="N")]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="auto|cpu|cuda[:i,j]",
        autocompletion=choices("auto", "cpu", "cuda"),
        help=f"{ScoreSettings.model_fields['device'].description}",
        rich_help_panel=SCORE_PANEL,
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="ray[://HOST:PORT]",
        help="Measure on a Ray cluster: the one this machine is in, one of its own cores, or another.",
        autocompletion=choices("ray"),
        rich_help_panel=CLUSTER_PANEL,
    ),
]
DtypeOption = Annotated[str | None, of_field(ScoreSettings, "dtype", "float32", panel=DEVICE_PANEL)]
TargetOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|here",
        help="The device that networks are for, as zen profile wrote it; here is this machine, measured when needed.",
        rich_help_panel=DEVICE_PANEL,
    ),
]
Resolution = Annotated[
    str | None, typer.Option(metavar="N|HxW", help="Side of the input image, instead of the spec's.")
]
NumClasses = Annotated[str | None, typer.Option(metavar="N", help="Classes, instead of the spec's.")]
FactoryArgument = Annotated[
    list[str] | None,
    typer.Option(
        "--arg",
        metavar="KEY=VALUE",
        help="An argument of the factory of a module:, as often as needed.",
        show_default=False,
    ),
]
FactoryPath = Annotated[
    str | None, typer.Option("--path", metavar="DIR", help="Where the package of a module: is.", show_default=False)
]
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

References = Annotated[
    bool,
    typer.Option(
        "--references/--no-references",
        help="Published networks of about the same cost, for comparison.",
    ),
]


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
    raise UsageError(f"format: unknown {name!r}; {nearest(name, FORMATS)}")


def overrides_of(params: Mapping[str, Any]) -> Overrides:
    """What was given instead of the networks, or beside their names; numbers are within the bounds of a spec."""
    from ..formats.base import Overrides
    from ..net.layers import side_of
    from ..net.spec import MAX_SIDE, ArchSpec

    classes = parsed(ArchSpec, {"num_classes": params["num_classes"]}).get("num_classes")
    text = params["resolution"]
    resolution = None if text is None else side_of(parse_size(text, "resolution", most=MAX_SIDE))
    return Overrides(resolution, classes, arg=tuple(params.get("arg") or ()), path=params.get("path"))


def square_side(text: str) -> int:
    """The side of the images of a search, which are square: `224`, or `224x224`.

    Raises:
        UsageError: no size, or one of two sides.
    """
    from ..net.layers import side_text
    from ..net.spec import MAX_SIDE

    size = parse_size(text, "resolution", most=MAX_SIDE)
    if size[0] != size[1]:
        raise UsageError(f"resolution: a search takes square images, not {side_text(size)}; give one side")
    return size[0]


def deployment(target: str | None, dtype: str | None, *, quiet: bool) -> dict[str, Any]:
    """The device and its numbers that were asked for, as settings.

    Raises:
        SourceError: the target cannot be read.
    """
    if target is None:
        return {} if dtype is None else {"dtype": dtype}
    from ..profiling.kept import load_target
    from ..ui.progress import Progress
    from ..ui.terminal import say

    with Progress("measuring this machine", quiet=quiet, unit="visits") as progress:
        found, line = load_target(target, progress.update)
    if line and not quiet:
        say(line)
    return {"target": found} if dtype is None else {"target": found, "dtype": dtype}


def emit(data: bytes) -> None:
    """Writes bytes to stdout now.

    Raises:
        OutputError: stdout is closed.
        OSError: a full disk or a broken pipe, with `STDOUT` as its file name.
    """
    if sys.stdout is None:
        raise OutputError("stdout: is closed; send it somewhere, or to /dev/null")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        error.filename = STDOUT
        raise
