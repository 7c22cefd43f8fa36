"""Which networks a file of records holds already, so that a run that was killed goes on where it was.

A record counts where its network and all settings that define its numbers are those of the run. A kill may cut the last
line off; it is ignored here, and cut away where the run appends to the same file.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from ..errors import UsageError, reason
from ..metrics.metric import Metric, setting_of
from ..metrics.records import SCHEMA
from ..metrics.settings import ScoreSettings, resolved_mode


class Done:
    """Networks that need no score any more.

    Args:
        files: of records, as JSON lines.
        settings: of the run.
        proxies: metrics that a record must hold as well.
        breakdown: whether it must hold the layers' shares.

    Raises:
        UsageError: a file cannot be read, or holds something else than records as JSON lines.
    """

    def __init__(
        self, files: Sequence[Path], settings: ScoreSettings, proxies: Sequence[Metric] = (), *, breakdown: bool = False
    ) -> None:
        self._settings, self._proxies, self._breakdown = settings, proxies, breakdown
        self._left: Counter[str] = Counter()
        self.passed = 0  # networks that were passed over
        self.strange = 0  # lines that are no records, cut ones included
        for file in files:
            self._read(file)

    def holds(self, network_id: str) -> bool:
        """Whether a network is passed over: as often as it is in the files, because a stream may hold it twice."""
        if not self._left[network_id]:
            return False
        self._left[network_id] -= 1
        self.passed += 1
        return True

    def _read(self, file: Path) -> None:
        known = strange = 0
        try:
            with open(file, "rb") as lines:
                for line in lines:
                    record = _parse(line)
                    if record is None:
                        strange += bool(line.strip())
                        continue
                    known += 1
                    if self._is_wanted(record):
                        self._left[record["id"]] += 1
        except (OSError, ValueError) as error:
            raise UsageError(f"skip_done: {file} cannot be read, {reason(error)}; name a file of records") from None
        if strange > 1 and not known:
            raise UsageError(f"skip_done: {file} holds no records as JSON lines; write them with the format jsonl")
        self.strange += strange

    def _is_wanted(self, record: Mapping[str, Any]) -> bool:
        """Whether a record has all numbers that this run would compute, by the same settings."""
        zen, rows = record["zen"], record.get("proxies") or {}
        if self._breakdown and not record.get("breakdown"):
            return False
        return _is_score_of(zen, self._settings) and all(_has(rows, proxy, self._settings) for proxy in self._proxies)


def trim_output(file: Path, descriptor: int) -> bool:
    """Cuts a last line without its end off a file, where it is the file that an output appends to.

    What is written next then begins a line of its own. A line that is whole but for its end gets that.

    Returns:
        Whether the file was changed.
    """
    with suppress(OSError):
        there, output = file.stat(), os.fstat(descriptor)
        if not stat.S_ISREG(output.st_mode) or (there.st_dev, there.st_ino) != (output.st_dev, output.st_ino):
            return False
        with open(file, "rb") as stream:
            last = b""
            for last in stream:  # noqa: B007  # the last line is looked at after the loop
                pass
        if not last or last.endswith(b"\n"):
            return False
        if _parse(last) is not None:
            os.write(descriptor, b"\n")
        else:
            os.ftruncate(descriptor, there.st_size - len(last))
        return True
    return False


def _parse(line: bytes) -> Mapping[str, Any] | None:
    """The record of a line; None if it is none."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        return None
    is_whole = isinstance(record.get("id"), str) and isinstance(record.get("zen"), dict)
    return record if is_whole and isinstance(record.get("proxies") or {}, dict) else None


def _is_score_of(zen: Mapping[str, Any], settings: ScoreSettings) -> bool:
    """Whether a score is what the settings ask for; with a precision, one that is at least so precise."""
    names = ["estimator", "convention", "norm", "alpha"]
    if settings.estimator == "monte-carlo":
        names += ["batch_size", "seed"]
        error, precision = zen.get("std_error"), settings.precision
        if precision is None:
            names.append("draws")
        elif not isinstance(error, (int, float)) or error > precision:
            return False
        if zen.get("precision_mode") != resolved_mode(settings) or not _is_on(zen.get("device"), settings):
            return False
    return all(zen.get(name) == getattr(settings, name) for name in names)


def _has(rows: Mapping[str, Any], proxy: Metric, settings: ScoreSettings) -> bool:
    """Whether the metrics of a record hold one with these settings."""
    row = rows.get(proxy.name)
    if not isinstance(row, dict) or not _is_on(row.get("device"), settings):
        return False
    used = [name for name in proxy.uses("mean-field") if name in row and name != "device"]
    return all(row[name] == setting_of(settings, name) for name in used)


def _is_on(device: object, settings: ScoreSettings) -> bool:
    """Whether a number was computed on the kind of device that is asked for; what was not drawn has no device."""
    if device is None or settings.device == "auto":
        return True
    return isinstance(device, str) and device.split(":")[0] == settings.device.split(":")[0]
