"""What `zen search` shows instead of searching: its presets, and members of a space."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import options as opt
from .writing import write_listing

if TYPE_CHECKING:
    from ..nas.settings import SearchSettings


def print_presets(style: str | None) -> None:
    """Writes the presets."""
    from ..nas.presets import presets
    from ..ui.search_tables import print_presets as print_rows

    rows = list(presets().values())
    documents = [
        {
            "preset": row.name,
            "space": row.space,
            "resolution": row.resolution,
            "num_classes": row.num_classes,
            "limits": dict(row.limits),
        }
        for row in rows
    ]
    write_listing(opt.check_format(style), documents, lambda: print_rows(rows))


def check_space(settings: SearchSettings) -> None:
    """Shows random members of the space and its rules."""
    from ..nas.members import random_members
    from ..ui.search_tables import print_members
    from ..ui.terminal import say

    print_members(settings, random_members(settings, 5))
    rules = settings.space.rules
    for line in ["no design rules"] if rules is None else rules.lines():
        say(line)
    say(f"the space {settings.space.name} is sound")


def say_of_option(line: str) -> None:
    """Says a line of the core with its limits as options."""
    from ..ui.terminal import say

    say(re.sub(r"max_(\w+)", r"--max-\1", line))


def say_that_there_are_no_rules(preset: str, settings: SearchSettings) -> None:
    """Says that the space of a preset has no design rules, and which one has."""
    from ..nas.presets import find_preset
    from ..ui.terminal import say

    what = "is the published problem" if settings.limits == find_preset(preset).limits else "is searched"
    other = settings.space.name.removeprefix("zennet-")
    say(f"{preset} {what} in a space without design rules; add --space {other} to search with them")
