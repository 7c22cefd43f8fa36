"""How the options of `zen search` are made, and what completes them."""

from __future__ import annotations

import typer
from typer.models import OptionInfo

from ..nas.options import SearchOptions
from . import options as opt

LIMIT_PANEL = "Limits and budget"
HOW_PANEL = "How to search"


def complete_preset(incomplete: str) -> list[str]:
    """Names of presets."""
    from ..nas.presets import presets

    return opt.choices(*presets())(incomplete)


def complete_space(incomplete: str) -> list[str]:
    """Names of built-in spaces."""
    from ..nas.space import BUILTIN

    return opt.choices(*BUILTIN)(incomplete)


def complete_algorithm(incomplete: str) -> list[str]:
    """Names of algorithms."""
    from ..nas.algorithms import ALGORITHMS

    return opt.choices(*ALGORITHMS)(incomplete)


def complete_costs(incomplete: str) -> list[str]:
    """Metrics that can be limited."""
    from ..nas.limits import limit_names

    return opt.choices(*limit_names())(incomplete)


def limit_option(help_: str, *flags: str, metavar: str = "N") -> OptionInfo:
    """A limit, or when to end."""
    return typer.Option(*flags, metavar=metavar, help=help_, rich_help_panel=LIMIT_PANEL)  # type: ignore[no-any-return]


def how_option(name: str, default: object = None, more: str = "", *, metavar: str = "N") -> OptionInfo:
    """How to search: an option of a field of the model."""
    return opt.of_field(SearchOptions, name, default, panel=HOW_PANEL, metavar=metavar, more=more)
