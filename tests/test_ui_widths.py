"""Every table of every command at four widths: lines fit, and what must be typed is whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from cli_here import ZenHere
from test_target import a_target

from zen_cli.metrics import names as proxy_names
from zen_cli.nas.presets import presets
from zen_cli.networks import networks
from zen_cli.profiling import kept
from zen_cli.ui import exports, layout, terminal

WIDTHS = (40, 80, 100, 200)
KNOWN = ("mobilenet_v2", "resnet50", "efficientnet_b0")
LONG = "a-network-with-a-name-that-is-longer-than-most-names"
SPEC = {"name": LONG, "resolution": 16, "num_classes": 10, "blocks": [{"op": "conv", "width": 16, "depth": 3}]}
PROBLEM = ("--space", "zennet-resnet", "--resolution", "16", "--num-classes", "10", "--max-params", "60k")
SEARCH = ("search", *PROBLEM, "--max-sublayers", "6", "--verify", "0")
EVOLVED = ("--algorithm", "evolution", "--budget", "600evals")
FOLDER = "a-folder-with-a-name-that-is-longer-than-a-narrow-terminal-is-wide"
WRITTEN = f"{FOLDER}/{LONG.replace('-', '_')}.json"


class Shown(NamedTuple):
    """A command that shows a table, and the words in it that a reader may have to type."""

    words: tuple[str, ...]
    typed: Callable[[ZenHere], Iterable[str]]


def these(*words: str) -> Callable[[ZenHere], Iterable[str]]:
    return lambda _: words


def found(*words: str) -> Callable[[ZenHere], Iterable[str]]:
    """The names of the networks that a search finds."""
    return lambda zen: [str(row["name"]) for row in zen(*words).rows]


def searched(*more: str) -> Shown:
    """A search, which is resumed to show its answer again."""
    return Shown(("search", "--resume", "run"), found(*SEARCH, *more, "--out", "run"))


MEAN_FIELD = ("score", "--estimator", "mean-field")
SHOWN: dict[str, Shown] = {
    "score": Shown((*MEAN_FIELD, *KNOWN, "long.json"), these(*KNOWN, LONG)),
    "proxies": Shown((*MEAN_FIELD, "--proxies", "balanced,entropy,even,memory", *KNOWN), these(*KNOWN)),
    "target": Shown((*MEAN_FIELD, "--target", "target.json", *KNOWN), these(*KNOWN)),
    "breakdown": Shown((*MEAN_FIELD, "--breakdown", "long.json"), these(LONG)),
    "layers": Shown(("score", "--layers", "mobilenet_v2"), these("mobilenet_v2:", "stage2.1.conv2")),
    "list-proxies": Shown(("score", "--list-proxies"), lambda _: proxy_names()),
    "list-networks": Shown(("score", "--list-networks"), lambda _: [row.name for row in networks()]),
    "list-presets": Shown(("search", "--list-presets"), lambda _: presets()),
    "check": Shown(("search", *PROBLEM, "--check"), these()),
    "search": searched(*EVOLVED),
    "front": searched("--algorithm", "exact", "--gap", "50%", "--front", "params", "--top", "2"),
    "runs": Shown(("runs",), lambda zen: [str(row["run"]) for row in zen("runs", "--format", "jsonl").rows]),
    "compare": Shown(("compare", "mobilenet_v2", "resnet50"), these("mobilenet_v2", "resnet50")),
    "compare-four": Shown(("compare", *KNOWN, "long.json", "--target", "target.json"), these(*KNOWN, LONG)),
    "export": Shown(("export", "long.json", "--to", "json,mermaid", "-o", FOLDER, "--force"), these(WRITTEN)),
}  # fmt: skip


@pytest.fixture
def folder(zen_here: ZenHere, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands find their files and runs; messages and tables are broken as on a terminal."""
    folder = zen_here.folder
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    for module in (terminal, exports):
        monkeypatch.setattr(module, "is_terminal", lambda _: True)
    (folder / FOLDER).mkdir()
    (folder / "long.json").write_text(json.dumps(SPEC))
    (folder / "target.json").write_bytes(a_target(host="elsewhere").to_bytes())
    return folder


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", SHOWN)
def test_every_table_fits_and_what_must_be_typed_is_whole(
    name: str, zen_here: ZenHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, typed = SHOWN[name]
    if name == "runs":
        zen_here(*SEARCH, *EVOLVED)
    needed = set(typed(zen_here))
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        done = zen_here(*words) if name == "export" else zen_here(*words, "--format", "table")
        assert done.code == 0, done.err
        lines = [*done.out.splitlines(), *done.err.splitlines()]
        assert len(lines) > 1
        for line in lines:
            assert layout.cells(line) <= width or len(line.split()) == 1, f"{width} columns: {line}"
        assert needed <= {word.strip("(),") for line in lines for word in line.split()}, f"{width} columns"


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_profile_says_fits(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(terminal, "is_terminal", lambda _: True)
    terminal.say(kept.describe(a_target(host="elsewhere")))
    assert all(len(line) <= width for line in capsys.readouterr().err.splitlines())
