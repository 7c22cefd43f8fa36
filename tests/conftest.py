"""Settings of every test: one thread, plain output, and hypothesis that never judges by the clock."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli import ENVIRONMENT, Zen
from hypothesis import settings

if TYPE_CHECKING:
    from cli_here import ZenHere

    from zen_cli.exporters.check import Checker

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ  # of pytest-xdist

# To look for garbage in what is loaded and in the caches of a thousand tests is a tenth of the time of the tests.
gc.disable()
gc.set_threshold(100_000, 50, 1000)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def commands_leave_garbage_to_the_tests() -> Iterator[None]:
    """`main` freezes what is left, since its process ends; here that would keep it for ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "freeze", lambda: None)
        yield


def pytest_sessionfinish() -> None:
    if IS_WORKER:  # which ends at once; elsewhere triton would report what is left
        gc.freeze()  # pytest looks for garbage five times at its end


# One thread: the networks here are tiny, and many processes may share the cores.
os.environ |= {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100", "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
# Searches are kept in a folder of the tests, one a process, and never where the user's are.
_STATE = tempfile.TemporaryDirectory(prefix="zen-tests-state-")


@atexit.register
def end_at_once() -> None:
    """The last of a process of pytest-xdist: to take down what is loaded would take seconds."""
    _STATE.cleanup()
    if IS_WORKER:
        os._exit(0)


os.environ["XDG_STATE_HOME"] = ENVIRONMENT["XDG_STATE_HOME"] = _STATE.name
for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):
    os.environ.pop(name, None)
# A shell starts what runs in the background, or under nohup, with signals ignored; `zen` inherits them from here.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, usual)

# The same examples in every run, so that nothing fails by chance; ZEN_RANDOM=1 draws new ones.
settings.register_profile(
    "zen", deadline=None, max_examples=60, print_blob=True, derandomize=not os.environ.get("ZEN_RANDOM")
)
settings.load_profile("zen")

PUBLISHED = Path(__file__).parent / "data" / "published.json"


@pytest.fixture(scope="session")
def published() -> list[dict[str, Any]]:
    """What is known of the published networks."""
    rows: list[dict[str, Any]] = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return rows


@pytest.fixture(scope="session")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    """The process that loads and runs exported files, one for all tests."""
    from zen_cli.exporters.check import Checker

    with Checker(tmp_path_factory.mktemp("checker")) as process:
        yield process


@pytest.fixture
def zen(tmp_path: Path) -> Zen:
    """Runs `zen` in a process of its own, in an empty folder."""
    return Zen(tmp_path)


@pytest.fixture
def zen_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], checker: Checker
) -> ZenHere:
    """Runs `zen` in this process, in an empty folder; one process checks the files of all its exports."""
    from cli_here import ZenHere

    monkeypatch.setattr("zen_cli.exporters.run.Checker", lambda _: nullcontext(checker))
    return ZenHere(tmp_path, monkeypatch, capfdbinary)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes | dict[str, Any]], str]:
    """Writes a file in the folder in which `zen` runs and returns its name."""

    def write_file(name: str, content: str | bytes | dict[str, Any]) -> str:
        data = json.dumps(content) if isinstance(content, dict) else content
        (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
        return name

    return write_file
