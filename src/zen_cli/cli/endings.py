"""How a command is ended from outside: Ctrl-C, SIGTERM (timeout, SLURM, docker) and SIGHUP (a closed terminal)."""

from __future__ import annotations

import os
import signal
import sys
from threading import Timer
from types import FrameType, TracebackType
from typing import Any

AGAIN_SECONDS = 0.01  # until an interruption that was lost is raised again
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Endings:
    """Notes these signals while a command, a search or an export runs. A context manager.

    The first one is noted, so that the search can end between two networks; a second one, or the first one after
    `interrupt_at_once`, raises KeyboardInterrupt. After `hold` they are noted and do nothing, so that an answer is
    written whole. With `once`, they do nothing after the first KeyboardInterrupt, so that what it ends is cleaned up.

    Python prints and forgets what is raised while it clears an object away, such as a generator that nobody uses any
    more. A KeyboardInterrupt that was lost there is raised again.
    """

    def __init__(self, *, once: bool = False) -> None:
        self._seen: list[int] = []
        self._once = once
        self._raises = self._holds = False
        self._before: dict[int, object] = {}
        self._hook = sys.unraisablehook

    def __enter__(self) -> Endings:
        self._hook, sys.unraisablehook = sys.unraisablehook, self._again
        try:
            heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]  # as under nohup
            self._before = {number: signal.signal(number, self._note) for number in heard}
        except ValueError:  # not in the main thread, as when a test calls the command
            self._before = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what `signal` gave
        sys.unraisablehook = self._hook

    @property
    def code(self) -> int:
        """The exit code: 128 and the number of the first signal, or 0."""
        return 128 + self._seen[0] if self._seen else 0

    def should_stop(self) -> bool:
        """Whether a signal came."""
        return bool(self._seen)

    def interrupt_at_once(self) -> None:
        """From now on the next signal raises KeyboardInterrupt; so does this, where one came already."""
        self._raises = True
        if self._seen:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """From now on signals wait."""
        self._holds = True

    def _note(self, number: int, _: FrameType | None) -> None:
        self._seen.append(number)
        if not self._holds and (self._raises or len(self._seen) > 1):
            self._holds = self._once
            raise KeyboardInterrupt

    def _again(self, lost: Any) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            self._hook(lost)
            return
        number = self._seen[-1] if self._seen else signal.SIGINT
        timer = Timer(AGAIN_SECONDS, _send, [number])  # here it would be lost once more
        timer.daemon = True
        timer.start()


def _send(number: int) -> None:
    """Sends a signal to this process, which also ends a wait, unless nobody would handle it any more."""
    if callable(signal.getsignal(number)):
        os.kill(os.getpid(), number)
