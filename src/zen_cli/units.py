"""Numbers as people write them: `1.05M` parameters, `0.5gpu-day`, `1%`, and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .errors import UsageError, shorten

if TYPE_CHECKING:
    from fractions import Fraction

LARGEST = 2**63 - 1  # what readers of JSON hold as a whole number
_SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}
_DIGITS = r"[0-9](?:_?[0-9])*"
_NUMBER = re.compile(
    rf"[ \t]*([+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?[0-9]{{1,3}})?)[ \t]*([a-zA-Z%-]*)[ \t]*"
)


_ANY = "write it like 1M, 1.05e6 or 400000"


def split_number(text: str, where: str, fix: str) -> tuple[Fraction, str]:
    """Splits `0.5gpu-day` into 1/2 and `gpu-day`; exact, so that no digit of a number is lost.

    Args:
        text: what a user wrote.
        where: the field, which begins a message.
        fix: what to write instead, which ends it.

    Raises:
        UsageError: the text does not start with a number in ASCII digits, or is longer than a number needs.
    """
    from fractions import Fraction

    match = _NUMBER.fullmatch(text) if len(text) <= 100 else None
    if match is None:
        raise UsageError(f"{where}: {_quoted(text)} is not a number; {fix}")
    return Fraction(match[1].replace("_", "")), match[2]


def parse_count(text: str, where: str = "number", *, least: int = 1, most: int = LARGEST) -> int:
    """`1M`, `1.05e6`, `400M`, `2G`, `18` as a whole number from `least` to `most`.

    Raises:
        UsageError: not a number, an unknown suffix, a fraction of one, or out of bounds.
    """
    fix = _ANY if most == LARGEST else f"use a whole number from {least} to {most}"
    value, suffix = split_number(text, where, fix)
    if suffix.lower() not in _SCALES:
        raise UsageError(f"{where}: unknown suffix {suffix!r} in {text!r}; use k, M, G (or B) or T")
    count = value * _SCALES[suffix.lower()]
    if count < least:
        raise UsageError(f"{where}: {text!r} is too small; use at least {least}")
    if count > most:
        raise UsageError(f"{where}: {text!r} is too large; use at most {most}")
    if count.denominator != 1:
        raise UsageError(f"{where}: {text!r} is not a whole number; {fix}")
    return count.numerator


def parse_size(text: str, where: str, *, most: int) -> tuple[int, int]:
    """`224` or `432x768` as height and width, each from 1 to `most`.

    Raises:
        UsageError: not one or two whole numbers, or out of bounds.
    """
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.strip() for part in parts):
        raise UsageError(f"{where}: {_quoted(text)} is no size of an image; write it like 224 or 432x768")
    sides = [parse_count(part.strip(), where, least=1, most=most) for part in parts]
    return sides[0], sides[-1]


def parse_share(text: str, where: str) -> float:
    """`1%` or `0.01` as a share in 0 to 1.

    Raises:
        UsageError: not a number, another unit, or outside of 0 to 1.
    """
    value, unit = split_number(text, where, "write 1% or 0.01")
    if unit not in ("", "%"):
        raise UsageError(f"{where}: unknown unit {unit!r} in {text!r}; write 1% or 0.01")
    if unit == "" and value == 1:
        raise UsageError(f"{where}: {text!r} may be 1% or all of it; write 1% or 100%")
    share = value / 100 if unit == "%" else value
    if not 0 <= share <= 1:
        raise UsageError(f"{where}: {text!r} is not between 0% and 100%; write 1% or 0.01")
    return float(share)


def parse_real(text: str, where: str, *, least: float, most: float) -> float:
    """`0.01` or `1e-4` as a number from `least` to `most`.

    Raises:
        UsageError: not a number, a suffix, or out of bounds.
    """
    value, suffix = split_number(text, where, "write it like 0.01 or 1e-4")
    if suffix:
        raise UsageError(f"{where}: {text!r} is not a number; write it like 0.01 or 1e-4")
    if not least <= value <= most:
        raise UsageError(f"{where}: {text!r} is out of range; use {least:g} to {most:g}")
    return float(value)


_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_MILLISECONDS = {"ms": "1", "us": "1/1000", "s": "1000"}


def parse_bytes(text: str, where: str) -> int:
    """`320kB`, `1MB`, `512KiB` or `1048576` as a number of bytes; kB is 1000 of them and KiB 1024.

    Raises:
        UsageError: not a number, another unit, less than a byte, or a fraction of one.
    """
    value, unit = split_number(text, where, "write it like 320kB, 1MB or 512KiB")
    if unit.lower() not in _BYTES:
        raise UsageError(f"{where}: unknown unit {unit!r} in {text!r}; use B, kB, MB, GB, KiB, MiB or GiB")
    size = value * _BYTES[unit.lower()]
    if size < 1 or size > LARGEST or size.denominator != 1:
        raise UsageError(f"{where}: {text!r} is no whole number of bytes from 1 to 2^63; write it like 320kB")
    return size.numerator


def parse_milliseconds(text: str, where: str) -> float:
    """`5ms`, `0.5s` or `800us` as milliseconds; the unit is not left out, because both s and ms are usual.

    Raises:
        UsageError: not a number, no unit, another one, or less than 1 ns or more than a day.
    """
    from fractions import Fraction

    value, unit = split_number(text, where, "write it like 5ms")
    if unit.lower() not in _MILLISECONDS:
        raise UsageError(f"{where}: {text!r} has no unit of time; write it like 5ms, 0.5s or 800us")
    time = value * Fraction(_MILLISECONDS[unit.lower()])
    if not Fraction(1, 10**6) <= time <= 86_400_000:
        raise UsageError(f"{where}: {text!r} is out of range; use 0.001us to a day, such as 5ms")
    return float(time)


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


def _quoted(text: str) -> str:
    return repr(shorten(text))
