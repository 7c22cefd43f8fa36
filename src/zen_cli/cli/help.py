"""Help that teaches: two examples and a page to read on for each command; options in groups, rarely used ones last."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from typer.core import TyperCommand, TyperOption

# The page of each command, in the folder `docs` of the project.
PAGES = {
    "score": "score.md",
    "search": "search.md",
    "runs": "search.md",
    "compare": "score.md",
    "bench": "evidence.md",
    "report": "report.md",
    "profile": "devices.md",
    "export": "export.md",
}
FIRST_EXAMPLES = ("zen search --max-macs 300M", "zen export last --to onnx -o net.onnx")
FIRST_PAGE = "README.md, or docs/start.md for what suits you"

RARE_PANEL = "Rarely needed"
# Options that most users of a command never need; they come last in its help.
RARE = frozenset(
    {
        *("arg", "path", "fail_fast", "schema", "opset", "precision_mode", "norm", "rules"),
        *("population", "lineages", "patience", "max_depth_width_ratio", "limit", "no_keep"),
    }
)
# Groups of options in the order of the help; those that are not named here come before the last.
PANELS = (
    "",
    "Columns",
    "Limits and budget",
    "Device",
    "How to search",
    "Output",
    "What defines the score",
    "Several machines",
)


class Text(NamedTuple):
    """A docstring of a command: what it says, and its examples."""

    text: str
    examples: tuple[str, ...]


def help_text(function: Callable[..., None]) -> Text:
    """The docstring of a command in its parts: `Examples: one; two` is its last paragraph."""
    text, _, rest = (inspect.getdoc(function) or "").partition("\nExamples: ")
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    return Text("\n\n".join(paragraphs), tuple(" ".join(example.split()) for example in rest.split("; ") if example))


def epilog(examples: tuple[str, ...], page: str) -> str:
    """What ends a help: the examples, each on a line of its own, and where to read on."""
    return "\n\n".join(["Examples:", *(f"  {example}" for example in examples), f"Read on: {page}"])


class GroupedCommand(TyperCommand):
    """A command whose help lists groups of options in one order, and those rarely needed last."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters in the order of the help; their types are private to typer."""
        params: list[Any] = super().get_params(ctx)
        for param in params:
            if param.name in RARE and isinstance(param, TyperOption):
                param.rich_help_panel = RARE_PANEL
        return sorted(params, key=lambda param: _place(getattr(param, "rich_help_panel", None) or ""))


def _place(panel: str) -> int:
    if panel == RARE_PANEL:
        return len(PANELS) + 1
    return PANELS.index(panel) if panel in PANELS else len(PANELS)
