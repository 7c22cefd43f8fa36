"""The application: its commands, and how it ends."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from ..errors import ZenError
from .export import export
from .score import score

app = typer.Typer(
    name="zen",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find convolutional networks without training and without data.",
)
app.command()(score)
app.command()(export)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zen {version('zen-cli')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find convolutional networks without training and without data.

    Answers go to stdout: a table on a terminal, JSON lines in a pipe. Everything else goes to stderr.
    """


def main() -> None:
    """Runs `zen` and exits: 0, 2 for what the user wrote, 1 for what failed, 130 for Ctrl-C."""
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        code = 0
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except ZenError as error:
        code = report(str(error), error.exit_code)
    except Exception as error:
        if not hasattr(error, "format_message"):  # a usage error of the parser, whose class is private to typer
            raise
        code = report(error.format_message(), getattr(error, "exit_code", 2))
    if _stdout_is_closed():
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code or 0)


def report(message: str, code: int) -> int:
    """Prints an error as one line on stderr and passes the exit code through."""
    print("zen: " + " ".join(message.split()), file=sys.stderr)
    return code


def _stdout_is_closed() -> bool:
    """Whether what is left in stdout's buffer has nowhere to go, so that Python would complain at exit."""
    try:
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        return True
    return False
