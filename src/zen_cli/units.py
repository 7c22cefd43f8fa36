"""Numbers as people write them: `1.05M` parameters, `0.5gpu-day`, `480000evals`, `1%`, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from .errors import UsageError

_SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}
_NUMBER = re.compile(r"\s*([+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)\s*([a-zA-Z%-]*)\s*")


def split_number(text: str, where: str) -> tuple[float, str]:
    """Splits `0.5gpu-day` into 0.5 and `gpu-day`.

    Raises:
        UsageError: the text does not start with a number, or the number is not finite.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise UsageError(f"{where}: {text!r} is not a number; write it like 1M, 1.05e6 or 400000")
    value = float(match[1].replace("_", ""))
    if not math.isfinite(value):
        raise UsageError(f"{where}: {text!r} is not finite; write a number like 1M")
    return value, match[2]


def parse_count(text: str, where: str = "number") -> int:
    """`1M`, `1.05e6`, `400M`, `2G`, `18` as a positive integer.

    Raises:
        UsageError: not a number, an unknown suffix, zero, negative, or a fraction of one.
    """
    from fractions import Fraction

    value, suffix = split_number(text, where)
    if suffix.lower() not in _SCALES:
        raise UsageError(f"{where}: unknown suffix {suffix!r} in {text!r}; use k, M, G (or B) or T")
    count = Fraction(repr(value)) * _SCALES[suffix.lower()]  # exact: as floats, 8.44G is not a whole number
    if count <= 0:
        raise UsageError(f"{where}: {text!r} is not positive; write a number like 1M")
    if count.denominator != 1:
        raise UsageError(f"{where}: {text!r} is not a whole number; write a number like 1M")
    return int(count)


_SECONDS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86_400, "day": 86_400}


class Budget(NamedTuple):
    """When a search ends, whichever comes first: proposals, seconds on the clock, seconds times devices."""

    evaluations: int | None = None
    seconds: float | None = None
    device_seconds: float | None = None


def parse_budget(texts: Iterable[str], where: str = "--budget") -> Budget:
    """`0.5gpu-day`, `2h`, `480000evals` as one budget; of two of a kind the smaller counts.

    A gpu-day is a day of one device, of which a CPU is one.

    Raises:
        UsageError: not a number, an unknown unit, zero or negative.
    """
    found: dict[str, float] = {}
    for text in texts:
        value, unit = split_number(text, where)
        name, plain = unit.lower().removesuffix("s") if len(unit) > 1 else unit.lower(), unit.lower()
        if name in ("eval", "keval", "meval"):
            key, amount = "evaluations", value * {"eval": 1, "keval": 1e3, "meval": 1e6}[name]
        elif name.startswith("gpu-") and name.removeprefix("gpu-") in _SECONDS:
            key, amount = "device_seconds", value * _SECONDS[name.removeprefix("gpu-")]
        elif plain in _SECONDS or name in _SECONDS:
            key, amount = "seconds", value * _SECONDS[plain if plain in _SECONDS else name]
        else:
            raise UsageError(f"{where}: unknown unit in {text!r}; write 480000evals, 30s, 10min, 2h or 0.5gpu-day")
        if amount <= 0 or (key == "evaluations" and amount < 1):
            raise UsageError(f"{where}: {text!r} is not positive; write 480000evals, 30s, 10min, 2h or 0.5gpu-day")
        found[key] = min(amount, found.get(key, math.inf))
    evaluations = found.get("evaluations")
    return Budget(
        None if evaluations is None else round(evaluations), found.get("seconds"), found.get("device_seconds")
    )


def format_seconds(value: float) -> str:
    """Seconds for people: `8.1 s`, `3 min 20 s`, `2 h 5 min`."""
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        return f"{int(value // 60)} min {int(value % 60)} s"
    return f"{int(value // 3600)} h {int(value % 3600 // 60)} min"


def format_count(value: float) -> str:
    """1039932 as `1.04M` and 22 billion as `22.0G`: from 1000 on three digits and a suffix, below it all digits."""
    for scale, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * scale:
            return three_digits(value / scale) + suffix
    return f"{value:.0f}"


def three_digits(value: float) -> str:
    """A number with the decimals that give it three digits, zeros included: `1.50`, `22.0`, `400`; none from 100 on."""
    size = abs(value)
    return f"{value:.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"


def format_bytes(value: float) -> str:
    """A number of bytes as GiB, MiB or KiB."""
    for scale, suffix in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(value) >= scale:
            return f"{value / scale:.1f} {suffix}"
    return f"{value:.0f} B"


def parse_share(text: str, where: str) -> float:
    """`1%` or `0.01` as a share in 0 to 1.

    Raises:
        UsageError: not a number, another unit, or outside of 0 to 1.
    """
    value, unit = split_number(text, where)
    if unit not in ("", "%"):
        raise UsageError(f"{where}: unknown unit {unit!r} in {text!r}; write 1% or 0.01")
    if unit == "" and value == 1:
        raise UsageError(f"{where}: {text!r} may be 1% or all of it; write 1% or 100%")
    share = value / 100 if unit == "%" else value
    if not 0 <= share <= 1:
        raise UsageError(f"{where}: {text!r} is not between 0% and 100%; write 1% or 0.01")
    return share
