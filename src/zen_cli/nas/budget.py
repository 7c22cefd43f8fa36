"""When a search ends: `480000evals`, `30s`, `0.5gpu-day`."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated, NamedTuple, TypeAlias

from pydantic import Field

from ..errors import UsageError
from ..units import LARGEST, split_number

Seconds: TypeAlias = Annotated[float, Field(ge=1e-6, le=LARGEST, allow_inf_nan=False)]

_SECONDS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86_400, "day": 86_400}
_EVALUATIONS = {"eval": 1, "keval": 10**3, "meval": 10**6}
_EXAMPLES = "write 480000evals, 30s, 10min, 2h or 0.5gpu-day"


class Budget(NamedTuple):
    """When a search ends, whichever comes first: proposals, seconds on the clock, seconds times devices."""

    evaluations: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    seconds: Seconds | None = None
    device_seconds: Seconds | None = None


def parse_budget(texts: Iterable[str], where: str = "budget") -> Budget:
    """`0.5gpu-day`, `2h`, `480000evals` as one budget; of two of a kind the smaller counts.

    A gpu-day is a day of one device, of which a CPU is one.

    Raises:
        UsageError: not a number, an unknown unit, zero, negative, or too large for 64 bits.
    """
    found: dict[str, Fraction] = {}
    for text in texts:
        value, unit = split_number(text, where, _EXAMPLES)
        name, plain = unit.lower().removesuffix("s") if len(unit) > 1 else unit.lower(), unit.lower()
        if name in _EVALUATIONS:
            key, amount = "evaluations", value * _EVALUATIONS[name]
        elif name.startswith("gpu-") and name.removeprefix("gpu-") in _SECONDS:
            key, amount = "device_seconds", value * _SECONDS[name.removeprefix("gpu-")]
        elif plain in _SECONDS or name in _SECONDS:
            key, amount = "seconds", value * _SECONDS[plain if plain in _SECONDS else name]
        else:
            raise UsageError(f"{where}: unknown unit in {text!r}; {_EXAMPLES}")
        if amount < (1 if key == "evaluations" else 1e-6):
            raise UsageError(f"{where}: {text!r} is too small; {_EXAMPLES}")
        if amount > LARGEST:
            raise UsageError(f"{where}: {text!r} is too large; {_EXAMPLES}")
        found[key] = min(amount, found.get(key, amount))
    evaluations, seconds, device_seconds = (found.get(key) for key in Budget._fields)
    return Budget(
        None if evaluations is None else round(evaluations),
        None if seconds is None else float(seconds),
        None if device_seconds is None else float(device_seconds),
    )
