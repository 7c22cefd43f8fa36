"""Any value of any option is used or refused with a message, by every command."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzz_tools import Done, fuzz, nasty, zen
from hypothesis import strategies as st

from zen_cli.cli.main import COMMANDS, command_line

SPEC = b'{"resolution":8,"num_classes":4,"blocks":[{"op":"conv","width":8}]}'
LEFT_OUT = ("help", "version", "install_completion", "show_completion", "bound")


def options(name: str) -> st.SearchStrategy[list[str]]:
    """One option of a command with a value, or a flag."""
    group: Any = command_line(*COMMANDS)
    rows: list[st.SearchStrategy[list[str]]] = []
    for parameter in group.commands[name].params:
        if parameter.param_type_name != "option" or parameter.name in LEFT_OUT:
            continue
        option = parameter.opts[0]
        rows.append(st.just([option]) if parameter.is_flag else nasty.map(lambda value, o=option: [o, value]))  # type: ignore[misc]
    return st.one_of(rows)


def in_a_folder(run: Callable[[], Done]) -> Done:
    """A command that may write where it runs."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "a" / "b"
        inside.mkdir(parents=True)
        os.chdir(inside)
        try:
            return run().check()
        finally:
            os.chdir(before)


def flat(rows: list[list[str]]) -> list[str]:
    return [word for row in rows for word in row]


@fuzz(100, st.lists(options("score"), min_size=1, max_size=3))
def test_any_options_of_score(rows: list[list[str]]) -> None:
    in_a_folder(lambda: zen("score", "--estimator", "mean-field", *flat(rows), "-", stdin=SPEC))


@fuzz(60, st.lists(options("search"), min_size=1, max_size=2))
def test_any_options_of_search(rows: list[list[str]]) -> None:
    base = ("--space", "regnet", "--resolution", "32", "--max-layers", "40", "--budget", "64evals", "--verify", "0")
    in_a_folder(lambda: zen("search", *base, "--population", "8", *flat(rows)))


@fuzz(60, st.lists(options("export"), min_size=1, max_size=2), st.sampled_from(["json", "svg", "plainnet", "mermaid"]))
def test_any_options_of_export(rows: list[list[str]], target: str) -> None:
    in_a_folder(lambda: zen("export", "--to", target, *flat(rows), "-", stdin=SPEC))


@fuzz(60, st.lists(nasty, max_size=3))
def test_any_words(words: list[str]) -> None:
    in_a_folder(lambda: zen(*words, stdin=SPEC))
    in_a_folder(lambda: zen("score", "--estimator", "mean-field", *words, stdin=SPEC))


VALUES: list[tuple[list[str], str]] = [
    (["--max-params", "1e30"], "--max-params: '1e30' is too large; use at most 9223372036854775807"),
    (["--max-macs", "1e300T"], "--max-macs: '1e300T' is too large"),
    (["--max-layers", "0"], "--max-layers: '0' is too small"),
    (["--max-params", "3\x1c"], "--max-params: '3\\x1c' is not a number"),
    (["--max-params", "٣"], "--max-params: '٣' is not a number"),
    (["--budget", "1e308d"], "--budget: '1e308d' is too large"),
    (["--space", "\x1b[2J"], "--space: unknown"),
]


@pytest.mark.parametrize(("words", "message"), VALUES, ids=lambda value: repr(value)[:40])
def test_a_number_that_cannot_be_is_refused_before_the_search(words: list[str], message: str) -> None:
    done = in_a_folder(lambda: zen("search", "--budget", "64evals", "--verify", "0", *words))
    assert (done.code, done.out) == (2, b"")
    assert done.err.startswith(f"zen: {message}")
    assert len(done.err.splitlines()) == 1
