"""Commands of `zen` that have a fault at a seeded moment; see `events.py`."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any, NamedTuple

from cli import MAIN, server_of
from forks import ForkServer

# How many moments a test tries. ZEN_FAULTS=200 makes it a campaign, ZEN_FAULTS_SEED=1 another one.
MOMENTS = int(os.environ.get("ZEN_FAULTS", "3"))
SEED = int(os.environ.get("ZEN_FAULTS_SEED", "0"))
HERE = str(Path(__file__).parent)


class Moment(NamedTuple):
    """An event: the count-th one in a function."""

    function: str
    count: int


class Ended(NamedTuple):
    """How a command ended: its exit code, negative for a signal; what it wrote."""

    code: int
    out: str
    err: str
    is_stopped: bool = False

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The records of JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def says(self, *words: str) -> None:
        """At most one line on stderr for each error, and these words in it."""
        for line in self.err.splitlines():
            assert line.startswith("zen: "), self.err
            assert len(line) < 400, line
        for word in words:
            assert word in self.err


class Command(NamedTuple):
    """A command that runs."""

    server: ForkServer
    number: int
    folder: Path
    name: str


class Commands:
    """Starts commands, in forks that have `zen` loaded."""

    def start(
        self,
        folder: Path,
        *words: str,
        moment: Moment | tuple[()] | None = None,
        fault: str = "",
        name: str = "out",
    ) -> Command:
        """Starts a command with a fault at a moment, if one is given."""
        armed = f"events.arm({name!r}, {moment and tuple(moment)!r}, {fault!r})"
        script = f"import sys\nsys.path.insert(0, {HERE!r})\nimport events\n{armed}\n{MAIN}"
        server = server_of(words)
        return Command(server, server.fork(folder, script, *words), folder, name)

    def end(self, command: Command) -> Ended:
        """Waits until a command has ended, or stopped."""
        _, status = command.server.ask({"wait": command.number, "options": os.WUNTRACED})
        out, err = command.folder / command.name, command.folder / f"{command.name}.err"
        if os.WIFSTOPPED(status):
            return Ended(0, out.read_text(), err.read_text(), is_stopped=True)
        return Ended(os.waitstatus_to_exitcode(status), out.read_text(), err.read_text())

    def run(self, folder: Path, *words: str, **more: Any) -> Ended:
        """Starts a command and waits for its end."""
        return self.end(self.start(folder, *words, **more))

    def events(self, folder: Path, *words: str) -> dict[str, int]:
        """How many events each function has in a command."""
        done = self.run(folder, *words, moment=())
        assert done.code == 0, done.err
        events: dict[str, int] = json.loads((folder / "out.events").read_bytes())
        return events


def draw(events: dict[str, int], purpose: str, *, among: str = "") -> Moment:
    """A moment drawn evenly over functions, of files whose path holds `among`, and then over the function's events.

    It is printed, so that a test that fails shows it.
    """
    generator = random.Random(f"{purpose} {SEED}")
    function = generator.choice(sorted(name for name in events if among in name))
    moment = Moment(function, 1 + int(generator.random() * events[function]))
    print(purpose, moment)
    return moment
