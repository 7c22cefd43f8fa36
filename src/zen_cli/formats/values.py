"""Values that other readers than the one of JSON make, as JSON types."""

from __future__ import annotations

import math
from typing import Any

_SCALARS = (str, bool, int, float, type(None))


def json_types(value: Any) -> Any:
    """The value with lists for tuples; the caller has limited how deep it is nested.

    Raises:
        ValueError: what JSON cannot hold, to follow `holds`.
    """
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"the key {str(key)[:40]}, which is no string")
        return {key: json_types(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_types(item) for item in value]
    if not isinstance(value, _SCALARS):
        raise ValueError(f"a {type(value).__name__}, which JSON cannot hold")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number that is not finite")
    return value
