"""A backend that runs nothing, and the clock that it rules: a network takes what a function says."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from zen_cli.net.spec import ArchSpec
from zen_cli.profiling import sampling
from zen_cli.profiling.backends import Conditions, WrittenFile
from zen_cli.target.graph import Operation, named_operations


class FakeBackend:
    """Networks and operations take the milliseconds that two functions say.

    Args:
        whole: of a network.
        part: of an operation in a profiler.
    """

    dtypes = ("float32",)
    files = ("json",)

    def __init__(self, whole: Callable[[ArchSpec], float], part: Callable[[Operation], float] = lambda _: 0.0) -> None:
        self.whole, self.part = whole, part
        self.opened = self.closed = 0
        self.now = 0.0
        self.written: list[bytes] = []

    def rule(self, monkeypatch: pytest.MonkeyPatch, user: ModuleType) -> None:
        """Is what a module finds, and what its clocks say."""
        monkeypatch.setattr(user, "find_backend", lambda *_: self)
        for name in ("perf_counter", "thread_time"):
            monkeypatch.setattr(sampling.time, name, lambda: self.now)

    def missing(self) -> str:
        return ""

    def versions(self) -> dict[str, str]:
        return {"fake": "1"}

    def open(self, spec: ArchSpec, conditions: Conditions) -> FakeSession:
        assert conditions == Conditions(1, 1, "float32", True)
        self.opened += 1
        return FakeSession(self, spec)

    def open_file(self, file: WrittenFile, conditions: Conditions) -> FakeSession:
        self.written.append(file.data)
        return self.open(file.spec, conditions)


class FakeSession:
    """A network that is ready to take its time."""

    def __init__(self, backend: FakeBackend, spec: ArchSpec) -> None:
        self.backend, self.spec, self.ms = backend, spec, backend.whole(spec)

    def run(self) -> None:
        self.backend.now += 1e-3 * self.ms

    def times(self, runs: int) -> dict[str, list[float]]:
        return {name: [self.backend.part(one)] * runs for name, one in named_operations(self.spec)}

    def close(self) -> None:
        self.backend.closed += 1
