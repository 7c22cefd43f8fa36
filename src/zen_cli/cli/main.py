"""The application: its commands, and how it ends."""

from __future__ import annotations

import gc
import io
import os
import re
import sys
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from inspect import signature
from typing import Annotated, Any

import typer

from ..errors import RunError, SpecError, UsageError, ZenError, nearest, reason
from .endings import Endings
from .help import FIRST_EXAMPLES, FIRST_PAGE, PAGES, GroupedCommand, epilog, help_text
from .reporting import STDOUT, report
from .shortage import shortage

# The commands, each in the module of its name, with the first line of its help.
COMMANDS = {
    "score": "Zen-score of architectures with its error and their cost, one record each.",
    "search": "The best architectures within limits, best first, as score records.",
    "runs": "Earlier searches, newest first: what they searched, their best, and whether they can be resumed.",
    "compare": "Networks side by side: score, cost, stages, and what differs.",
    "bench": "What each metric is worth on networks that you trained: regret of its pick, rank correlation, intervals.",
    "report": "A page to look at and to send: one file with charts, drawings and tables, which works offline.",
    "profile": "What layers cost on this machine, as a target file for searches under a latency.",
    "export": "An architecture as something another program runs: Python, ONNX, torch.export, a drawing.",
}
# What else an option may be called than its field.
ALIASES = {"proxy": "--objective", "max_macs": "--max-flops"}


def make_app(*names: str) -> typer.Typer:
    """The application. Only the named commands are imported; the others are known by the line of their help.

    `zen --help` shows nothing but these lines, and importing what options are derived from takes longer than typer.
    """
    app = typer.Typer(
        name="zen",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Find convolutional networks without training and without data.",
        epilog=epilog(FIRST_EXAMPLES, FIRST_PAGE),
    )
    app.callback()(root)
    for name, summary in COMMANDS.items():
        if name not in names:
            app.command(name, help=summary)(_unknown)
            continue
        function = command(name)
        text, examples = help_text(function)
        app.command(name, cls=GroupedCommand, help=text, epilog=epilog(examples, f"docs/{PAGES[name]}"))(function)
    return app


@cache
def command_line(*names: str) -> Callable[..., Any]:
    """The application with these commands, ready to run."""
    return typer.main.get_command(make_app(*names))


def command(name: str) -> Callable[..., None]:
    """The function of a command."""
    function: Callable[..., None] = getattr(import_module(f".{name}", __package__), name)
    return function


def _unknown() -> None:
    """Stands in for a command that is not run."""


def _wanted(words: list[str]) -> tuple[str, ...]:
    """The commands that a command line, or the completion of one, needs."""
    is_completion = "_ZEN_COMPLETE" in os.environ
    return tuple(COMMANDS) if is_completion else tuple(word for word in words if word in COMMANDS)


def _version(wanted: bool) -> None:
    if wanted:
        from ..version import zen_version

        typer.echo(f"zen {zen_version()}")
        raise typer.Exit


def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find convolutional networks without training and without data.

    Answers go to stdout: a table on a terminal, JSON lines in a pipe. Everything else goes to stderr.
    """


def main() -> None:
    """Runs `zen` and exits: 0, 2 for what the user wrote, 1 for what failed, 128 and the number of a signal."""
    _open_closed_streams()
    _buffer_stdout()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character still gets the line
    warnings.showwarning = _show_warning
    code: Any
    endings = Endings()
    try:
        words = sys.argv[1:]
        with endings:
            endings.interrupt_at_once()
            code = command_line(*_wanted(words))(words or ["--help"], standalone_mode=False)
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        code = 0
    except SystemExit as end:  # how the parser ends when the pipe is closed
        code = 0 if isinstance(end.__context__, BrokenPipeError) else end.code
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except ZenError as error:
        code = report(_with_options(error), error.exit_code)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        code = report(f"torch is not installed; pip install torch, or {_without_torch(sys.argv[1:])}", 1)
    except OSError as error:
        where = "a file cannot be read or written" if error.filename is None else f"{error.filename}: failed"
        if error.filename == STDOUT or (error.filename is None and _stdout_is_closed()):
            where = f"{STDOUT}: cannot be written"
        code = report(f"{where}, {reason(error)}", 1)
    except Exception as error:
        code = _unforeseen(error)
    if code == 130:  # of any interruption, also where the parser ends by itself
        code = endings.code or code
    if _stdout_is_closed():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if "triton" not in sys.modules:  # which reports what it finds alive at the end of the process
        gc.freeze()  # what is left ends with the process; to look for cycles in it takes longer than the imports
    sys.exit(code or 0)


def _unforeseen(error: Exception) -> int:
    """The exit code of an error of a library, which is raised again where nothing is known of it."""
    if isinstance(error.__cause__, KeyboardInterrupt):  # in a function that pydantic calls
        return 130
    if text := shortage(error):
        return report(text, RunError.exit_code)
    if not hasattr(error, "format_message"):  # a usage error of the parser, whose class is private to typer
        raise error
    text = error.format_message()
    code: int = getattr(error, "exit_code", 2)
    return report(text if "Did you mean" in text else text + _hint(sys.argv[1:]), code)


def _with_options(error: ZenError) -> str:
    """The message of an error with options in place of the fields of the core: `--batch-size: ...` for
    `batch_size: ...` where it is about what was asked for, and `--force` for `force=True` in its advice.
    """
    known = {name for word in COMMANDS for name in signature(command(word)).parameters} - {"style"} | {"format"}

    written = {word.partition("=")[0] for word in sys.argv[1:]}

    def option(match: re.Match[str]) -> str:
        if ALIASES.get(match[1]) in written:
            return ALIASES[match[1]]
        return f"--{match[1].rstrip('_').replace('_', '-')}" if match[1] in known else match[0]

    field, colon, rest = str(error).partition(": ")
    if isinstance(error, (UsageError, SpecError)):
        field = re.sub(r"^(\w+)$", option, field)
    rest = re.sub(r"(?<![\w/.-])(\w+_\w+)(?![\w/.])", option, rest)
    return field + colon + re.sub(r"\b(\w+)=True\b", option, rest)


def _hint(words: list[str]) -> str:
    """What a command line that the parser refused may have meant; empty where that is not known."""
    if not words or words[0].startswith("-"):
        return ""
    first = words[0]
    if first not in COMMANDS:
        if os.path.exists(first) or "(" in first or first.endswith((".json", ".jsonl", ".txt")):
            return f" Did you mean `zen score {first}`?"
        return f" {nearest(first, COMMANDS)}"
    if first == "search":
        from ..nas.presets import presets
        from ..nas.space import BUILTIN

        for word in words[1:]:
            for option, names in (("--space", BUILTIN), ("--preset", presets())):
                if word in names:
                    return f" Did you mean `{option} {word}`?"
    return ""


def _without_torch(words: list[str]) -> str:
    """What a command does without torch."""
    return {
        "export": "choose --to json, plainnet, mermaid or svg, which need none",
        "search": "search by the closed form, the default, with --verify 0",
    }.get(words[0] if words else "", "score by --estimator mean-field and by metrics with a closed form")


def _open_closed_streams() -> None:
    """Opens stdin, stdout and stderr on nothing where the caller closed them: the next file that is opened would take
    their numbers, and what is said on stderr would go to stdout or into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end


def _buffer_stdout() -> None:
    """Gives stdout a buffer where Python was started without one (PYTHONUNBUFFERED): it may write only a part."""
    if isinstance(sys.stdout, io.TextIOWrapper) and isinstance(sys.stdout.buffer, io.RawIOBase):
        code, number = sys.stdout.encoding, sys.stdout.fileno()
        sys.stdout = open(number, "w", 1, encoding=code, closefd=False)  # noqa: SIM115 - until the end


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one line, without the line of code that it came from."""
    report(f"warning: {message}", 0)


def _stdout_is_closed() -> bool:
    """Whether what is left in stdout's buffer has nowhere to go, so that Python would complain at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        return True
    return False
