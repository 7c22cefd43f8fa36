"""Targets by name: a file, or `here`, the profile of this machine, which is kept and made when there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import SourceError, UsageError, reason
from ..formats.files import write_file
from ..nas.keeping import state_folder
from ..target.model import Target, parse_target
from .machine import is_here
from .profile import Log, profile
from .settings import ProfileSettings, check_profile

HERE = "here"
MOST_BYTES = 10_000_000
OnVisit = Callable[[int, int | None], None]


def kept_path(settings: ProfileSettings) -> Path:
    """Where the profile of this machine with these settings is kept."""
    return state_folder() / "zen" / "targets" / f"{settings.digest}.json"


def log_path(settings: ProfileSettings) -> Path:
    """Where its measurements are kept while it is made."""
    return kept_path(settings).with_suffix(".jsonl")


def load_target(word: str, on_visit: OnVisit = lambda *_: None) -> tuple[Target, str]:
    """A target, and one line about it for people, empty where there is nothing to say.

    Args:
        word: a file, or `here`.
        on_visit: called while this machine is measured, as by `profile`.

    Raises:
        SourceError: the file is no target.
        UsageError: the file cannot be read, or this machine cannot be measured.
    """
    if word == HERE:
        return _here(on_visit)
    path = Path(word)
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"target: {word} cannot be read, {reason(error)}; name a file of zen profile, or here"
        ) from None
    if len(data) > MOST_BYTES:
        raise SourceError(f"target: {word} is larger than {MOST_BYTES:,} bytes; it is no target")
    target = parse_target(data, f"target: {word}")
    return target, describe(target)


def describe(target: Target) -> str:
    """One line: what it was measured on, if that is another machine, and how wrong its predictions are."""
    if target.backend is None or target.error is None:
        return ""
    where = "this machine" if is_here(target) else f"{target.host} ({target.processor}), not this machine"
    error = target.error
    return (
        f"times of {target.name} are of {where}: {target.backend}, {target.threads} threads, {target.dtype}; "
        f"error {error.median:.1%} median, {error.p90:.1%} in nine of ten networks, spread {error.spread:.1%}"
    )


def measure_here(settings: ProfileSettings, *, resumes: bool, on_visit: OnVisit = lambda *_: None) -> Target:
    """Measures this machine and keeps the result; where that is cut off, the measurements stay for `resumes`.

    Raises:
        UsageError: as `profile`.
        OutputError: measurements cannot be kept.
    """
    log = Log(log_path(settings), resumes=resumes)
    target = profile(settings, log, on_visit)
    write_file(kept_path(settings), target.to_bytes())
    log.remove()
    return target


def _here(on_visit: OnVisit) -> tuple[Target, str]:
    settings = check_profile()
    path = kept_path(settings)
    if path.exists():
        target = parse_target(path.read_bytes(), f"target: {path}")
        if is_here(target):
            return target, describe(target)
    target = measure_here(settings, resumes=True, on_visit=on_visit)
    return target, describe(target)
