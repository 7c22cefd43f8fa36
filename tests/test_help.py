"""Help teaches: two examples that work and a page for each command, and options in groups, rarely used ones last."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from cli_here import ZenHere

from zen_cli.cli.help import FIRST_EXAMPLES, PAGES, PANELS, RARE, RARE_PANEL, help_text
from zen_cli.cli.main import COMMANDS, command, command_line

ROOT = Path(__file__).parents[1]
APP = command_line(*COMMANDS)


def examples() -> list[str]:
    return [*FIRST_EXAMPLES, *(example for name in COMMANDS for example in help_text(command(name)).examples)]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_two_examples_and_a_page(name: str) -> None:
    found = help_text(command(name)).examples
    assert len(found) >= 2
    assert all(f"zen {name}" in example for example in found)
    assert (ROOT / "docs" / PAGES[name]).is_file()
    text = (ROOT / "docs" / PAGES[name]).read_text(encoding="utf-8")
    assert f"zen {name}" in text


@pytest.mark.parametrize("example", examples())
def test_an_example_has_options_that_there_are(example: str) -> None:
    for part in example.split(" | "):
        program, name, *words = shlex.split(part)
        assert program == "zen"
        subcommand = APP.commands[name]  # type: ignore[attr-defined]  # a group, as there are several commands
        subcommand.make_context(name, list(words), resilient_parsing=True)
        known = {flag for param in subcommand.params for flag in param.opts}
        assert {word for word in words if word.startswith("-") and word != "-"} <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_groups_are_in_one_order_and_rare_options_last(name: str) -> None:
    subcommand = APP.commands[name]  # type: ignore[attr-defined]
    context = subcommand.make_context(name, [], resilient_parsing=True)
    panels = [getattr(param, "rich_help_panel", None) or "" for param in subcommand.get_params(context)]
    places = [len(PANELS) + (panel == RARE_PANEL) if panel not in PANELS else PANELS.index(panel) for panel in panels]
    assert places == sorted(places)


def test_every_rare_option_is_one_of_a_command() -> None:
    known = {param.name for name in COMMANDS for param in APP.commands[name].params}  # type: ignore[attr-defined]
    assert known >= RARE


@pytest.mark.parametrize("width", [60, 100])
def test_help_ends_with_examples_whole(zen_here: ZenHere, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERMINAL_WIDTH", str(width))
    done = zen_here("--help")
    assert done.code == 0
    for example in FIRST_EXAMPLES:
        assert example in done.out
    assert "docs/start.md" in done.out
